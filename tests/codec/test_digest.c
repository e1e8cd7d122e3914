/* test_digest.c: SHA-256 text form, streaming and files. */
#include "codec/digest.h"

#include "base/fd.h"
#include <check.h>
#include <stdio.h>

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

START_TEST(known_answers)
{
	char text[DIGEST_TEXT];
	digest_of("abc", 3, text);
	ck_assert_str_eq(text, ABC);
	digest_of(NULL, 0, text);
	ck_assert_str_eq(text, EMPTY);
	ck_assert_str_eq(digest_hex(ABC), &ABC[7]);
}
END_TEST

START_TEST(streaming_equals_one_piece)
{
	char text[DIGEST_TEXT];
	struct digest d;
	digest_init(&d);
	digest_update(&d, "a", 1);
	digest_update(&d, "", 0);
	digest_update(&d, "bc", 2);
	digest_finish(&d, text);
	digest_done(&d);
	digest_done(&d);
	ck_assert_str_eq(text, ABC);
}
END_TEST

START_TEST(file_digest_and_size)
{
	char path[] = "/tmp/kaito-digest-XXXXXX", text[DIGEST_TEXT];
	int fd = mkstemp(path);
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_write_all(fd, "abc", 3, path, &err), 0);
	close(fd);
	uint64_t size = 0;
	ck_assert_int_eq(digest_of_file(path, text, &size, &err), 0);
	ck_assert_str_eq(text, ABC);
	ck_assert_uint_eq(size, 3);
	unlink(path);
	ck_assert_int_lt(digest_of_file(path, text, &size, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(parse_refuses_what_is_not_a_digest)
{
	static const char *const BAD[] = {
		"", "sha256:", "sha512:ba78", ABC "0", "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:../../../../../../../../../../../../../../../../../../../../etc/pa", "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};
	char out[DIGEST_TEXT];
	struct err err = ERR_INIT;
	ck_assert_int_eq(digest_parse(STR(ABC), out, &err), 0);
	ck_assert_str_eq(out, ABC);
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		ck_assert(!digest_is_valid(str_of(BAD[i])));
		ck_assert_int_lt(digest_parse(str_of(BAD[i]), out, &err), 0);
		ck_assert_int_eq(err.kind, ERR_INVALID);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("digest");
	TCase *tc = tcase_create("digest");
	tcase_add_test(tc, known_answers);
	tcase_add_test(tc, streaming_equals_one_piece);
	tcase_add_test(tc, file_digest_and_size);
	tcase_add_test(tc, parse_refuses_what_is_not_a_digest);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
