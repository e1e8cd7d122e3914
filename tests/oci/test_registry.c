/* test_registry.c: push and pull through a real registry: adapters, models, mounts, large blobs in pieces, passwords. */
#include "oci/registry_fixture.h"

#include "codec/json.h"
#include "oci/layout.h"
#include "oci/registry.h"
#include <sys/resource.h>
#include <sys/stat.h>

static struct real_registry registry, locked;
static char scratch[64];
static char *adapter, *out, *store;
static struct err err;

/* What the progress callback saw: "name state" of every final state. */
static struct buf seen;

static void start(void)
{
	real_registry_start(&registry, NULL);
	/* kaito:s3cret */
	real_registry_start(&locked, "kaito:$2y$05$72Y3l/AHD5MVWQHOEHoEeel1.xcBbxO01TftTyoch8iPCaJnSAsFK\n");
}
static void stop(void)
{
	real_registry_stop(&registry);
	real_registry_stop(&locked);
}
static void setup(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/kaito-oci-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	adapter = fd_join(scratch, "adapter");
	out = fd_join(scratch, "out");
	store = fd_join(scratch, "store");
	setenv("KAITO_STORE", store, 1);
	setenv("HOME", scratch, 1);
	char *cache = fd_join(scratch, "cache");
	setenv("XDG_CACHE_HOME", cache, 1);
	free(cache);
	unsetenv("DOCKER_CONFIG"), unsetenv("REGISTRY_AUTH_FILE"), unsetenv("XDG_RUNTIME_DIR");
	make_adapter(adapter, 300000, 1);
	err = ERR_INIT;
}
static void teardown(void)
{
	ck_assert_int_eq(fd_remove_tree(scratch, &err), 0);
	free(adapter), free(out), free(store);
	buf_done(&seen);
}

static void record(void *context, const char *item, const char *state, uint64_t done, uint64_t total)
{
	(void)context;
	ck_assert_uint_le(done, total);
	if (done == total && strcmp(state, "pushing") != 0 && strcmp(state, "pulling") != 0)
		buf_printf(&seen, "%s %s\n", item, state);
}

static char *image_name(const struct real_registry *r, const char *rest) { return mem_printf("localhost:%d/%s", r->port, rest); }

static int push(const struct real_registry *r, const char *rest, const struct oci_options *options, char digest[OCI_DIGEST_MAX])
{
	char *name = image_name(r, rest);
	int rc = oci_push_adapter(adapter, name, options, digest, &err);
	free(name);
	return rc;
}

static int pull(const struct real_registry *r, const char *rest, const struct oci_options *options, char digest[OCI_DIGEST_MAX])
{
	char *name = image_name(r, rest);
	int rc = oci_pull(name, out, options, digest, &err);
	free(name);
	return rc;
}

static void forget_store(void) { ck_assert_int_eq(fd_remove_tree(store, &err), 0); }

static size_t count_entries(const char *folder)
{
	char *command = mem_printf("ls -A %s 2>/dev/null | wc -l", folder);
	FILE *p = popen(command, "r"); /* style: allowed, fixed command in a test */
	int n = -1;
	ck_assert_int_eq(fscanf(p, "%d", &n), 1);
	pclose(p);
	free(command);
	return (size_t)n;
}

static json_t *get_json(const struct real_registry *r, const char *path)
{
	struct http_client *c = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE});
	char *url = mem_printf("http://127.0.0.1:%d/v2/%s", r->port, path);
	static const char *const ACCEPT[] = {"Accept: application/vnd.oci.image.manifest.v1+json", NULL};
	struct http_response response = {0};
	ck_assert_int_eq(http_client_send(c, &(struct http_request){.method = "GET", .url = url, .headers = ACCEPT}, &response, &err), 0);
	ck_assert_int_eq(response.status, 200);
	json_t *root = NULL;
	ck_assert_int_eq(json_parse(&root, buf_str(&response.body), path, &err), 0);
	http_response_done(&response);
	http_client_free(c);
	free(url);
	return root;
}

static const char *string_at(const json_t *root, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(root, a), b));
}

