/* test_safetensors.c: single file and sharded folder, each broken header, truncation at every byte. */
#include "base/fd.h"
#include "check_main.h"
#include "weights/weights.h"

static char folder[] = "/tmp/kaito-test-st-XXXXXX";

static void put(const char *name, const void *data, size_t len)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, name);
	struct err err = ERR_INIT;
	ck_assert_msg(fd_write_file(path, data, len, 0600, &err) == 0, "%s", err.message);
}

static void put_tensors(const char *name, const char *header, size_t data_bytes)
{
	struct buf b = {0};
	uint64_t n = strlen(header);
	buf_put(&b, &n, 8);
	buf_puts(&b, header);
	for (size_t i = 0; i < data_bytes; i++)
		buf_putc(&b, (char)i);
	put(name, b.data, b.len);
	buf_done(&b);
}

static int open_name(const char *name, struct weights **w, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, name);
	return weights_open(w, path, err);
}

static void refuse(const char *header, size_t data_bytes, const char *words)
{
	struct err err = ERR_INIT;
	struct weights *w = NULL;
	put_tensors("t.safetensors", header, data_bytes);
	ck_assert_int_eq(open_name("t.safetensors", &w, &err), -1);
	ck_assert_msg(strstr(err.message, words) && strstr(err.message, "t.safetensors"), "got: %s (wanted '%s')", err.message, words);
}

#define GOOD "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[16,24]}}"

START_TEST(safetensors_gives_tensors_in_file_order)
{
	struct err err = ERR_INIT;
	struct weights *w;
	put_tensors("t.safetensors", GOOD, 24);
	ck_assert_msg(open_name("t.safetensors", &w, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(weights_count(w), 2);
	const struct weights_tensor *a = weights_find(w, "a"), *b = weights_find(w, "b");
	ck_assert(a->type == DT_F32 && a->shape[1] == 2 && ((const char *)a->data)[15] == 15);
	ck_assert(b->type == DT_COUNT && strcmp(b->type_name, "I64") == 0 && weights_at(w, 1) == b);
	weights_close(w);
}
END_TEST

START_TEST(safetensors_refuses_each_broken_header_with_words)
{
	refuse("[]", 0, "not a JSON object");
	refuse("{\"a\":", 0, "column");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "duplicate");
	refuse("{\"a\":{\"dtype\":\"Q9\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown type 'Q9'");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "bad dimension");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "at most 4");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, "too many elements");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8, "4 bytes for a shape of 8");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "truncated");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "after the last tensor");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "belong to no tensor");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "overlap");
}
END_TEST

START_TEST(safetensors_header_length_is_limited)
{
	struct err err = ERR_INIT;
	struct weights *w;
	uint64_t n = LIMIT_SAFETENSORS_HEADER + 1;
	put("t.safetensors", &n, 8);
	ck_assert_int_eq(open_name("t.safetensors", &w, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	n--;
	put("t.safetensors", &n, 8);
	ck_assert_int_eq(open_name("t.safetensors", &w, &err), -1);
	ck_assert_int_eq(err.kind, ERR_MODEL);
}
END_TEST

START_TEST(safetensors_truncated_at_every_byte_is_refused)
{
	struct buf b = {0};
	uint64_t n = strlen(GOOD);
	buf_put(&b, &n, 8);
	buf_puts(&b, GOOD);
	buf_put(&b, "012345678901234567890123", 24);
	for (size_t len = 0; len < b.len; len++) {
		struct err err = ERR_INIT;
		struct weights *w;
		put("t.safetensors", b.data, len);
		ck_assert_msg(open_name("t.safetensors", &w, &err) == -1, "%zu bytes were accepted", len);
	}
	buf_done(&b);
}
END_TEST

static void put_index(const char *text) { put("model.safetensors.index.json", text, strlen(text)); }

static void refuse_folder(const char *words)
{
	struct err err = ERR_INIT;
	struct weights *w;
	ck_assert_int_eq(weights_open(&w, folder, &err), -1);
	ck_assert_msg(strstr(err.message, words), "got: %s (wanted '%s')", err.message, words);
}

START_TEST(safetensors_shards_are_joined_and_checked)
{
	struct err err = ERR_INIT;
	struct weights *w;
	put_tensors("s1.safetensors", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
	put_tensors("s2.safetensors", "{\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4);
	put("config.json", "{\"model_type\":\"llama\"}", 22);
	put_index("{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}");
	ck_assert_msg(weights_open(&w, folder, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(weights_count(w), 2);
	ck_assert(weights_find(w, "b")->type == DT_BF16);
	ck_assert_str_eq(json_string_value(json_object_get(weights_config(w), "model_type")), "llama");
	weights_close(w);
	put_index("{\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}");
	refuse_folder("'c' is in no shard");
	put_index("{\"weight_map\":{\"a\":\"../s1.safetensors\"}}");
	refuse_folder("plain file names");
	put_index("{\"weight_map\":{\"a\":\"absent.safetensors\"}}");
	refuse_folder("absent.safetensors");
	put_index("{}");
	refuse_folder("weight_map is missing");
	CLEANUP(mem_freep) char *index = fd_join(folder, "model.safetensors.index.json");
	unlink(index);
	refuse_folder("holds no model.safetensors");
}
END_TEST

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	const TTest *const tests[] = {safetensors_gives_tensors_in_file_order, safetensors_refuses_each_broken_header_with_words,
				      safetensors_header_length_is_limited, safetensors_truncated_at_every_byte_is_refused,
				      safetensors_shards_are_joined_and_checked};
	int rc = check_run("weights/safetensors", tests, sizeof tests / sizeof tests[0], 30);
	struct err err = ERR_INIT;
	return fd_remove_tree(folder, &err) == 0 ? rc : 1;
}
