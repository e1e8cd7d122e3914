/* Tests that the quick reader agrees with json_parse wherever it answers, and answers where it should. */
#include "check_main.h"

#include "codec/json.h"
#include "codec/json_quick.h"
#include <string.h>

/* Both readers see the same tree. */
static void agrees(const char *text)
{
	json_t *slow = NULL, *quick = json_quick(str_of(text));
	struct err err = ERR_INIT;
	ck_assert_msg(quick != NULL, "gave up on %s", text);
	ck_assert_msg(json_parse(&slow, str_of(text), "text", &err) == 0, "%s: %s", text, err.message);
	ck_assert_msg(json_equal(quick, slow), "different trees for %s", text);
	json_decref(quick);
	json_decref(slow);
}

START_TEST(json_quick_reads_what_servers_write)
{
	agrees("{}");
	agrees(" [ ] ");
	agrees("{\"a\":1,\"b\":[true,false,null,-7,0],\"c\":{\"d\":\"e\"}}\n");
	agrees("\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\"");
	agrees("\"\xc3\xa9\xf0\x9f\x98\x80\"");
	agrees("{\"\":\"\"}");
	agrees("[123456789012345678,-123456789012345678]");
}
END_TEST

START_TEST(json_quick_gives_up_on_the_unusual)
{
	const char *const UNUSUAL[] = {
		"", " ", "{", "[1", "{\"a\"}", "{\"a\":}", "[1,]", "{\"a\":1,}", "nul", "tru", "1.5", "1e3", "-", "01", "-0", "1234567890123456789", "{\"a\":1,\"a\":2}",
		"\"\\ud83d\\ude00\"", "\"\\u0000\"", "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"", "\"abc", "\"\xff\"", "[1] 2", "\"\\", "\"\\u12\"",
	};
	for (size_t i = 0; i < sizeof UNUSUAL / sizeof UNUSUAL[0]; i++)
		ck_assert_msg(json_quick(str_of(UNUSUAL[i])) == NULL, "answered %s", UNUSUAL[i]);
}
END_TEST

static char *nested(int depth)
{
	char *text = mem_alloc((size_t)depth * 2 + 1);
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	return text;
}

START_TEST(json_quick_nests_up_to_the_limit)
{
	CLEANUP(mem_freep) char *at = nested(LIMIT_JSON_DEPTH);
	CLEANUP(mem_freep) char *past = nested(LIMIT_JSON_DEPTH + 1);
	agrees(at);
	ck_assert_ptr_null(json_quick(str_of(past)));
}
END_TEST

START_TEST(json_quick_survives_every_truncation)
{
	static const char TEXT[] = "{\"a\":[1,\"\\u00e9\\n\",{\"b\":null}],\"c\":true}";
	for (size_t n = 0; n < sizeof TEXT - 1; n++) {
		CLEANUP(mem_freep) char *cut = mem_strndup(TEXT, n);
		ck_assert_ptr_null(json_quick((str){cut, n}));
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("json quick", 20, json_quick_reads_what_servers_write, json_quick_gives_up_on_the_unusual, json_quick_nests_up_to_the_limit,
		  json_quick_survives_every_truncation);
}
