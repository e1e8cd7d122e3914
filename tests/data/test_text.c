/* JSON, JSON Lines and CSV datasets: shapes, conventions, options, and how a bad row is named. */
#include "fixture.h"

#include "base/limits.h"
#include "data/record.h"

static void put(const char *name, const char *text) { fixture_write(name, text, strlen(text)); }

START_TEST(json_lines_rows_are_read_in_any_order)
{
	put("a.jsonl",
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"ho\",\"extra\":1}],\"id\":7}\n"
	    "\n"
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\\n\"}]}\r\n"
	    "{\"messages\":[{\"content\":\"\",\"role\":\"system\"}]}");
	struct data *d = fixture_open("a.jsonl");
	ck_assert_int_eq(data_rows(d), 3);
	ck_assert_int_eq(data_shape(d), DATA_MESSAGES);
	ck_assert_str_eq(data_describe(d), "1 file, 3 rows, json, column 'messages'");
	row_is(d, 2, "[{\"role\":\"system\",\"content\":\"\"}]");
	row_is(d, 0, "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"ho\"}]");
	row_is(d, 1, "[{\"role\":\"user\",\"content\":\"\xC3\xA9\\n\"}]");
	ck_assert_str_eq(data_where(d, 1), "a.jsonl row 2 (line 3)");
	data_close(d);
}
END_TEST

START_TEST(json_is_an_array_a_data_object_one_row_or_lines_by_its_content)
{
	put("array.json", "\xEF\xBB\xBF [ {\"text\":\"a ] \\\" [\"} ,\n {\"text\":\"b\",\"n\":[[1],{\"x\":[]}]} ]\n");
	put("data.json", "{\"version\":{\"a\":[1]},\"data\":[{\"text\":\"a ] \\\" [\"},{\"text\":\"b\"}]}");
	put("lines.json", "{\"text\":\"a ] \\\" [\"}\n{\"text\":\"b\"}\n");
	put("noname", "[{\"text\":\"a ] \\\" [\"},{\"text\":\"b\"}]");
	const char *names[] = {"array.json", "data.json", "lines.json", "noname"};
	for (size_t i = 0; i < 4; i++) {
		struct data *d = fixture_open(names[i]);
		ck_assert_int_eq(data_rows(d), 2);
		row_is(d, 0, "a ] \" [");
		row_is(d, 1, "b");
		data_close(d);
	}
	put("one.json", "{\n \"text\": \"only\"\n}\n");
	struct data *d = fixture_open("one.json");
	ck_assert_int_eq(data_rows(d), 1);
	row_is(d, 0, "only");
	data_close(d);
}
END_TEST