START_TEST(adapter_image_is_what_upstream_makes)
{
	char digest[OCI_DIGEST_MAX];
	ck_assert_msg(push(&registry, "up/adapter:v1", &(struct oci_options){.model_name = "phi-3-mini-128k-instruct"}, digest) == 0, "%s", err.message);
	json_t *m = get_json(&registry, "up/adapter/manifests/v1");
	ck_assert_int_eq((int)json_integer_value(json_object_get(m, "schemaVersion")), 2);
	ck_assert_str_eq(json_string_value(json_object_get(m, "mediaType")), "application/vnd.oci.image.manifest.v1+json");
	ck_assert_str_eq(string_at(m, "annotations", "sh.kaito.model.name"), "phi-3-mini-128k-instruct");
	ck_assert_str_eq(string_at(m, "config", "mediaType"), "application/vnd.oci.image.config.v1+json");
	const json_t *layers = json_object_get(m, "layers"), *layer = json_array_get(layers, 0);
	ck_assert_uint_eq(json_array_size(layers), 1);
	ck_assert_str_eq(json_string_value(json_object_get(layer, "mediaType")), "application/vnd.oci.image.layer.v1.tar+gzip");
	ck_assert_ptr_null(json_object_get(m, "artifactType"));
	char *path = mem_printf("up/adapter/blobs/%s", string_at(m, "config", "digest"));
	json_t *config = get_json(&registry, path);
	ck_assert_uint_eq(json_object_size(config), 1);
	ck_assert_uint_eq(json_object_size(json_object_get(config, "rootfs")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(config, "rootfs"), "diff_ids")), 1);
	char *list = mem_printf("tar tzf %s/blobs/sha256/%s", store, json_string_value(json_object_get(layer, "digest")) + 7);
	FILE *p = popen(list, "r"); /* style: allowed, fixed command in a test */
	char text[256] = "";
	size_t n = fread(text, 1, sizeof text - 1, p);
	text[n] = 0;
	pclose(p);
	ck_assert_str_eq(text, "data/\ndata/adapter_config.json\ndata/adapter_model.safetensors\n");
	/* Packed again, from files with other times, it is the same image. */
	char again[OCI_DIGEST_MAX];
	make_adapter(adapter, 300000, 1);
	ck_assert_int_eq(push(&registry, "up/adapter:v2", &(struct oci_options){.model_name = "phi-3-mini-128k-instruct"}, again), 0);
	ck_assert_str_eq(digest, again);
	json_decref(m), json_decref(config);
	free(path), free(list);
}
END_TEST

START_TEST(adapter_comes_back_byte_for_byte)
{
	char pushed[OCI_DIGEST_MAX], pulled[OCI_DIGEST_MAX];
	ck_assert_msg(push(&registry, "round/trip:latest", NULL, pushed) == 0, "%s", err.message);
	json_t *m = get_json(&registry, "round/trip/manifests/latest");
	ck_assert_str_eq(string_at(m, "annotations", "sh.kaito.model.name"), "SmolLM2-135M-Instruct");
	json_decref(m);
	forget_store();
	ck_assert_msg(pull(&registry, "round/trip", NULL, pulled) == 0, "%s", err.message);
	ck_assert_str_eq(pushed, pulled);
	expect_same_file(adapter, out, "adapter_config.json");
	expect_same_file(adapter, out, "adapter_model.safetensors");
	ck_assert_uint_eq(count_entries(out), 2);
	/* By digest, without a store; a file of ours in the folder stays. */
	char *mine = fd_join(out, "mine"), *name = mem_printf("round/trip@%s", pushed);
	ck_assert_int_eq(fd_write_file(mine, "x", 1, 0644, &err), 0);
	forget_store();
	ck_assert_msg(pull(&registry, name, &(struct oci_options){.no_store = true}, NULL) == 0, "%s", err.message);
	ck_assert_uint_eq(count_entries(out), 3);
	ck_assert(!fd_exists(store));
	free(mine), free(name);
}
END_TEST

START_TEST(blobs_that_exist_are_not_sent_and_others_mounted)
{
	const struct oci_options options = {.progress = record};
	ck_assert_msg(push(&registry, "a/one:1", &options, NULL) == 0, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(seen.data, " pushed\n"));
	buf_clear(&seen);
	ck_assert_int_eq(push(&registry, "a/one:2", &options, NULL), 0);
	ck_assert_ptr_null(strstr(seen.data, "pushed"));
	ck_assert_ptr_nonnull(strstr(seen.data, " exists\n"));
	buf_clear(&seen);
	ck_assert_int_eq(push(&registry, "b/two:1", &options, NULL), 0);
	ck_assert_ptr_nonnull(strstr(seen.data, " mounted\n"));
	/* A mount source that does not have it falls back to an upload. */
	make_adapter(adapter, 1000, 7);
	buf_clear(&seen);
	ck_assert_msg(push(&registry, "b/three:1", &(struct oci_options){.progress = record, .mount_from = "no/such"}, NULL) == 0, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(seen.data, " pushed\n"));
	buf_clear(&seen);
	ck_assert_int_eq(pull(&registry, "b/three:1", &options, NULL), 0);
	ck_assert_ptr_nonnull(strstr(seen.data, " exists\n")); /* in the store */
}
END_TEST

