/* Base64 in its forms: RFC 4648's vectors, every length, and what is no base64, with its offset. */
#include "check_main.h"

#include "base/limits.h"
#include "base/mem.h"
#include "codec/base64.h"

static struct err err;

static void reads(enum base64_form form, const char *text, str want)
{
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t len = 99;
	ck_assert_msg(base64_decode(form, str_of(text), &bytes, &len, &err) == 0, "'%s': %s", text, err.message);
	ck_assert_msg(str_eq((str){bytes, len}, want), "'%s' is not '%.*s'", text, STR_FMT(want));
	ck_assert_int_eq(bytes[len], 0);
}

static void refuses(enum base64_form form, const char *text, const char *message)
{
	char *bytes = NULL;
	size_t len = 0;
	err = (struct err)ERR_INIT;
	ck_assert_msg(base64_decode(form, str_of(text), &bytes, &len, &err) == -1, "'%s' is read", text);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_str_eq(err.message, message);
	ck_assert_ptr_null(bytes);
}

START_TEST(the_vectors_of_the_rfc)
{
	static const struct { const char *plain, *text, *bare; } VECTORS[] = {
		{"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"}, {"foob", "Zm9vYg==", "Zm9vYg"},
		{"fooba", "Zm9vYmE=", "Zm9vYmE"}, {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
	};
	for (size_t i = 0; i < sizeof VECTORS / sizeof VECTORS[0]; i++) {
		CLEANUP(mem_freep) char *text = base64_encode(BASE64_STANDARD, str_of(VECTORS[i].plain));
		CLEANUP(mem_freep) char *bare = base64_encode(BASE64_URL, str_of(VECTORS[i].plain));
		ck_assert_str_eq(text, VECTORS[i].text);
		ck_assert_str_eq(bare, VECTORS[i].bare);
		reads(BASE64_STANDARD, VECTORS[i].text, str_of(VECTORS[i].plain));
		reads(BASE64_URL, VECTORS[i].bare, str_of(VECTORS[i].plain));
		reads(BASE64_ANY, VECTORS[i].text, str_of(VECTORS[i].plain));
		reads(BASE64_ANY, VECTORS[i].bare, str_of(VECTORS[i].plain));
	}
}
END_TEST

START_TEST(all_bytes_at_every_length)
{
	char bytes[300];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 37 + 251);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		CLEANUP(mem_freep) char *text = base64_encode(BASE64_STANDARD, (str){bytes, n}), *url = base64_encode(BASE64_URL, (str){bytes, n});
		ck_assert_uint_eq(strlen(text), (n + 2) / 3 * 4);
		ck_assert_uint_eq(strlen(url), (n * 4 + 2) / 3);
		reads(BASE64_STANDARD, text, (str){bytes, n});
		reads(BASE64_URL, url, (str){bytes, n});
	}
}
END_TEST

START_TEST(the_alphabets_differ_in_two_characters)
{
	str bytes = STR("\xfb\xff\xbf");
	CLEANUP(mem_freep) char *text = base64_encode(BASE64_STANDARD, bytes), *url = base64_encode(BASE64_URL, bytes);
	ck_assert_str_eq(text, "+/+/");
	ck_assert_str_eq(url, "-_-_");
	reads(BASE64_ANY, text, bytes);
	reads(BASE64_ANY, url, bytes);
	refuses(BASE64_URL, text, "not base64 at byte 0");
	refuses(BASE64_STANDARD, "A-_A", "not base64 at byte 1");
}
END_TEST

START_TEST(line_breaks_are_passed_over_in_the_standard_form_only)
{
	reads(BASE64_STANDARD, "Zm9v\nYmFy\r\n", STR("foobar"));
	reads(BASE64_STANDARD, "\nZ\ng=\n=\n", STR("f"));
	refuses(BASE64_STANDARD, "Zm9v YmFy", "not base64 at byte 4");
	refuses(BASE64_URL, "Zm9v\nYmFy", "not base64 at byte 4");
	refuses(BASE64_ANY, "Zm9v\n", "not base64 at byte 4");
}
END_TEST

START_TEST(what_is_no_base64_is_refused_at_its_offset)
{
	static const struct { enum base64_form form; const char *text; int at; } WRONG[] = {
		{BASE64_STANDARD, "Z", 1}, {BASE64_STANDARD, "Zg", 2}, {BASE64_STANDARD, "Zg=", 3}, {BASE64_STANDARD, "Zg===", 4},
		{BASE64_STANDARD, "Zm8", 3}, {BASE64_STANDARD, "Zm8==", 4}, {BASE64_STANDARD, "Zm9v=", 4}, {BASE64_STANDARD, "====", 0},
		{BASE64_STANDARD, "Zg=a", 3}, {BASE64_STANDARD, "Zg==Zg==", 4}, {BASE64_STANDARD, "Zm9*", 3}, {BASE64_STANDARD, "\x80\x80", 0},
		{BASE64_URL, "Z", 1}, {BASE64_URL, "Zg==", 2}, {BASE64_URL, "Zm9v=", 4}, {BASE64_URL, "Zm9vZ", 5},
		{BASE64_ANY, "Zg=", 3}, {BASE64_ANY, "Z===", 4}, {BASE64_ANY, "=", 0},
	};
	for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
		char message[40];
		snprintf(message, sizeof message, "not base64 at byte %d", WRONG[i].at);
		refuses(WRONG[i].form, WRONG[i].text, message);
	}
	char *bytes = NULL;
	size_t len = 0;
	ck_assert_int_eq(base64_decode(BASE64_STANDARD, STR("Zg\0="), &bytes, &len, &err), -1);
}
END_TEST

START_TEST(the_limit_holds)
{
	char *text = mem_alloc(LIMIT_BASE64_BYTES + 4), *bytes = NULL;
	size_t len = 0;
	memset(text, 'A', LIMIT_BASE64_BYTES + 4);
	ck_assert_int_eq(base64_decode(BASE64_STANDARD, (str){text, LIMIT_BASE64_BYTES}, &bytes, &len, &err), 0);
	ck_assert_uint_eq(len, LIMIT_BASE64_BYTES / 4 * 3);
	free(bytes);
	ck_assert_int_eq(base64_decode(BASE64_STANDARD, (str){text, LIMIT_BASE64_BYTES + 4}, &bytes, &len, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	free(text);
}
END_TEST

int main(void)
{
	CHECK_RUN("base64", 30, the_vectors_of_the_rfc, all_bytes_at_every_length, the_alphabets_differ_in_two_characters,
		  line_breaks_are_passed_over_in_the_standard_form_only, what_is_no_base64_is_refused_at_its_offset, the_limit_holds);
}
