/* test_tar.c: honest archives round-trip; every hostile member is refused and leaves nothing behind. */
#include "codec/tar.h"

#include "base/fd.h"
#include "base/limits.h"
#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static char scratch[64];
static char *archive_path, *out;

static void setup(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/kaito-tar-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	archive_path = fd_join(scratch, "a.tar.gz");
	out = fd_join(scratch, "out");
}

static void teardown(void)
{
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_remove_tree(scratch, &err), 0);
	free(archive_path);
	free(out);
}

struct member { const char *name; unsigned type; const char *link; const char *data; unsigned mode; };

static void make(const struct member *m, size_t n)
{
	struct archive *a = archive_write_new();
	archive_write_add_filter_gzip(a);
	archive_write_set_format_pax_restricted(a);
	ck_assert_int_eq(archive_write_open_filename(a, archive_path), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *e = archive_entry_new();
		archive_entry_set_pathname(e, m[i].name);
		archive_entry_set_perm(e, m[i].mode ? (mode_t)m[i].mode : 0644);
		if (m[i].type == 0 && m[i].link) {
			archive_entry_set_hardlink(e, m[i].link);
		} else {
			archive_entry_set_filetype(e, m[i].type ? m[i].type : AE_IFREG);
			if (m[i].link)
				archive_entry_set_symlink(e, m[i].link);
		}
		archive_entry_set_size(e, m[i].data ? (la_int64_t)strlen(m[i].data) : 0);
		ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
		if (m[i].data)
			ck_assert_int_eq(archive_write_data(a, m[i].data, strlen(m[i].data)), (la_ssize_t)strlen(m[i].data));
		archive_entry_free(e);
	}
	ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

static size_t count_entries(const char *folder)
{
	DIR *d = opendir(folder);
	if (!d)
		return 0;
	size_t n = 0;
	for (struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

static void expect_text(const char *name, const char *want)
{
	char *path = fd_join(out, name);
	struct buf text = {0};
	struct err err = ERR_INIT;
	ck_assert_msg(fd_read_file(path, 1 << 20, &text, &err) == 0, "%s", err.message);
	ck_assert_str_eq(text.data, want);
	buf_done(&text);
	free(path);
}

#define MAKE(...) \
	do { \
		const struct member members_[] = {__VA_ARGS__}; \
		make(members_, sizeof members_ / sizeof members_[0]); \
	} while (0)

START_TEST(honest_archive_is_extracted)
{
	MAKE({"./", AE_IFDIR}, {"data/", AE_IFDIR}, {"data/a.json", .data = "{}"}, {"./data/sub/b", .data = "bee", .mode = 06755}, {"top", .data = "t"});
	struct err err = ERR_INIT;
	struct tar_stats stats;
	ck_assert_msg(tar_extract(archive_path, out, NULL, &stats, &err) == 0, "%s", err.message);
	expect_text("data/a.json", "{}");
	expect_text("data/sub/b", "bee");
	ck_assert_uint_eq(stats.files, 3);
	ck_assert_uint_eq(stats.bytes, 6);
	ck_assert_uint_eq(count_entries(out), 2);
	struct stat st;
	char *path = fd_join(out, "data/sub/b");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07000, 0); /* no set-uid bit */
	ck_assert_uint_ne(st.st_mode & 0100, 0);
	free(path);
}
END_TEST

START_TEST(root_is_cut_and_the_rest_skipped)
{
	/* A link outside of the root is an ordinary part of somebody's base image. */
	MAKE({"bin/sh", AE_IFLNK, "busybox"}, {"data/a", .data = "1"}, {"database/x", .data = "no"}, {"etc/b", .data = "2"});
	struct err err = ERR_INIT;
	struct tar_options options = {.root = "data"};
	ck_assert_msg(tar_extract(archive_path, out, &options, NULL, &err) == 0, "%s", err.message);
	expect_text("a", "1");
	ck_assert_uint_eq(count_entries(out), 1);
	ck_assert_int_eq(tar_has_root(archive_path, "data", &err), 1);
	ck_assert_int_eq(tar_has_root(archive_path, "dat", &err), 0);
	ck_assert_int_eq(tar_has_root(archive_path, "etc/b", &err), 0);
}
END_TEST

START_TEST(existing_files_are_replaced_and_others_stay)
{
	struct err err = ERR_INIT;
	MAKE({"d/a", .data = "old"}, {"d/keep", .data = "k"});
	ck_assert_int_eq(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	MAKE({"d/a", .data = "new"});
	ck_assert_int_eq(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	expect_text("d/a", "new");
	expect_text("d/keep", "k");
	MAKE({"d", .data = "file"});
	ck_assert_int_lt(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_EXISTS);
	expect_text("d/a", "new");
	ck_assert_uint_eq(count_entries(out), 1);
}
END_TEST

/* Each: one good file, then the hostile member. Nothing may be left, in the folder or beside it. */
static const struct { struct member evil[2]; const char *say; } HOSTILE[] = {
	{{{"/etc/evil", .data = "x"}}, "absolute"},
	{{{".//etc/evil", .data = "x"}}, "absolute"},
	{{{"../evil", .data = "x"}}, "'..'"},
	{{{"a/../../evil", .data = "x"}}, "'..'"},
	{{{"a/..", AE_IFDIR}}, "'..'"},
	{{{"a//b", .data = "x"}}, "empty"},
	{{{"link", AE_IFLNK, "/etc"}}, "symbolic link"},
	{{{"link", AE_IFLNK, "good"}, {"link/x", .data = "x"}}, "symbolic link"},
	{{{"hard", 0, "good"}}, "hard link"},
	{{{"hard", 0, "/etc/passwd"}}, "hard link"},
	{{{"null", AE_IFCHR}}, "device"},
	{{{"sda", AE_IFBLK}}, "device"},
	{{{"pipe", AE_IFIFO}}, "pipe"},
	{{{"good", .data = "again"}}, "twice"},
	{{{"./good", .data = "again"}}, "twice"},
	{{{"good/child", .data = "x"}}, "not a folder"},
};

START_TEST(hostile_member_is_refused_and_nothing_is_left)
{
	const struct member *evil = HOSTILE[_i].evil;
	struct member all[] = {{"good", .data = "g"}, evil[0], evil[1]};
	make(all, evil[1].name ? 3 : 2);
	struct err err = ERR_INIT;
	ck_assert_int_lt(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	ck_assert_msg(strstr(err.message, HOSTILE[_i].say), "'%s' does not say '%s'", err.message, HOSTILE[_i].say);
	ck_assert_uint_eq(count_entries(out), 0);
	ck_assert_uint_eq(count_entries(scratch), 2); /* the archive and the empty folder */
}
END_TEST

START_TEST(name_part_of_256_bytes_is_refused_and_255_is_not)
{
	char name[257];
	memset(name, 'n', sizeof name);
	name[255] = 0;
	struct err err = ERR_INIT;
	MAKE({name, .data = "x"});
	ck_assert_msg(tar_extract(archive_path, out, NULL, NULL, &err) == 0, "%s", err.message);
	name[255] = 'n', name[256] = 0;
	MAKE({name, .data = "x"});
	ck_assert_int_lt(tar_extract(archive_path, out, NULL, NULL, &err), 0);
}
END_TEST

/* A member of `mib` MiB of zeroes, which gzip shrinks about a thousandfold. */
static void make_zeroes(size_t mib)
{
	struct archive *a = archive_write_new();
	archive_write_add_filter_gzip(a);
	archive_write_set_options(a, "gzip:compression-level=9");
	archive_write_set_format_gnutar(a);
	ck_assert_int_eq(archive_write_open_filename(a, archive_path), ARCHIVE_OK);
	struct archive_entry *e = archive_entry_new();
	archive_entry_set_pathname(e, "zeroes");
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_size(e, (la_int64_t)mib << 20);
	ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
	char *zero = mem_alloc(1 << 20);
	for (size_t i = 0; i < mib; i++)
		archive_write_data(a, zero, 1 << 20);
	archive_entry_free(e);
	archive_write_close(a);
	archive_write_free(a);
	free(zero);
}

START_TEST(bomb_is_refused_and_small_zeroes_are_not)
{
	struct err err = ERR_INIT;
	make_zeroes(8);
	ck_assert_msg(tar_extract(archive_path, out, NULL, NULL, &err) == 0, "%s", err.message);
	make_zeroes(80);
	ck_assert_int_lt(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.message, "bomb"));
}
END_TEST

START_TEST(member_past_the_size_limit_is_refused_before_its_data)
{
	unsigned char head[1024] = "huge";
	memcpy(head + 100, "0000644", 8);
	head[124] = 0x80; /* the size in base 256, as GNU tar writes large ones */
	for (int i = 0; i < 8; i++)
		head[128 + i] = (unsigned char)((LIMIT_TAR_BYTES + 1) >> (56 - 8 * i));
	head[156] = '0';
	memcpy(head + 257, "ustar  ", 8);
	memset(head + 148, ' ', 8);
	unsigned sum = 0;
	for (int i = 0; i < 512; i++)
		sum += head[i];
	snprintf((char *)head + 148, 7, "%06o", sum);
	struct err setup_err = ERR_INIT;
	ck_assert_int_eq(fd_write_file(archive_path, head, sizeof head, 0644, &setup_err), 0);
	struct err err = ERR_INIT;
	ck_assert_int_lt(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_uint_eq(count_entries(out), 0);
}
END_TEST

START_TEST(too_many_members_are_refused)
{
	struct archive *a = archive_write_new();
	archive_write_add_filter_gzip(a);
	archive_write_set_options(a, "gzip:compression-level=1");
	archive_write_set_format_ustar(a);
	ck_assert_int_eq(archive_write_open_filename(a, archive_path), ARCHIVE_OK);
	struct archive_entry *e = archive_entry_new();
	archive_entry_set_pathname(e, "same");
	archive_entry_set_filetype(e, AE_IFDIR);
	for (int i = 0; i < LIMIT_TAR_ENTRIES + 1; i++)
		archive_write_header(a, e);
	archive_entry_free(e);
	archive_write_close(a);
	archive_write_free(a);
	struct err err = ERR_INIT;
	ck_assert_int_lt(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
}
END_TEST

START_TEST(truncated_anywhere_is_refused)
{
	MAKE({"data/a.json", .data = "{\"key\": \"a value of some length\"}"}, {"data/b", .data = "bee"});
	struct buf whole = {0};
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_read_file(archive_path, 1 << 20, &whole, &err), 0);
	for (size_t n = 1; n + 9 < whole.len; n += 3) { /* the last 8 bytes are gzip's own check */
		ck_assert_int_eq(fd_write_file(archive_path, whole.data, n, 0644, &err), 0);
		ck_assert_msg(tar_extract(archive_path, out, NULL, NULL, &err) < 0, "%zu of %zu bytes", n, whole.len);
		ck_assert_uint_eq(count_entries(out), 0);
	}
	buf_done(&whole);
}
END_TEST

START_TEST(whiteouts_remove_what_earlier_layers_made)
{
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_make_dirs(out, &err), 0);
	struct tar_options options = {.whiteouts = true};
	MAKE({"d/a", .data = "1"}, {"d/b", .data = "2"}, {"e/c", .data = "3"});
	ck_assert_int_eq(tar_unpack(archive_path, out, &options, NULL, &err), 0);
	MAKE({"d/.wh.a", .data = ""}, {"e/.wh..wh..opq", .data = ""}, {"e/n", .data = "4"}, {"d/b", .data = "new"});
	ck_assert_msg(tar_unpack(archive_path, out, &options, NULL, &err) == 0, "%s", err.message);
	expect_text("d/b", "new");
	expect_text("e/n", "4");
	char *gone = fd_join(out, "d/a"), *emptied = fd_join(out, "e/c");
	ck_assert(!fd_exists(gone) && !fd_exists(emptied));
	free(gone);
	free(emptied);
	MAKE({"d/.wh...", .data = ""});
	ck_assert_int_lt(tar_unpack(archive_path, out, &options, NULL, &err), 0);
}
END_TEST

START_TEST(writing_is_deterministic_and_reads_back)
{
	struct err err = ERR_INIT;
	char *source = fd_join(scratch, "weights.bin"), *second = fd_join(scratch, "b.tar.gz");
	char *data = mem_alloc(300000);
	for (size_t i = 0; i < 300000; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	ck_assert_int_eq(fd_write_file(source, data, 300000, 0600, &err), 0);
	const struct tar_member members[] = {{"data/", NULL}, {"data/weights.bin", source}};
	struct tar_written one, two;
	ck_assert_msg(tar_write_gzip(archive_path, members, 2, &one, &err) == 0, "%s", err.message);
	ck_assert_int_eq(tar_write_gzip(second, members, 2, &two, &err), 0);
	ck_assert_str_eq(one.digest, two.digest);
	ck_assert_str_eq(one.diff_id, two.diff_id);
	char text[DIGEST_TEXT];
	uint64_t size;
	ck_assert_int_eq(digest_of_file(archive_path, text, &size, &err), 0);
	ck_assert_str_eq(text, one.digest);
	ck_assert_uint_eq(size, one.bytes);
	char *command = mem_printf("gzip -dc %s | sha256sum | cut -c1-64", archive_path);
	FILE *p = popen(command, "r"); /* style: allowed, fixed command in a test */
	char hex[80] = "";
	ck_assert_ptr_nonnull(fgets(hex, sizeof hex, p));
	pclose(p);
	ck_assert_int_eq(strncmp(hex, digest_hex(one.diff_id), 64), 0);
	ck_assert_int_eq(tar_extract(archive_path, out, NULL, NULL, &err), 0);
	char *back = fd_join(out, "data/weights.bin");
	struct buf got = {0};
	ck_assert_int_eq(fd_read_file(back, 1 << 20, &got, &err), 0);
	ck_assert_uint_eq(got.len, 300000);
	ck_assert_int_eq(memcmp(got.data, data, got.len), 0);
	/* An existing target is never overwritten, a missing source leaves no file. */
	ck_assert_int_lt(tar_write_gzip(second, members, 2, &two, &err), 0);
	unlink(second);
	unlink(source);
	ck_assert_int_lt(tar_write_gzip(second, members, 2, &two, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert(!fd_exists(second));
	buf_done(&got);
	free(source), free(second), free(data), free(command), free(back);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tar");
	TCase *tc = tcase_create("tar");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, honest_archive_is_extracted);
	tcase_add_test(tc, root_is_cut_and_the_rest_skipped);
	tcase_add_test(tc, existing_files_are_replaced_and_others_stay);
	tcase_add_loop_test(tc, hostile_member_is_refused_and_nothing_is_left, 0, sizeof HOSTILE / sizeof HOSTILE[0]);
	tcase_add_test(tc, name_part_of_256_bytes_is_refused_and_255_is_not);
	tcase_add_test(tc, bomb_is_refused_and_small_zeroes_are_not);
	tcase_add_test(tc, member_past_the_size_limit_is_refused_before_its_data);
	tcase_add_test(tc, too_many_members_are_refused);
	tcase_add_test(tc, truncated_anywhere_is_refused);
	tcase_add_test(tc, whiteouts_remove_what_earlier_layers_made);
	tcase_add_test(tc, writing_is_deterministic_and_reads_back);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