START_TEST(model_is_an_artifact_with_one_layer_per_file)
{
	char *model = fd_join(scratch, "model"), *deep = fd_join(model, "sub"), *name = image_name(&registry, "models/tiny:1"), digest[OCI_DIGEST_MAX];
	make_adapter(model, 5000, 3);
	make_adapter(deep, 100, 4);
	char *hidden = fd_join(model, ".cache");
	ck_assert_int_eq(fd_write_file(hidden, "h", 1, 0644, &err), 0);
	ck_assert_msg(oci_push_model(model, name, NULL, digest, &err) == 0, "%s", err.message);
	json_t *m = get_json(&registry, "models/tiny/manifests/1");
	ck_assert_uint_eq(json_array_size(json_object_get(m, "layers")), 4);
	ck_assert_str_eq(string_at(json_array_get(json_object_get(m, "layers"), 0), "annotations", "org.opencontainers.image.title"), "adapter_config.json");
	ck_assert_str_eq(string_at(json_array_get(json_object_get(m, "layers"), 3), "annotations", "org.opencontainers.image.title"),
			 "sub/adapter_model.safetensors");
	json_decref(m);
	ck_assert_msg(pull(&registry, "models/tiny:1", NULL, NULL) == 0, "%s", err.message);
	expect_same_file(model, out, "adapter_model.safetensors");
	expect_same_file(model, out, "sub/adapter_model.safetensors");
	/* In the cache, twice: the same folder, the second time without the registry. */
	char *first = NULL, *second = NULL;
	ck_assert_msg(oci_pull_cached(name, NULL, &first, &err) == 0, "%s", err.message);
	expect_same_file(model, first, "adapter_model.safetensors");
	ck_assert_int_eq(oci_pull_cached(name, &(struct oci_options){.if_missing = true}, &second, &err), 0);
	ck_assert_str_eq(first, second);
	/* One file. */
	char *file = fd_join(model, "adapter_model.safetensors"), *single = image_name(&registry, "models/single:1");
	ck_assert_int_eq(oci_push_model(file, single, NULL, NULL, &err), 0);
	ck_assert_int_eq(oci_pull(single, out, NULL, NULL, &err), 0);
	free(model), free(deep), free(name), free(hidden), free(first), free(second), free(file), free(single);
}
END_TEST

START_TEST(large_blob_goes_up_in_pieces)
{
	struct reference ref = {0};
	struct registry r;
	char *name = image_name(&registry, "big/blob:1"), *file = fd_join(adapter, "adapter_model.safetensors"), *back = fd_join(scratch, "back");
	make_adapter(adapter, 5 * 1024 * 1024 + 17, 5);
	ck_assert_int_eq(reference_parse(str_of(name), &ref, &err), 0);
	ck_assert_msg(registry_open(&r, &ref, &(struct oci_options){0}, &err) == 0, "%s", err.message);
	r.chunk_bytes = 1 << 20;
	struct descriptor blob = {.media_type = (char[]){"x"}};
	ck_assert_int_eq(digest_of_file(file, blob.digest, &blob.size, &err), 0);
	enum blob_outcome outcome;
	const struct blob_progress quiet = {0};
	ck_assert_msg(registry_put_blob(&r, &blob, file, &quiet, &outcome, &err) == 0, "%s", err.message);
	ck_assert_int_eq(outcome, BLOB_UPLOADED);
	ck_assert_msg(registry_get_blob(&r, &blob, back, &quiet, &err) == 0, "%s", err.message);
	char digest[DIGEST_TEXT];
	ck_assert_int_eq(digest_of_file(back, digest, NULL, &err), 0);
	ck_assert_str_eq(digest, blob.digest);
	registry_close(&r);
	reference_done(&ref);
	free(name), free(file), free(back);
}
END_TEST

static void write_docker_config(const char *auth)
{
	char *folder = fd_join(scratch, "docker"), *path = fd_join(folder, "config.json");
	char *text = mem_printf("{\"auths\": {\"http://localhost:%d/v2/\": {\"auth\": \"%s\"}}}", locked.port, auth);
	ck_assert_int_eq(fd_make_dirs(folder, &err), 0);
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600, &err), 0);
	setenv("DOCKER_CONFIG", folder, 1);
	free(folder), free(path), free(text);
}

