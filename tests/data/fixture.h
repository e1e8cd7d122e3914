/* fixture.h: what the dataset tests share: files in a temporary folder, a dataset opened from them, rows as JSON text. */
#pragma once
#include "base/fd.h"
#include "codec/json.h"
#include "data/data.h"
#include <check.h>
#include <stdio.h>

static struct err err;
static char *folder;

static inline void fixture_setup(void)
{
	char name[] = "/tmp/kaito-data-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(name));
	folder = mem_strdup(name);
	err = ERR_INIT;
}

static inline void fixture_done(void)
{
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
	free(folder);
}

static inline char *fixture_path(const char *name) { return fd_join(folder, name); }

/* Not synced: a test's files need not survive a crash, and a busy disk makes that slow. */
static inline void fixture_write(const char *name, const void *bytes, size_t len)
{
	CLEANUP(mem_freep) char *path = fixture_path(name);
	unlink(path);
	FILE *f = fopen(path, "w");
	ck_assert_msg(f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0, "cannot write %s", path);
}

static inline char *golden_path(const char *name)
{
	const char *root = getenv("KAITO_SOURCE_ROOT");
	return mem_printf("%s/tests/golden/data/%s", root ? root : ".", name);
}

static inline struct data *fixture_open_with(const char *name, const struct data_options *options)
{
	CLEANUP(mem_freep) char *path = fixture_path(name);
	const char *paths[] = {path};
	struct data *d = NULL;
	err = ERR_INIT;
	ck_assert_msg(data_open(&d, paths, 1, options, &err) == 0, "%s: %s", name, err.message);
	return d;
}

static inline struct data *fixture_open(const char *name) { return fixture_open_with(name, NULL); }

static inline void has_error(enum err_kind kind, const char *part)
{
	ck_assert_msg(err.kind == kind, "%s: %s", err_traits(err.kind)->name, err.message);
	ck_assert_msg(strstr(err.message, part), "'%s' lacks '%s'", err.message, part);
}

static inline void refuse_open_with(const char *name, const struct data_options *options, enum err_kind kind, const char *part)
{
	CLEANUP(mem_freep) char *path = fixture_path(name);
	const char *paths[] = {path};
	struct data *d = NULL;
	err = ERR_INIT;
	ck_assert_msg(data_open(&d, paths, 1, options, &err) == -1, "%s was opened, but should fail with '%s'", name, part);
	ck_assert_ptr_null(d);
	has_error(kind, part);
}

static inline void refuse_open(const char *name, const char *part) { refuse_open_with(name, NULL, ERR_DATA, part); }

/* The row as text: messages as JSON, "prompt -> completion", or the text. Freed by the caller. */
static inline char *row_words(const struct data_row *row)
{
	struct buf out = {0};
	if (row->shape == DATA_MESSAGES)
		json_print(row->messages, JSON_PRINT_COMPACT, &out);
	else if (row->shape == DATA_COMPLETION)
		buf_printf(&out, "%s -> ", buf_str(&row->prompt).data);
	buf_put_str(&out, buf_str(&row->text));
	return buf_take(&out);
}

static inline void row_is(struct data *d, int64_t i, const char *expected)
{
	struct data_row row = {0};
	err = ERR_INIT;
	ck_assert_msg(data_read(d, i, &row, &err) == 0, "%s", err.message);
	CLEANUP(mem_freep) char *words = row_words(&row);
	ck_assert_str_eq(words, expected);
	data_row_done(&row);
}

static inline void row_fails(struct data *d, int64_t i, const char *part)
{
	struct data_row row = {0};
	err = ERR_INIT;
	ck_assert_msg(data_read(d, i, &row, &err) == -1, "row %lld is read, but should fail with '%s'", (long long)i, part);
	has_error(ERR_DATA, part);
}
