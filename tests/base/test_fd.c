/* test_fd.c: whole files, atomic replacement, limits, trees, mappings. */
#include "base/fd.h"
#include "check_main.h"
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>

static char folder[] = "/tmp/kaito-test-fd-XXXXXX";

static char *in_folder(const char *name) { return fd_join(folder, name); }

START_TEST(fd_write_replaces_whole_files_and_leaves_no_temporary)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *path = in_folder("a.txt");
	struct buf text = {0};
	ck_assert_int_eq(fd_write_file(path, "one", 3, 0600, &err), 0);
	ck_assert_int_eq(fd_write_file(path, "second", 6, 0600, &err), 0);
	ck_assert_int_eq(fd_read_file(path, 6, &text, &err), 0);
	ck_assert_str_eq(text.data, "second");
	ck_assert_int_eq(fd_read_file(path, 5, &text, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_str_eq(text.data, "second"); /* outputs untouched */
	buf_done(&text);
	CLEANUP(mem_freep) char *tmp = mem_printf("%s.tmp.%d", path, (int)getpid());
	ck_assert(!fd_exists(tmp));
}
END_TEST

START_TEST(fd_write_that_fails_keeps_the_old_file)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *path = in_folder("kept.txt");
	ck_assert_int_eq(fd_write_file(path, "old", 3, 0600, &err), 0);
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit limit = {1024, 1024};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	char *big = mem_alloc(100000);
	ck_assert_int_eq(fd_write_file(path, big, 100000, 0600, &err), -1);
	free(big);
	struct buf text = {0};
	ck_assert_int_eq(fd_read_file(path, 100, &text, &err), 0);
	ck_assert_str_eq(text.data, "old");
	buf_done(&text);
}
END_TEST

START_TEST(fd_missing_file_is_not_found_by_name)
{
	struct err err = ERR_INIT;
	struct buf text = {0};
	struct fd_map map;
	CLEANUP(mem_freep) char *path = in_folder("absent");
	ck_assert_int_eq(fd_read_file(path, 10, &text, &err), -1);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.message, "absent"));
	ck_assert_int_eq(fd_map_open(&map, folder, &err), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
}
END_TEST

START_TEST(fd_trees_are_made_and_removed_without_following_links)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *deep = in_folder("x/y/z");
	CLEANUP(mem_freep) char *top = in_folder("x");
	CLEANUP(mem_freep) char *outside = in_folder("outside");
	CLEANUP(mem_freep) char *link = in_folder("x/link");
	CLEANUP(mem_freep) char *kept = in_folder("outside/kept");
	ck_assert_int_eq(fd_make_dirs(deep, &err), 0);
	ck_assert_int_eq(fd_make_dirs(deep, &err), 0);
	ck_assert_int_eq(fd_make_dirs(outside, &err), 0);
	ck_assert_int_eq(fd_write_file(kept, "k", 1, 0600, &err), 0);
	ck_assert_int_eq(symlink(outside, link), 0);
	ck_assert_int_eq(fd_remove_tree(top, &err), 0);
	ck_assert(!fd_exists(top) && fd_exists(kept));
	ck_assert_int_eq(fd_remove_tree(top, &err), 0);
	ck_assert_int_eq(fd_make_dirs(kept, &err), -1);
}
END_TEST

START_TEST(fd_map_gives_the_bytes_and_an_empty_file_maps)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *path = in_folder("m");
	struct fd_map map;
	ck_assert_int_eq(fd_write_file(path, "data", 4, 0600, &err), 0);
	ck_assert_int_eq(fd_map_open(&map, path, &err), 0);
	ck_assert(map.len == 4 && memcmp(map.data, "data", 4) == 0);
	fd_map_close(&map);
	ck_assert_int_eq(fd_write_file(path, "", 0, 0600, &err), 0);
	ck_assert_int_eq(fd_map_open(&map, path, &err), 0);
	ck_assert_uint_eq(map.len, 0);
	fd_map_close(&map);
}
END_TEST

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	const TTest *const tests[] = {fd_write_replaces_whole_files_and_leaves_no_temporary, fd_write_that_fails_keeps_the_old_file,
				      fd_missing_file_is_not_found_by_name, fd_trees_are_made_and_removed_without_following_links,
				      fd_map_gives_the_bytes_and_an_empty_file_maps};
	int rc = check_run("base/fd", tests, sizeof tests / sizeof tests[0], 10);
	struct err err = ERR_INIT;
	return fd_remove_tree(folder, &err) == 0 ? rc : 1;
}