START_TEST(password_is_asked_for_used_and_never_shown)
{
	ck_assert_int_lt(push(&locked, "team/adapter:1", NULL, NULL), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_msg(strstr(err.message, "wants credentials"), "%s", err.message);
	write_docker_config("a2FpdG86d3Jvbmc="); /* kaito:wrong */
	ck_assert_int_lt(push(&locked, "team/adapter:1", NULL, NULL), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_ptr_null(strstr(err.message, "wrong"));
	write_docker_config("a2FpdG86czNjcmV0"); /* kaito:s3cret */
	ck_assert_msg(push(&locked, "team/adapter:1", NULL, NULL) == 0, "%s", err.message);
	forget_store();
	ck_assert_msg(pull(&locked, "team/adapter:1", NULL, NULL) == 0, "%s", err.message);
	expect_same_file(adapter, out, "adapter_model.safetensors");
}
END_TEST

START_TEST(what_is_not_there_is_named)
{
	ck_assert_int_lt(pull(&registry, "no/such:tag", NULL, NULL), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert_msg(strstr(err.message, "no/such") && strstr(err.message, "tag"), "%s", err.message);
	char *config = fd_join(adapter, "adapter_config.json");
	unlink(config);
	free(config);
	ck_assert_int_lt(push(&registry, "a/b:1", NULL, NULL), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.message, "adapter_config.json"));
	ck_assert_int_lt(push(&registry, "IMAGE_NAME_HERE:1", NULL, NULL), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "placeholder"));
}
END_TEST

START_TEST(full_disk_leaves_no_part_of_an_adapter)
{
	ck_assert_int_eq(push(&registry, "disk/full:1", NULL, NULL), 0);
	forget_store();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
	ck_assert_int_lt(pull(&registry, "disk/full:1", NULL, NULL), 0);
	ck_assert_msg(err.kind == ERR_NO_SPACE || err.kind == ERR_IO, "%s", err.message);
	ck_assert_uint_eq(count_entries(out), 0);
	ck_assert_int_lt(push(&registry, "disk/full:2", NULL, NULL), 0);
	ck_assert_msg(err.kind == ERR_NO_SPACE || err.kind == ERR_IO, "%s", err.message);
	char *blobs = fd_join(store, "blobs");
	ck_assert_uint_eq(count_entries(blobs), 1); /* sha256 only, no scratch file */
	free(blobs);
}
END_TEST

START_TEST(two_processes_pull_into_one_store)
{
	make_adapter(adapter, 3000000, 9);
	ck_assert_int_eq(push(&registry, "many/at-once:1", NULL, NULL), 0);
	forget_store();
	pid_t pids[4];
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			char *folder = mem_printf("%s/%d", out, i), *name = image_name(&registry, "many/at-once:1");
			int rc = oci_pull(name, folder, NULL, NULL, &err);
			if (rc < 0)
				fprintf(stderr, "%s\n", err.message);
			free(folder), free(name);
			_exit(rc < 0);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status;
		waitpid(pids[i], &status, 0);
		ck_assert_int_eq(status, 0);
		char *folder = mem_printf("%s/%d", out, i);
		expect_same_file(adapter, folder, "adapter_model.safetensors");
		free(folder);
	}
	struct layout l;
	struct layout_image *images;
	size_t n, freed;
	uint64_t bytes;
	ck_assert_int_eq(layout_open(&l, store, LAYOUT_EXCLUSIVE, &err), 0);
	ck_assert_int_eq(layout_list(&l, &images, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(layout_gc(&l, &bytes, &freed, &err), 0);
	ck_assert_uint_eq(freed, 0); /* no parts were left */
	ck_assert_uint_gt(layout_image_bytes(&l, images[0].digest), 3000000);
	layout_images_done(images, n);
	layout_close(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tc = tcase_create("registry");
	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, adapter_image_is_what_upstream_makes);
	tcase_add_test(tc, adapter_comes_back_byte_for_byte);
	tcase_add_test(tc, blobs_that_exist_are_not_sent_and_others_mounted);
	tcase_add_test(tc, model_is_an_artifact_with_one_layer_per_file);
	tcase_add_test(tc, large_blob_goes_up_in_pieces);
	tcase_add_test(tc, password_is_asked_for_used_and_never_shown);
	tcase_add_test(tc, what_is_not_there_is_named);
	tcase_add_test(tc, full_disk_leaves_no_part_of_an_adapter);
	tcase_add_test(tc, two_processes_pull_into_one_store);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
