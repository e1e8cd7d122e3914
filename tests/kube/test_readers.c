/* test_readers.c: lists and watches read as they arrive: whole, in pieces of every size, cut at every byte, too large, wrong. */
#include "check_main.h"

#include "base/limits.h"
#include "codec/json.h"
#include "kube/list_reader.h"
#include "kube/meta.h"
#include "kube/watch_reader.h"

static struct err err;
static json_t *items;

static void setup(void) { items = json_array(); }
static void teardown(void) { json_decref(items); }

static void take_item(void *context, json_t *object) { json_array_append_new(context, object); }

static void take_event(void *context, const char *type, json_t *object)
{
	json_array_append_new(context, json_pack("{s:s, s:O}", "type", type, "object", object));
}

static const char LIST[] = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\",\"items\":[\"no\"]},\"other\":\"items\", \"items\" : [\n"
			   "{\"a\":\"quote \\\" brace } bracket ] back \\\\\",\"b\":[{},[1,2]]} , {\"items\":[{\"c\":1}]},{}],\"last\":[1,{\"items\":[]}]}\n";
static const char ITEMS[] = "[{\"a\":\"quote \\\" brace } bracket ] back \\\\\",\"b\":[{},[1,2]]},{\"items\":[{\"c\":1}]},{}]";
static const char REST[] = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\",\"items\":[\"no\"]},\"other\":\"items\",\"items\":[],\"last\":[1,{\"items\":[]}]}";

/* Feeds text in pieces of `size` bytes; the document without items, or NULL. */
static json_t *read_list(str text, size_t size)
{
	struct list_reader r = {.item = take_item, .context = items};
	json_t *out = NULL;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < text.len; i += size)
		rc = list_reader_feed(&r, str_sub(text, i, i + size < text.len ? i + size : text.len), &err);
	if (rc == 0)
		rc = list_reader_finish(&r, &out, &err);
	list_reader_done(&r);
	return out;
}

static void expect_json(const json_t *value, const char *want)
{
	struct buf out = {0};
	json_print(value, JSON_PRINT_COMPACT, &out);
	ck_assert_str_eq(out.data, want);
	buf_done(&out);
}

START_TEST(a_list_is_read_in_pieces_of_every_size)
{
	for (size_t size = 1; size <= sizeof LIST; size++) {
		json_t *rest = read_list(str_of(LIST), size);
		ck_assert_msg(rest != NULL, "%s", err.message);
		expect_json(rest, REST);
		expect_json(items, ITEMS);
		json_decref(rest);
		json_array_clear(items);
	}
}
END_TEST

START_TEST(a_list_cut_at_any_byte_is_refused)
{
	for (size_t len = 0; len + 2 < sizeof LIST; len++) { /* all but the line's end */
		ck_assert_ptr_null(read_list((str){LIST, len}, 7));
		ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	}
}
END_TEST

static const char *const BAD_LISTS[] = {"[]", "{\"items\":[1]}", "{\"items\":[[]]}", "{\"items\":[{]}]}", "{\"items\":[{\"a\":1,}]}", "{\"items\":[\"x\"]}", "{\"items\":[}", "nonsense"};

START_TEST(a_list_that_is_none_is_refused)
{
	json_t *rest = read_list(str_of(BAD_LISTS[_i]), 100);
	ck_assert_ptr_null(rest);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
}
END_TEST

START_TEST(a_list_without_items_is_a_document)
{
	json_t *rest = read_list(STR("{\"items\":null,\"a\":1}"), 3);
	expect_json(rest, "{\"items\":null,\"a\":1}");
	json_decref(rest);
}
END_TEST

static char *large(const char *head, size_t n, const char *tail)
{
	struct buf out = {0};
	out.max = n + 1000;
	buf_puts(&out, head);
	while (out.len < n - strlen(tail))
		buf_puts(&out, "a");
	buf_puts(&out, tail);
	return buf_take(&out);
}

START_TEST(an_item_at_the_limit_is_read_and_past_it_refused)
{
	char *item = large("{\"a\":\"", LIMIT_KUBE_OBJECT_BYTES, "\"}");
	for (int past = 0; past < 2; past++) {
		struct list_reader r = {.item = take_item, .context = items};
		int rc = list_reader_feed(&r, STR("{\"items\":["), &err);
		ck_assert_int_eq(rc, 0);
		if (past)
			item[LIMIT_KUBE_OBJECT_BYTES - 1] = ' ';
		rc = list_reader_feed(&r, (str){item, LIMIT_KUBE_OBJECT_BYTES}, &err);
		ck_assert_int_eq(rc, 0);
		rc = list_reader_feed(&r, past ? STR("}") : STR("]}"), &err);
		ck_assert_int_eq(rc, past ? -1 : 0);
		if (past)
			ck_assert_int_eq(err.kind, ERR_LIMIT);
		list_reader_done(&r);
		ck_assert_uint_eq(json_array_size(items), 1);
	}
	free(item);
}
END_TEST

