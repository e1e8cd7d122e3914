/* test_layout.c: the local store: names, blobs, garbage, locks. */
#include "oci/layout.h"

#include "base/fd.h"
#include <check.h>
#include <stdio.h>

static char scratch[64];
static char *root;
static struct layout store;
static struct err err;

static void setup(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/kaito-layout-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	root = fd_join(scratch, "store");
	ck_assert_int_eq(layout_open(&store, root, LAYOUT_SHARED, &err), 0);
}
static void teardown(void)
{
	layout_close(&store);
	ck_assert_int_eq(fd_remove_tree(scratch, &err), 0);
	free(root);
}

/* An image of one layer with that content. */
static void add_image(const char *name, const char *content, char digest[DIGEST_TEXT])
{
	char layer[DIGEST_TEXT], config[DIGEST_TEXT];
	ck_assert_int_eq(layout_put(&store, content, strlen(content), layer, &err), 0);
	ck_assert_int_eq(layout_put(&store, "{}", 2, config, &err), 0);
	char *text = mem_printf("{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":2},\"layers\":[{\"digest\":\"%s\",\"size\":%zu}]}", config, layer,
				strlen(content));
	ck_assert_int_eq(layout_put(&store, text, strlen(text), digest, &err), 0);
	ck_assert_int_eq(layout_tag(&store, name, digest, strlen(text), MEDIA_OCI_MANIFEST, &err), 0);
	free(text);
}

static void reopen(enum layout_use use)
{
	layout_close(&store);
	ck_assert_msg(layout_open(&store, root, use, &err) == 0, "%s", err.message);
}

START_TEST(names_are_found_replaced_listed_and_removed)
{
	char one[DIGEST_TEXT], two[DIGEST_TEXT], found[DIGEST_TEXT];
	struct layout_image *images;
	size_t n;
	add_image("r.io/b:1", "first", one);
	add_image("r.io/a:1", "second", two);
	ck_assert_int_eq(layout_find(&store, "r.io/b:1", found, &err), 0);
	ck_assert_str_eq(found, one);
	ck_assert_int_eq(layout_find(&store, "r.io/c:1", found, &err), 1);
	add_image("r.io/b:1", "third", two);
	ck_assert_int_eq(layout_find(&store, "r.io/b:1", found, &err), 0);
	ck_assert_str_eq(found, two);
	ck_assert_int_eq(layout_list(&store, &images, &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(images[0].name, "r.io/a:1");
	ck_assert_str_eq(images[1].name, "r.io/b:1");
	layout_images_done(images, n);
	ck_assert_int_eq(layout_untag(&store, "r.io/b:1", &err), 0);
	ck_assert_int_eq(layout_untag(&store, "r.io/b:1", &err), 1);
}
END_TEST

START_TEST(garbage_is_what_no_image_needs)
{
	char keep[DIGEST_TEXT], drop[DIGEST_TEXT], loose[DIGEST_TEXT];
	uint64_t bytes;
	size_t blobs;
	add_image("keep", "kept", keep);
	add_image("drop", "dropped", drop);
	ck_assert_int_eq(layout_put(&store, "loose", 5, loose, &err), 0);
	ck_assert_int_eq(layout_untag(&store, "drop", &err), 0);
	char *part = layout_blob_path(&store, loose), *rest = mem_printf("%s.part", part), *scrap = layout_scratch(&store);
	ck_assert_int_eq(fd_write_file(rest, "x", 1, 0644, &err), 0);
	ck_assert_int_eq(fd_write_file(scrap, "x", 1, 0644, &err), 0);
	reopen(LAYOUT_EXCLUSIVE);
	ck_assert_msg(layout_gc(&store, &bytes, &blobs, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(blobs, 5); /* manifest and layer of "drop", the loose blob, its part, the scrap */
	ck_assert_uint_gt(layout_image_bytes(&store, keep), 0);
	ck_assert_uint_eq(layout_image_bytes(&store, drop), 0);
	ck_assert_int_eq(layout_gc(&store, &bytes, &blobs, &err), 0);
	ck_assert_uint_eq(blobs, 0);
	free(part), free(rest), free(scrap);
}
END_TEST

START_TEST(collection_does_not_start_while_the_store_is_used)
{
	struct layout second;
	ck_assert_int_lt(layout_open(&second, root, LAYOUT_EXCLUSIVE, &err), 0);
	ck_assert_int_eq(err.kind, ERR_BUSY);
	ck_assert_int_eq(layout_open(&second, root, LAYOUT_SHARED, &err), 0);
	layout_close(&second);
}
END_TEST

START_TEST(damaged_blob_and_index_are_noticed)
{
	char digest[DIGEST_TEXT];
	struct buf text = {0};
	ck_assert_int_eq(layout_put(&store, "content", 7, digest, &err), 0);
	ck_assert_int_eq(layout_get(&store, digest, 100, &text, &err), 0);
	char *path = layout_blob_path(&store, digest), *index = fd_join(root, "index.json");
	ck_assert_int_eq(fd_write_file(path, "c0ntent", 7, 0644, &err), 0);
	ck_assert_int_lt(layout_get(&store, digest, 100, &text, &err), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert_int_eq(fd_write_file(index, "{\"manifests\": 7}", 16, 0644, &err), 0);
	ck_assert_int_lt(layout_find(&store, "x", digest, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	buf_done(&text);
	free(path), free(index);
}
END_TEST

START_TEST(entries_of_other_tools_are_kept)
{
	static const char INDEX[] = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"m\",\"digest\":"
				    "\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\"size\":3,\"x-mine\":true}]}";
	char *index = fd_join(root, "index.json"), digest[DIGEST_TEXT];
	ck_assert_int_eq(fd_write_file(index, INDEX, sizeof INDEX - 1, 0644, &err), 0);
	add_image("ours", "x", digest);
	struct buf text = {0};
	ck_assert_int_eq(fd_read_file(index, 1 << 20, &text, &err), 0);
	ck_assert_ptr_nonnull(strstr(text.data, "x-mine"));
	ck_assert_ptr_nonnull(strstr(text.data, "ours"));
	buf_done(&text);
	free(index);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("layout");
	TCase *tc = tcase_create("layout");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names_are_found_replaced_listed_and_removed);
	tcase_add_test(tc, garbage_is_what_no_image_needs);
	tcase_add_test(tc, collection_does_not_start_while_the_store_is_used);
	tcase_add_test(tc, damaged_blob_and_index_are_noticed);
	tcase_add_test(tc, entries_of_other_tools_are_kept);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
