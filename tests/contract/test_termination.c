/* The termination message: always JSON, always within the limit, written where the pod (or the user) wants it. */
#include "contract/termination.h"

#include "base/fd.h"
#include "base/limits.h"
#include "codec/json.h"
#include "contract/paths.h"
#include <check.h>
#include <math.h>

static void gives(const struct termination *t, const char *expected)
{
	struct buf out = {0};
	termination_print(t, &out);
	ck_assert_str_eq(out.data, expected);
	buf_done(&out);
}

START_TEST(message_says_kind_reason_code_and_place)
{
	gives(&(struct termination){ERR_DATA, "row is bad", "a.parquet", 17, 120, NAN, NULL},
	      "{\"kind\":\"data\",\"reason\":\"InvalidDataset\",\"exitCode\":5,\"message\":\"row is bad\",\"file\":\"a.parquet\",\"row\":17,\"step\":120}");
	gives(&(struct termination){ERR_NONE, "done", NULL, 0, -1, 1.5, "r/x@sha256:0"},
	      "{\"kind\":\"none\",\"reason\":\"Succeeded\",\"exitCode\":0,\"message\":\"done\",\"loss\":1.5,\"image\":\"r/x@sha256:0\"}");
}
END_TEST

START_TEST(message_fits_whatever_comes_in)
{
	char path[6000], message[240];
	memset(path, '\x01', sizeof path);
	path[sizeof path - 1] = 0;
	for (size_t i = 0; i + 2 < sizeof message; i += 2)
		memcpy(message + i, "\xC3\xA9", 3);
	struct buf out = {0};
	struct err err = ERR_INIT;
	json_t *v = NULL;
	termination_print(&(struct termination){ERR_IO, message, path, 1, 1, 1, path}, &out);
	ck_assert_uint_le(out.len, LIMIT_TERMINATION_BYTES);
	ck_assert_msg(json_parse(&v, buf_str(&out), "message", &err) == 0, "%s", err.message);
	json_decref(v);
	buf_done(&out);
}
END_TEST

START_TEST(message_goes_to_the_named_file)
{
	char path[] = "/tmp/kaito-termination-XXXXXX";
	close(mkstemp(path));
	setenv(ENV_TERMINATION_LOG, path, 1);
	struct err err = ERR_INIT;
	struct buf text = {0};
	ck_assert_int_eq(termination_write(&(struct termination){ERR_NONE, "a long message first", NULL, 0, 3, NAN, NULL}, &err), 0);
	ck_assert_int_eq(termination_write(&(struct termination){ERR_NONE, "x", NULL, 0, 3, NAN, NULL}, &err), 0);
	ck_assert_int_eq(fd_read_file(path, 4096, &text, &err), 0);
	ck_assert_str_eq(text.data, "{\"kind\":\"none\",\"reason\":\"Succeeded\",\"exitCode\":0,\"message\":\"x\",\"step\":3}");
	unlink(path);
	setenv(ENV_TERMINATION_LOG, "/nowhere/at/all", 1);
	ck_assert_int_eq(termination_write(&(struct termination){ERR_NONE, "x", NULL, 0, 3, NAN, NULL}, &err), -1);
	buf_done(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("contract/termination");
	TCase *tc = tcase_create("termination");
	tcase_add_test(tc, message_says_kind_reason_code_and_place);
	tcase_add_test(tc, message_fits_whatever_comes_in);
	tcase_add_test(tc, message_goes_to_the_named_file);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