static const char WATCH[] = "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n\n{\"type\":\"BOOKMARK\",\"object\":{\"b\":\"\\n\"}}\r\n";

static int read_watch(str text, size_t size)
{
	struct watch_reader r = {.on_event = take_event, .context = items};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < text.len; i += size)
		rc = watch_reader_feed(&r, str_sub(text, i, i + size < text.len ? i + size : text.len), &err);
	watch_reader_done(&r);
	return rc;
}

START_TEST(a_watch_is_read_in_pieces_of_every_size)
{
	for (size_t size = 1; size <= sizeof WATCH; size++) {
		ck_assert_msg(read_watch(str_of(WATCH), size) == 0, "%s", err.message);
		expect_json(items, "[{\"type\":\"ADDED\",\"object\":{\"a\":1}},{\"type\":\"BOOKMARK\",\"object\":{\"b\":\"\\n\"}}]");
		json_array_clear(items);
	}
	for (size_t len = 0; len < sizeof WATCH; len++) /* an unfinished line is nobody's event */
		ck_assert_int_eq(read_watch((str){WATCH, len}, 5), 0);
}
END_TEST

static const struct { const char *line; enum err_kind kind; const char *say; } BAD_LINES[] = {
	{"nonsense\n", ERR_PROTOCOL, "'watch event' line 1"},
	{"{}\n", ERR_PROTOCOL, "a watch sent a line that is not an event"},
	{"{\"type\":\"ADDED\"}\n", ERR_PROTOCOL, "a watch sent a line that is not an event"},
	{"{\"type\":\"ADDED\",\"object\":[]}\n", ERR_PROTOCOL, "a watch sent a line that is not an event"},
	{"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"too old resource version\"}}\n", ERR_GONE, "too old resource version"},
	{"{\"type\":\"ERROR\",\"object\":{\"code\":500,\"reason\":\"InternalError\"}}\n", ERR_PROTOCOL, "InternalError"},
	{"{\"type\":\"ERROR\",\"object\":{}}\n", ERR_PROTOCOL, "the API server answered 500"},
};

START_TEST(a_watch_line_that_is_wrong_is_an_error)
{
	ck_assert_int_lt(read_watch(str_of(BAD_LINES[_i].line), 1000), 0);
	ck_assert_int_eq(err.kind, BAD_LINES[_i].kind);
	ck_assert_ptr_nonnull(strstr(err.message, BAD_LINES[_i].say));
	ck_assert_uint_eq(json_array_size(items), 0);
}
END_TEST

START_TEST(a_watch_line_at_the_limit_is_kept_and_past_it_refused)
{
	char *line = large("{\"type\":\"ADDED\",\"object\":{\"a\":\"", LIMIT_KUBE_OBJECT_BYTES, "\"}}");
	struct watch_reader r = {.on_event = take_event, .context = items};
	ck_assert_int_eq(watch_reader_feed(&r, (str){line, LIMIT_KUBE_OBJECT_BYTES}, &err), 0);
	ck_assert_int_eq(watch_reader_feed(&r, STR("\n"), &err), 0);
	ck_assert_uint_eq(json_array_size(items), 1);
	ck_assert_int_eq(watch_reader_feed(&r, (str){line, LIMIT_KUBE_OBJECT_BYTES}, &err), 0);
	ck_assert_int_lt(watch_reader_feed(&r, STR(" \n"), &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	watch_reader_done(&r);
	free(line);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/readers");
	TCase *t = tcase_create("readers");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_list_is_read_in_pieces_of_every_size);
	tcase_add_test(t, a_list_cut_at_any_byte_is_refused);
	tcase_add_loop_test(t, a_list_that_is_none_is_refused, 0, sizeof BAD_LISTS / sizeof BAD_LISTS[0]);
	tcase_add_test(t, a_list_without_items_is_a_document);
	tcase_add_test(t, an_item_at_the_limit_is_read_and_past_it_refused);
	tcase_add_test(t, a_watch_is_read_in_pieces_of_every_size);
	tcase_add_loop_test(t, a_watch_line_that_is_wrong_is_an_error, 0, sizeof BAD_LINES / sizeof BAD_LINES[0]);
	tcase_add_test(t, a_watch_line_at_the_limit_is_kept_and_past_it_refused);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
