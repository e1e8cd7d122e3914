/* test_gguf.c: GGUF reading: a small file built here, each way it can be broken, truncation at every byte, the real model. */
#include "base/fd.h"
#include "check_main.h"
#include "weights/weights.h"

static char folder[] = "/tmp/kaito-test-gguf-XXXXXX";

/* What a test bends before the file is written. Zero: as it should be. */
struct bend {
	uint32_t version, type, dims, value_type, alignment;
	uint64_t ne0, offset1, tensors, keys, array_len;
	bool same_key, same_name, nested;
};

static void u32(struct buf *b, uint32_t v) { buf_put(b, &v, 4); }
static void u64(struct buf *b, uint64_t v) { buf_put(b, &v, 8); }
static void text(struct buf *b, const char *z)
{
	u64(b, strlen(z));
	buf_puts(b, z);
}

static void tensor(struct buf *b, const char *name, uint32_t dims, uint64_t ne0, uint64_t ne1, uint32_t type, uint64_t offset)
{
	text(b, name);
	u32(b, dims);
	u64(b, ne0);
	for (uint32_t i = 1; i < dims; i++)
		u64(b, i == 1 ? ne1 : 1);
	u32(b, type);
	u64(b, offset);
}

/* "a" F32 [2, 4] at 0 (32 bytes), "b" Q8_0 [1, 32] at 32 (34 bytes). */
static void build(struct buf *b, struct bend bend)
{
	buf_puts(b, "GGUF");
	u32(b, bend.version ? bend.version : 3);
	u64(b, bend.tensors ? bend.tensors : 2);
	u64(b, bend.keys ? bend.keys : 5);
	text(b, "general.architecture");
	u32(b, bend.value_type ? bend.value_type : 8);
	text(b, "llama");
	text(b, bend.same_key ? "general.architecture" : "n");
	u32(b, 4);
	u32(b, 7);
	text(b, "eps");
	u32(b, 6);
	buf_put(b, &(float){0.5f}, 4);
	text(b, "words");
	u32(b, 9);
	u32(b, bend.nested ? 9 : 8);
	u64(b, bend.array_len ? bend.array_len : 2);
	text(b, "x");
	text(b, "yz");
	text(b, "general.alignment");
	u32(b, 4);
	u32(b, bend.alignment ? bend.alignment : 32);
	tensor(b, "a", bend.dims ? bend.dims : 2, bend.ne0 ? bend.ne0 : 4, 2, 0, 0);
	tensor(b, bend.same_name ? "a" : "b", 2, 32, 1, bend.type ? bend.type : 8, bend.offset1 ? bend.offset1 - 1 : 32);
	while (b->len % 32)
		buf_putc(b, 0);
	for (int i = 0; i < 8; i++)
		buf_put(b, &(float){(float)i}, 4);
	for (int i = 0; i < 34; i++)
		buf_putc(b, (char)i);
}

static int open_bytes(const void *data, size_t len, struct weights **w, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, "t.gguf");
	struct err write_err = ERR_INIT;
	ck_assert_int_eq(fd_write_file(path, data, len, 0600, &write_err), 0);
	return weights_open(w, path, err);
}

static void refuse(struct bend bend, enum err_kind kind, const char *words)
{
	struct buf b = {0};
	struct err err = ERR_INIT;
	struct weights *w = NULL;
	build(&b, bend);
	ck_assert_int_eq(open_bytes(b.data, b.len, &w, &err), -1);
	ck_assert_msg(err.kind == kind && strstr(err.message, words), "got %s: %s (wanted '%s')", err_traits(err.kind)->name, err.message, words);
	ck_assert_ptr_null(w);
	buf_done(&b);
}

static bool collect(void *arg, uint64_t i, str s)
{
	buf_printf(arg, "%d=%.*s;", (int)i, STR_FMT(s));
	return true;
}