START_TEST(every_convention_finds_its_columns)
{
	static const struct { const char *row, *words;
	} CASES[] = {
		{"{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"a\"},{\"from\":\"tool\",\"value\":"
		 "\"t\"}]}",
		 "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"tool\",\"content\":\"t\"}"
		 "]"},
		{"{\"prompt\":\"p\",\"completion\":\"c\"}", "p -> c"},
		{"{\"prompt\":\"p\",\"response\":\"c\"}", "p -> c"},
		{"{\"question\":\"p\",\"answer\":\"c\"}", "p -> c"},
		{"{\"input\":\"p\",\"output\":\"c\"}", "p -> c"},
		{"{\"instruction\":\"i\",\"input\":\"n\",\"output\":\"o\"}",
		 "[{\"role\":\"user\",\"content\":\"i\\n\\nn\"},{\"role\":\"assistant\",\"content\":\"o\"}]"},
		{"{\"instruction\":\"i\",\"input\":\"\",\"output\":\"o\"}",
		 "[{\"role\":\"user\",\"content\":\"i\"},{\"role\":\"assistant\",\"content\":\"o\"}]"},
		{"{\"instruction\":\"i\",\"input\":null,\"output\":\"o\"}",
		 "[{\"role\":\"user\",\"content\":\"i\"},{\"role\":\"assistant\",\"content\":\"o\"}]"},
		{"{\"instruction\":\"i\",\"output\":\"o\"}",
		 "[{\"role\":\"user\",\"content\":\"i\"},{\"role\":\"assistant\",\"content\":\"o\"}]"},
		{"{\"instruction\":\"i\",\"context\":\"n\",\"response\":\"o\",\"category\":\"x\"}",
		 "[{\"role\":\"user\",\"content\":\"i\\n\\nn\"},{\"role\":\"assistant\",\"content\":\"o\"}]"},
		{"{\"messages\":\"[{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\"x\\\"}]\"}", "[{\"role\":\"user\",\"content\":\"x\"}]"},
		{"{\"text\":\"t\",\"prompt\":1}", "t"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		put("c.jsonl", CASES[i].row);
		struct data *d = fixture_open("c.jsonl");
		row_is(d, 0, CASES[i].words);
		data_close(d);
	}
}
END_TEST

START_TEST(configured_columns_win_and_are_checked)
{
	put("c.jsonl", "{\"text\":\"t\",\"q\":\"Q\",\"a\":\"A\",\"n\":1,\"chat\":[{\"role\":\"user\",\"content\":\"x\"}],\"messages\":[{"
		       "\"role\":\"user\",\"content\":\"m\"}]}\n");
	static const struct { struct data_options options; const char *words, *error; } CASES[] = {
		{{.context_column = "q", .response_column = "a"}, "Q -> A", NULL},
		{{.context_column = "q", .response_column = "text"}, "Q -> t", NULL},
		{{.response_column = "a"}, "A", NULL},
		{{.response_column = "text"}, "[{\"role\":\"user\",\"content\":\"m\"}]", NULL},
		{{.context_column = "", .response_column = "", .messages_column = ""}, "[{\"role\":\"user\",\"content\":\"m\"}]", NULL},
		{{.messages_column = "chat", .response_column = "a"}, "[{\"role\":\"user\",\"content\":\"x\"}]", NULL},
		{{.context_column = "q"}, NULL, "context_column 'q' is given without a response_column"},
		{{.context_column = "zzz", .response_column = "a"}, NULL, "context_column 'zzz' is not in the file, which has 'text', 'q'"},
		{{.response_column = "n"}, NULL, "response_column 'n' holds integer, text is needed"},
		{{.messages_column = "n"}, NULL, "messages_column 'n' holds integer, a list of {role, content} is needed"},
		{{.messages_column = "none"}, NULL, "messages_column 'none' is not in the file"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		if (CASES[i].error) {
			refuse_open_with("c.jsonl", &CASES[i].options, ERR_DATA, CASES[i].error);
			continue;
		}
		struct data *d = fixture_open_with("c.jsonl", &CASES[i].options);
		row_is(d, 0, CASES[i].words);
		data_close(d);
	}
	refuse_open_with("c.jsonl", &(struct data_options){.extension = "xls"}, ERR_CONFIG, "dataset_extension 'xls'");
	put("n.jsonl", "{\"n\":1,\"m\":{}}");
	refuse_open("n.jsonl", "no known columns");
}
END_TEST

START_TEST(a_bad_json_row_is_named_with_its_reason)
{
	static const struct { const char *row, *error; } CASES[] = {
		{"{\"messages\":[{\"role\":\"user\"}]}", "b.jsonl row 2 (line 3): column 'messages': message 1: content is missing"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"content\":\"b\"}]}", "message 2: role is missing"},
		{"{\"messages\":[{\"role\":\"\",\"content\":\"a\"}]}", "message 1: role is empty"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":null}]}", "message 1: content is null"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":[1]}]}", "message 1: content is an array, text is needed"},
		{"{\"messages\":[{\"role\":3,\"content\":\"a\"}]}", "message 1: role is an integer, text is needed"},
		{"{\"messages\":[null]}", "message 1 is null"},
		{"{\"messages\":[\"x\"]}", "message 1: role is missing"},
		{"{\"messages\":[]}", "the list of messages is empty"},
		{"{\"messages\":null}", "the list of messages is null"},
		{"{\"messages\":\"x\"}", "is text, a list of {role, content} is needed"},
		{"{\"messages\":{}}", "is an object, a list of {role, content} is needed"},
		{"{\"other\":1}", "column 'messages': the list of messages is missing"},
		{"[1]", "the row is a JSON array, an object is needed"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"", "b.jsonl row 2 (line 3): 'json' line 3"},
		{"{\"messages\":1,\"messages\":2}", "'json' line 3"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"a\xFF\"}]}", "not valid UTF-8 at byte 40 of the row"},
	};
	static const char *const GOOD = "{\"messages\":[{\"role\":\"user\",\"content\":\"fine\"}]}";
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		CLEANUP(mem_freep) char *text = mem_printf("%s\n\n%s\n%s\n", GOOD, CASES[i].row, GOOD);
		put("b.jsonl", text);
		struct data *d = fixture_open_with("b.jsonl", &(struct data_options){.skip_bad_rows = true});
		row_is(d, 0, "[{\"role\":\"user\",\"content\":\"fine\"}]");
		row_fails(d, 1, CASES[i].error);
		row_is(d, 2, "[{\"role\":\"user\",\"content\":\"fine\"}]");
		data_close(d);
	}
}
END_TEST

START_TEST(opening_stops_at_a_bad_row_unless_told_to_look_past_it)
{
	put("b.jsonl", "{\"text\": \n{\"text\":\"x\"}\n");
	refuse_open("b.jsonl", "b.jsonl: row 1: 'json' line 1");
	struct data *d = fixture_open_with("b.jsonl", &(struct data_options){.skip_bad_rows = true});
	row_fails(d, 0, "b.jsonl row 1: 'json' line 1");
	row_is(d, 1, "x");
	data_close(d);
}
END_TEST

START_TEST(a_json_array_that_is_cut_off_or_garbled_says_where)
{
	put("b.json", "[{\"text\":\"a\"},{\"text\":\"b\"");
	refuse_open("b.json", "the text ends inside the value that starts at byte 14");
	put("b.json", "[{\"text\":\"a\"},{\"text\":\"b");
	refuse_open("b.json", "the text ends inside a string of the value that starts at byte 14");
	put("b.json", "[{\"text\":\"a\"},");
	refuse_open("b.json", "the array of rows is not closed: the file is cut off after row 1");
	put("b.json", "[{\"text\":\"a\"} {\"text\":\"a\"}]");
	refuse_open("b.json", "',' or ']' is expected at byte 14, after row 1");
	put("b.json", "[]");
	refuse_open("b.json", "the dataset has no rows (1 file read)");
	put("b.json", "");
	refuse_open("b.json", "the dataset has no rows");
	put("empty", "");
	refuse_open("empty", "empty: is empty");
}
END_TEST

START_TEST(json_nesting_is_bounded)
{
	for (size_t depth = LIMIT_JSON_DEPTH - 1; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
		struct buf text = {0};
		buf_puts(&text, "[{\"text\":\"t\",\"x\":");
		for (size_t i = 0; i < depth - 1; i++)
			buf_putc(&text, '[');
		for (size_t i = 0; i < depth - 1; i++)
			buf_putc(&text, ']');
		buf_puts(&text, "}]");
		fixture_write("deep.json", text.data, text.len);
		if (depth <= LIMIT_JSON_DEPTH) {
			struct data *d = fixture_open("deep.json");
			row_is(d, 0, "t");
			data_close(d);
		} else {
			refuse_open("deep.json", "nested deeper than");
		}
		buf_done(&text);
	}
}
END_TEST

START_TEST(a_row_may_be_as_long_as_the_limit_and_no_longer)
{
	for (size_t extra = 0; extra < 2; extra++) {
		struct buf text = {0};
		buf_puts(&text, "{\"prompt\":\"pq\",\"completion\":\"");
		memset(buf_reserve(&text, LIMIT_DATASET_ROW_BYTES), 'x', LIMIT_DATASET_ROW_BYTES);
		text.len += LIMIT_DATASET_ROW_BYTES - 2 + extra;
		buf_puts(&text, "\"}\n");
		fixture_write("long.jsonl", text.data, text.len);
		buf_done(&text);
		struct data *d = fixture_open("long.jsonl");
		struct data_row row = {0};
		if (extra) {
			row_fails(d, 0, "long.jsonl row 1: the row's text is longer than the limit of 16777216 bytes");
		} else {
			ck_assert_int_eq(data_read(d, 0, &row, &err), 0);
			ck_assert_uint_eq(row.text.len, LIMIT_DATASET_ROW_BYTES - 2);
			data_row_done(&row);
		}
		data_close(d);
	}
	struct buf csv = {0};
	buf_puts(&csv, "text,x\n");
	memset(buf_reserve(&csv, RECORD_MAX + 1), 'x', RECORD_MAX + 1);
	csv.len += RECORD_MAX + 1;
	buf_puts(&csv, ",1\nok,2\n");
	fixture_write("long.csv", csv.data, csv.len);
	buf_done(&csv);
	struct data *d = fixture_open("long.csv");
	row_fails(d, 0, "long.csv row 1 (line 2): the row is longer than the limit of 16777216 bytes");
	row_is(d, 1, "ok");
	data_close(d);
}
END_TEST

START_TEST(csv_fields_follow_rfc_4180)
{
	put("a.csv", "\xEF\xBB\xBF id , prompt,completion\r\n"
		     "1,plain,text\r\n"
		     "\r\n"
		     "2,\"with, comma\",\"and \"\"quotes\"\"\"\r\n"
		     "3,\"two\r\nlines\",\"\"\r\n"
		     "4,a\"b,c d ");
	struct data *d = fixture_open("a.csv");
	ck_assert_int_eq(data_rows(d), 4);
	ck_assert_str_eq(data_describe(d), "1 file, 4 rows, csv, columns 'prompt', 'completion'");
	row_is(d, 3, "a\"b -> c d ");
	row_is(d, 0, "plain -> text");
	row_is(d, 1, "with, comma -> and \"quotes\"");
	row_is(d, 2, "two\r\nlines -> ");
	ck_assert_str_eq(data_where(d, 3), "a.csv row 4 (line 7)");
	data_close(d);
	put("a.tsv", "prompt\tcompletion\na,b\tc;d\n");
	d = fixture_open("a.tsv");
	row_is(d, 0, "a,b -> c;d");
	data_close(d);
	put("noext", "prompt,completion\nx,y\n");
	d = fixture_open("noext");
	row_is(d, 0, "x -> y");
	data_close(d);
	put("m.csv", "messages\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"x\"\"}]\"\nnot json\n");
	d = fixture_open("m.csv");
	row_is(d, 0, "[{\"role\":\"user\",\"content\":\"x\"}]");
	row_fails(d, 1, "m.csv row 2 (line 3): column 'messages': 'cell' line 1 column");
	data_close(d);
}
END_TEST

START_TEST(a_bad_csv_row_is_named_with_its_reason)
{
	static const struct { const char *row, *error; } CASES[] = {
		{"only one", "b.csv row 2 (line 4): the row has 1 fields, the header has 2"},
		{"a,b,c", "the row has 3 fields, the header has 2"},
		{"a,", "column 'completion' is null, text is needed"},
		{"\"a\"b,c", "column 'prompt': text after the closing quote"},
		{"a\xC3,b", "column 'prompt' is not valid UTF-8 at byte 1"},
		{"a,\"never closed", "column 'completion': the quote that opens the field is never closed"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		CLEANUP(mem_freep) char *text = mem_printf("prompt,completion\n\"x\n\",y\n%s\n", CASES[i].row);
		put("b.csv", text);
		struct data *d = fixture_open("b.csv");
		row_is(d, 0, "x\n -> y");
		row_fails(d, 1, CASES[i].error);
		data_close(d);
	}
	put("b.csv", "prompt,\"completion\nx,y\n");
	refuse_open("b.csv", "b.csv: the header's field 2 is badly quoted");
	put("b.csv", "prompt,comple\xFFtion\nx,y\n");
	refuse_open("b.csv", "b.csv: the header's field 2 is not valid UTF-8 at byte 6");
	put("b.csv", "prompt,completion\n");
	refuse_open("b.csv", "the dataset has no rows");
}
END_TEST

START_TEST(csv_columns_are_bounded)
{
	for (int extra = 0; extra < 2; extra++) {
		struct buf text = {0};
		buf_puts(&text, "text");
		for (int i = 1; i < LIMIT_DATASET_COLUMNS + extra; i++)
			buf_printf(&text, ",c%d", i);
		buf_puts(&text, "\nt");
		for (int i = 1; i < LIMIT_DATASET_COLUMNS + extra; i++)
			buf_putc(&text, ',');
		fixture_write("wide.csv", text.data, text.len);
		buf_done(&text);
		if (extra) {
			refuse_open_with("wide.csv", NULL, ERR_LIMIT, "more than the limit of 4096 columns");
		} else {
			struct data *d = fixture_open("wide.csv");
			row_is(d, 0, "t");
			data_close(d);
		}
	}
}
END_TEST

START_TEST(a_folder_gives_all_its_data_files_in_name_order)
{
	CLEANUP(mem_freep) char *sub = fixture_path("set/train"), *hidden = fixture_path("set/.cache"), *none = fixture_path("none");
	ck_assert_int_eq(fd_make_dirs(sub, &err), 0);
	ck_assert_int_eq(fd_make_dirs(hidden, &err), 0);
	ck_assert_int_eq(fd_make_dirs(none, &err), 0);
	put("set/train/b.jsonl", "{\"text\":\"2\"}\n{\"text\":\"3\"}\n");
	put("set/train/a.csv", "text,x\n1,\n");
	put("set/z.json", "[{\"text\":\"4\"}]");
	put("set/empty.jsonl", "");
	put("set/README.md", "not data");
	put("set/dataset_info.json", "{\"text\":\"not data\"}");
	put("set/.cache/x.jsonl", "{\"text\":\"not data\"}");
	struct data *d = fixture_open("set");
	ck_assert_int_eq(data_rows(d), 4);
	for (int i = 3; i >= 0; i--)
		row_is(d, i, (const char[]){(char)('1' + i), 0});
	ck_assert_str_eq(data_where(d, 2), "b.jsonl row 2");
	ck_assert_int_eq(strncmp(data_describe(d), "3 files, 4 rows", 15), 0);
	struct data_row row = {0};
	ck_assert_int_eq(data_read(d, 4, &row, &err), -1);
	data_close(d);
	refuse_open("none", "holds no parquet");
	refuse_open_with("absent", NULL, ERR_NOT_FOUND, "cannot open");
	put("set/y.jsonl", "{\"prompt\":\"p\",\"completion\":\"c\"}");
	refuse_open("set", "y.jsonl: rows are prompt and completion, but those of a.csv are text");
}
END_TEST

START_TEST(the_number_of_files_and_the_depth_of_folders_are_bounded)
{
	CLEANUP(mem_freep) char *many = fixture_path("many");
	ck_assert_int_eq(fd_make_dirs(many, &err), 0);
	put("many/0.jsonl", "{\"text\":\"t\"}");
	CLEANUP(mem_freep) char *first = fixture_path("many/0.jsonl");
	for (int i = 1; i < LIMIT_DATASET_FILES; i++) {
		CLEANUP(mem_freep) char *path = mem_printf("%s/%d.jsonl", many, i);
		ck_assert_int_eq(link(first, path), 0);
	}
	struct data *d = fixture_open("many");
	ck_assert_int_eq(data_rows(d), LIMIT_DATASET_FILES);
	row_is(d, LIMIT_DATASET_FILES - 1, "t");
	data_close(d);
	put("many/x.jsonl", "{\"text\":\"t\"}");
	refuse_open_with("many", NULL, ERR_LIMIT, "more than the limit of 4096 files");

	struct buf deep = {0};
	buf_puts(&deep, "deep");
	for (int i = 0; i < LIMIT_DATASET_NESTING; i++)
		buf_puts(&deep, "/d");
	CLEANUP(mem_freep) char *path = fixture_path(deep.data);
	ck_assert_int_eq(fd_make_dirs(path, &err), 0);
	CLEANUP(mem_freep) char *leaf = mem_printf("%s/t.jsonl", deep.data);
	put(leaf, "{\"text\":\"t\"}");
	data_close(fixture_open("deep"));
	CLEANUP(mem_freep) char *deeper = mem_printf("%s/d", path);
	ck_assert_int_eq(fd_make_dirs(deeper, &err), 0);
	refuse_open_with("deep", NULL, ERR_LIMIT, "nested deeper than 64 folders");
	buf_done(&deep);
}
END_TEST

START_TEST(foreign_formats_are_called_by_name)
{
	static const struct { const char *bytes; size_t len; const char *error; } CASES[] = {
		{"PARExxxx", 8, "encrypted parquet"},
		{"FEA1xxxx", 8, "Feather version 1"},
		{"\x1F\x8B\x08\x00", 4, "gzip-compressed"},
		{"\x28\xB5\x2F\xFD\x00", 5, "zstd-compressed"},
		{"PK\x03\x04", 4, "a zip archive"},
		{"<html>", 6, "is of no known format"},
		{"\x00\x01,\x02", 4, "is of no known format"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		fixture_write("file.bin", CASES[i].bytes, CASES[i].len);
		refuse_open("file.bin", CASES[i].error);
	}
	char tar[512] = {0};
	memcpy(tar + 257, "ustar", 5);
	fixture_write("file.json", tar, sizeof tar);
	refuse_open("file.json", "a tar archive (webdataset)");
}
END_TEST

START_TEST(text_cut_at_every_byte_gives_rows_or_an_error)
{
	static const char JSON[] = "[{\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\xC3\xA9\"}]},{\"messages\":\"[]\"}]";
	static const char CSV[] = "prompt,completion\r\n\"a\"\"b\",c\r\nd,\"e\nf\"\r\n";
	const char *texts[] = {JSON, CSV};
	const char *names[] = {"cut.json", "cut.csv"};
	for (size_t t = 0; t < 2; t++)
		for (size_t len = 0; len < strlen(texts[t]); len++) {
			fixture_write(names[t], texts[t], len);
			CLEANUP(mem_freep) char *path = fixture_path(names[t]);
			struct data *d = NULL;
			err = ERR_INIT;
			if (data_open(&d, (const char *const[]){path}, 1, NULL, &err) < 0) {
				ck_assert_uint_gt(strlen(err.message), 0);
				continue;
			}
			for (int64_t i = 0; i < data_rows(d); i++) {
				struct data_row row = {0};
				if (data_read(d, i, &row, &err) == 0)
					data_row_done(&row);
			}
			data_close(d);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data/text");
	TCase *tc = tcase_create("text");
	tcase_add_checked_fixture(tc, fixture_setup, fixture_done);
	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, json_lines_rows_are_read_in_any_order);
	tcase_add_test(tc, json_is_an_array_a_data_object_one_row_or_lines_by_its_content);
	tcase_add_test(tc, every_convention_finds_its_columns);
	tcase_add_test(tc, configured_columns_win_and_are_checked);
	tcase_add_test(tc, a_bad_json_row_is_named_with_its_reason);
	tcase_add_test(tc, opening_stops_at_a_bad_row_unless_told_to_look_past_it);
	tcase_add_test(tc, a_json_array_that_is_cut_off_or_garbled_says_where);
	tcase_add_test(tc, json_nesting_is_bounded);
	tcase_add_test(tc, a_row_may_be_as_long_as_the_limit_and_no_longer);
	tcase_add_test(tc, csv_fields_follow_rfc_4180);
	tcase_add_test(tc, a_bad_csv_row_is_named_with_its_reason);
	tcase_add_test(tc, csv_columns_are_bounded);
	tcase_add_test(tc, a_folder_gives_all_its_data_files_in_name_order);
	tcase_add_test(tc, the_number_of_files_and_the_depth_of_folders_are_bounded);
	tcase_add_test(tc, foreign_formats_are_called_by_name);
	tcase_add_test(tc, text_cut_at_every_byte_gives_rows_or_an_error);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
