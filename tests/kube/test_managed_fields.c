/* Tests that managedFields go and nothing else does. */
#include "check_main.h"

#include "base/mem.h"
#include "codec/json.h"
#include "kube/managed_fields.h"
#include <string.h>

static void expect(const char *text, const char *wanted)
{
	struct buf out = {0};
	managed_fields_drop(str_of(text), &out);
	ck_assert_str_eq(out.data ? out.data : "", wanted);
	buf_done(&out);
}

START_TEST(managed_fields_go_wherever_they_stand)
{
	expect("{\"metadata\":{\"name\":\"a\",\"managedFields\":[{\"f\":{\"x\":[1]}}],\"uid\":\"u\"}}", "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}");
	expect("{\"metadata\":{\"managedFields\":[]}}", "{\"metadata\":{}}");
	expect("{\"metadata\":{\"name\":\"a\" , \"managedFields\" : [ ] }}", "{\"metadata\":{\"name\":\"a\"  }}");
	expect("{\"metadata\":{\"managedFields\":[\"]\",\"\\\"]\"],\"b\":1}}", "{\"metadata\":{\"b\":1}}");
}
END_TEST

START_TEST(what_only_looks_like_them_stays)
{
	const char *const SAME[] = {
		"", "[]", "{\"a\":\"managedFields\"}", "{\"managedFields\":{}}", "{\"managedFields\":\"[]\"}", "{\"a\":\"\\\"managedFields\\\":[1]\"}",
		"{\"xmanagedFields\":[1]}", "{\"managedFields\":[1", "{\"managedFields", "\"managedFields\":", "{\"a\\\\\":[1]}",
	};
	for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++)
		expect(SAME[i], SAME[i]);
}
END_TEST

START_TEST(parsing_after_the_cut_equals_deleting_after_parsing)
{
	static const char TEXT[] = "{\"a\":{\"managedFields\":[{\"b\":\"]}\\\\\"}],\"c\":[{\"managedFields\":[[],{}]},{\"d\":null,\"managedFields\":[1]}]},\"e\":\"\\\\\"}";
	json_t *cut = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_eq(managed_fields_parse(&cut, str_of(TEXT), "text", &err), 0);
	json_t *wanted = json_loads("{\"a\":{\"c\":[{},{\"d\":null}]},\"e\":\"\\\\\"}", 0, NULL);
	ck_assert_int_eq(json_equal(cut, wanted), 1);
	json_decref(cut);
	json_decref(wanted);
	ck_assert_int_eq(managed_fields_parse(&cut, STR("{\"a\":"), "text", &err), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
}
END_TEST

int main(void)
{
	CHECK_RUN("managed fields", 20, managed_fields_go_wherever_they_stand, what_only_looks_like_them_stays, parsing_after_the_cut_equals_deleting_after_parsing);
}
