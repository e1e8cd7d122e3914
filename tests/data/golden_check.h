/* golden_check.h: whole folders of golden files against the rows they must hold. */
#pragma once
#include "fixture.h"

#include <dirent.h>
#include <sys/mman.h>

static inline struct data *open_path(const char *path)
{
	struct data *d = NULL;
	err = ERR_INIT;
	ck_assert_msg(data_open(&d, (const char *const[]){path}, 1, NULL, &err) == 0, "%s: %s", path, err.message);
	return d;
}

static inline char *read_words(struct data *d, int64_t i, const char *path)
{
	struct data_row row = {0};
	ck_assert_msg(data_read(d, i, &row, &err) == 0, "%s: %s", path, err.message);
	char *words = row_words(&row);
	data_row_done(&row);
	return words;
}

/* Every row of both, from the last to the first. */
static inline void same_rows(const char *path, const char *expected_path)
{
	struct data *d = open_path(path), *expected = open_path(expected_path);
	ck_assert_msg(data_rows(d) == data_rows(expected), "%s has %lld rows", path, (long long)data_rows(d));
	for (int64_t i = data_rows(d); i-- > 0;) {
		CLEANUP(mem_freep) char *have = read_words(d, i, path);
		CLEANUP(mem_freep) char *want = read_words(expected, i, expected_path);
		ck_assert_msg(strcmp(have, want) == 0, "%s row %lld:\n%s\nbut should be\n%s", path, (long long)i + 1, have, want);
	}
	data_close(d);
	data_close(expected);
}

/* Calls check for every file of a golden folder whose name matches; returns how many. */
static inline int each_golden(const char *folder_name, bool (*wanted)(const char *name), void (*check)(const char *path))
{
	CLEANUP(mem_freep) char *path = golden_path(folder_name);
	DIR *dir = opendir(path);
	int count = 0;
	ck_assert_msg(dir != NULL, "%s is missing", path);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.' || !wanted(e->d_name))
			continue;
		CLEANUP(mem_freep) char *file = fd_join(path, e->d_name);
		check(file);
		count++;
	}
	closedir(dir);
	return count;
}

static inline void is_messages(const char *path)
{
	CLEANUP(mem_freep) char *expected = golden_path("messages.jsonl");
	same_rows(path, expected);
}

static inline void is_flat(const char *path)
{
	CLEANUP(mem_freep) char *expected = golden_path("flat.jsonl");
	same_rows(path, expected);
}

/* Rows that nulls.json (a list of the rows) has good are read alike; the others are refused. */
static inline void is_nulls(const char *path)
{
	CLEANUP(mem_freep) char *expected_path = golden_path("nulls.json");
	json_t *rows = NULL;
	ck_assert_int_eq(json_parse_file(&rows, expected_path, &err), 0);
	struct data *d = open_path(path);
	ck_assert_int_eq(data_rows(d), (int64_t)json_array_size(rows));
	static const char *const WHY[] = {NULL,
					  "the list of messages is null",
					  "the list of messages is empty",
					  "message 1",
					  "message 1: content is null",
					  "message 1: role is null",
					  "message 2",
					  NULL};
	for (int64_t i = 0; i < data_rows(d); i++) {
		if (WHY[i]) {
			row_fails(d, i, WHY[i]);
			continue;
		}
		CLEANUP(mem_freep) char *have = read_words(d, i, path);
		json_t *parsed = json_loads(have, 0, NULL);
		ck_assert_msg(json_equal(parsed, json_array_get(rows, (size_t)i)), "%s row %lld: %s", path, (long long)i + 1, have);
		json_decref(parsed);
	}
	data_close(d);
	json_decref(rows);
}

/* Opens the bytes as a file and reads all rows; any of it may fail, nothing may crash. */
static inline void survives(const void *bytes, size_t len)
{
	CLEANUP(fd_closep) int fd = memfd_create("damaged", 0); /* thousands of them: not on a disk */
	ck_assert_int_eq(fd_write_all(fd, bytes, len, "damaged", &err), 0);
	CLEANUP(mem_freep) char *path = mem_printf("/proc/self/fd/%d", fd);
	struct data *d = NULL;
	err = ERR_INIT;
	if (data_open(&d, (const char *const[]){path}, 1, NULL, &err) < 0) {
		ck_assert_uint_gt(strlen(err.message), 0);
		return;
	}
	for (int64_t i = 0; i < data_rows(d) && i < 100; i++) {
		struct data_row row = {0};
		err = ERR_INIT;
		if (data_read(d, i, &row, &err) == 0)
			data_row_done(&row);
		else
			ck_assert_uint_gt(strlen(err.message), 0);
	}
	data_close(d);
}

/* Every prefix of the file in steps, and every byte with a bit flipped in steps. */
static inline void survives_damage(const char *golden, size_t step)
{
	CLEANUP(mem_freep) char *path = golden_path(golden);
	struct buf file = {0};
	ck_assert_int_eq(fd_read_file(path, (size_t)1 << 20, &file, &err), 0);
	for (size_t len = 0; len < file.len; len += step)
		survives(file.data, len);
	for (size_t i = 0; i < file.len; i += step) {
		file.data[i] = (char)(file.data[i] ^ 1 << (i * 5 % 8));
		survives(file.data, file.len);
		file.data[i] = (char)(file.data[i] ^ 1 << (i * 5 % 8));
	}
	buf_done(&file);
}