START_TEST(gguf_gives_tensors_and_metadata)
{
	struct buf b = {0}, words = {0};
	struct err err = ERR_INIT;
	struct weights *w;
	build(&b, (struct bend){0});
	ck_assert_msg(open_bytes(b.data, b.len, &w, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(weights_count(w), 2);
	const struct weights_tensor *a = weights_find(w, "a"), *q = weights_find(w, "b");
	ck_assert(a->type == DT_F32 && a->n_dims == 2 && a->shape[0] == 2 && a->shape[1] == 4 && a->bytes == 32);
	ck_assert(((const float *)a->data)[7] == 7);
	ck_assert(q->type == DT_Q8_0 && q->bytes == 34 && ((const char *)q->data)[33] == 33);
	ck_assert_ptr_null(weights_find(w, "c"));
	uint64_t n;
	double f;
	str s;
	ck_assert(weights_meta_u64(w, "n", &n) && n == 7);
	ck_assert(weights_meta_f64(w, "eps", &f) && f == 0.5);
	ck_assert(weights_meta_str(w, "general.architecture", &s) && str_eqz(s, "llama"));
	ck_assert(!weights_meta_str(w, "n", &s) && !weights_meta_u64(w, "absent", &n));
	ck_assert(weights_meta_strings(weights_meta(w, "words"), collect, &words));
	ck_assert_str_eq(words.data, "0=x;1=yz;");
	weights_close(w);
	buf_done(&words);
	buf_done(&b);
}
END_TEST

START_TEST(gguf_refuses_each_broken_field_with_words)
{
	refuse((struct bend){.version = 1}, ERR_UNSUPPORTED, "version 1");
	refuse((struct bend){.version = 0x03000000}, ERR_UNSUPPORTED, "version");
	refuse((struct bend){.type = 99}, ERR_UNSUPPORTED, "type 99");
	refuse((struct bend){.type = 12}, ERR_MODEL, "whole blocks of 256");
	refuse((struct bend){.dims = 5}, ERR_MODEL, "5 dimensions");
	refuse((struct bend){.value_type = 77}, ERR_MODEL, "unknown metadata type 77");
	refuse((struct bend){.alignment = 12}, ERR_MODEL, "general.alignment 12");
	refuse((struct bend){.ne0 = (uint64_t)1 << 62}, ERR_LIMIT, "too many elements");
	refuse((struct bend){.ne0 = 4000}, ERR_MODEL, "past the file's end");
	refuse((struct bend){.offset1 = 1}, ERR_MODEL, "overlap");
	refuse((struct bend){.offset1 = 8}, ERR_MODEL, "unaligned");
	refuse((struct bend){.offset1 = ((uint64_t)1 << 60) + 1}, ERR_MODEL, "past the end");
	refuse((struct bend){.tensors = LIMIT_TENSORS + 1}, ERR_LIMIT, "tensors");
	refuse((struct bend){.tensors = LIMIT_TENSORS}, ERR_MODEL, "0 dimensions"); /* the data bytes are no directory */
	refuse((struct bend){.keys = LIMIT_GGUF_KEYS + 1}, ERR_LIMIT, "keys");
	refuse((struct bend){.array_len = LIMIT_GGUF_ARRAY + 1}, ERR_LIMIT, "array of");
	refuse((struct bend){.array_len = LIMIT_GGUF_ARRAY}, ERR_LIMIT, "words"); /* the next bytes are no string lengths */
	refuse((struct bend){.nested = true}, ERR_MODEL, "array of unknown element type 9");
	refuse((struct bend){.same_key = true}, ERR_MODEL, "appears twice");
	refuse((struct bend){.same_name = true}, ERR_MODEL, "appears twice");
}
END_TEST

START_TEST(gguf_truncated_at_every_byte_is_refused)
{
	struct buf b = {0};
	build(&b, (struct bend){0});
	for (size_t n = 0; n < b.len; n++) {
		struct err err = ERR_INIT;
		struct weights *w = NULL;
		ck_assert_msg(open_bytes(b.data, n, &w, &err) == -1, "%zu bytes were accepted", n);
		ck_assert_msg(strstr(err.message, "t.gguf"), "no file name in: %s", err.message);
	}
	buf_done(&b);
}
END_TEST

START_TEST(gguf_reads_the_real_model)
{
	const char *path = getenv("KAITO_TEST_MODEL");
	struct err err = ERR_INIT;
	struct weights *w;
	ck_assert_msg(weights_open(&w, path, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(weights_count(w), 272);
	const struct weights_tensor *t = weights_find(w, "token_embd.weight");
	ck_assert(t->type == DT_Q8_0 && t->shape[0] == 49152 && t->shape[1] == 576 && t->bytes == 30081024);
	double id;
	ck_assert(weights_meta_number(weights_meta(w, "tokenizer.ggml.token_type"), 0, &id) && id == 3);
	ck_assert(!weights_meta_number(weights_meta(w, "tokenizer.ggml.token_type"), 49152, &id));
	weights_close(w);
}
END_TEST

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	const TTest *tests[] = {gguf_gives_tensors_and_metadata, gguf_refuses_each_broken_field_with_words, gguf_truncated_at_every_byte_is_refused,
				gguf_reads_the_real_model};
	size_t n = sizeof tests / sizeof tests[0];
	int rc = check_run("weights/gguf", tests, getenv("KAITO_TEST_MODEL") ? n : n - 1, 30);
	struct err err = ERR_INIT;
	return fd_remove_tree(folder, &err) == 0 ? rc : 1;
}
