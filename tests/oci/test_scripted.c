/* test_scripted.c: the registry client against a registry that refuses, cuts, lies and forgets. */
#include "http/scripted.h"
#include "oci/registry_fixture.h"

#include "oci/registry.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

static struct scripted server;
static char scratch[64];
static char *adapter, *out, *store;
static struct err err;

static void start(void) { scripted_start(&server, "tests/oci/scripted_registry.py"); }
static void stop(void) { scripted_stop(&server); }
static void setup(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/kaito-scripted-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	adapter = fd_join(scratch, "adapter");
	out = fd_join(scratch, "out");
	store = fd_join(scratch, "store");
	setenv("KAITO_STORE", store, 1);
	setenv("HOME", scratch, 1);
	unsetenv("DOCKER_CONFIG"), unsetenv("REGISTRY_AUTH_FILE"), unsetenv("XDG_RUNTIME_DIR");
	make_adapter(adapter, 200000, 2);
	json_decref(scripted_log(&server));
	err = ERR_INIT;
}
static void teardown(void)
{
	struct err cleaning = ERR_INIT;
	ck_assert_int_eq(fd_remove_tree(scratch, &cleaning), 0);
	free(adapter), free(out), free(store);
}

static int push(const char *repository)
{
	char *name = mem_printf("127.0.0.1:%d/%s:1", server.port, repository);
	int rc = oci_push_adapter(adapter, name, NULL, NULL, &err);
	free(name);
	return rc;
}

static int pull(const char *repository, const struct oci_options *options)
{
	char *name = mem_printf("127.0.0.1:%d/%s:1", server.port, repository);
	int rc = oci_pull(name, out, options, NULL, &err);
	free(name);
	return rc;
}

static void forget_store(void)
{
	struct err cleaning = ERR_INIT;
	ck_assert_int_eq(fd_remove_tree(store, &cleaning), 0);
}

static void write_config(const char *text)
{
	char *folder = fd_join(scratch, ".docker"), *path = fd_join(folder, "config.json");
	ck_assert_int_eq(fd_make_dirs(folder, &err), 0);
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600, &err), 0);
	free(folder), free(path);
}

static void expect_round_trip(const char *repository)
{
	ck_assert_msg(push(repository) == 0, "%s", err.message);
	forget_store();
	ck_assert_msg(pull(repository, NULL) == 0, "%s", err.message);
	expect_same_file(adapter, out, "adapter_model.safetensors");
	expect_same_file(adapter, out, "adapter_config.json");
}

static size_t count_requests(const char *method, const char *part)
{
	json_t *log = scripted_log(&server);
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		n += strcmp(scripted_log_string(log, i, "method"), method) == 0 && strstr(scripted_log_string(log, i, "path"), part);
	json_decref(log);
	return n;
}

START_TEST(round_trip_without_trouble) { expect_round_trip("plain/a"); }
END_TEST

START_TEST(bearer_tokens_are_fetched_once_and_cached)
{
	ck_assert_int_lt(push("bearer/a"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	char *config = mem_printf("{\"auths\": {\"127.0.0.1:%d\": {\"username\": \"me\", \"password\": \"pw\"}}}", server.port);
	write_config(config);
	json_decref(scripted_log(&server));
	ck_assert_msg(push("bearer/a") == 0, "%s", err.message);
	ck_assert_uint_eq(count_requests("GET", "/token"), 1);
	forget_store();
	ck_assert_msg(pull("bearer/a", NULL) == 0, "%s", err.message);
	ck_assert_uint_eq(count_requests("GET", "/token"), 1);
	expect_same_file(adapter, out, "adapter_model.safetensors");
	free(config);
}
END_TEST

START_TEST(expired_token_is_renewed_in_the_middle)
{
	char *config = mem_printf("{\"auths\": {\"127.0.0.1:%d\": {\"auth\": \"bWU6cHc=\"}}}", server.port);
	write_config(config);
	expect_round_trip("expiring/a");
	free(config);
}
END_TEST

START_TEST(identity_token_is_traded_by_post)
{
	char *config = mem_printf("{\"auths\": {\"127.0.0.1:%d\": {\"auth\": \"\", \"identitytoken\": \"r3fresh\"}}}", server.port);
	write_config(config);
	expect_round_trip("identity/a");
	free(config);
}
END_TEST

START_TEST(wrong_password_is_denied_without_showing_it)
{
	char *config = mem_printf("{\"auths\": {\"127.0.0.1:%d\": {\"username\": \"me\", \"password\": \"hunter2\"}}}", server.port);
	write_config(config);
	ck_assert_int_lt(push("bearer/b"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_msg(strstr(err.message, "refuses the credentials") && !strstr(err.message, "hunter2"), "%s", err.message);
	free(config);
}
END_TEST

START_TEST(altered_blob_is_refused_and_nothing_is_left)
{
	ck_assert_int_eq(push("wrongdigest/a"), 0);
	forget_store();
	ck_assert_int_lt(pull("wrongdigest/a", NULL), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert_msg(strstr(err.message, "digest"), "%s", err.message);
	ck_assert(!fd_exists(out));
	ck_assert_int_lt(pull("wrongdigest/a", &(struct oci_options){.no_store = true}), 0);
	ck_assert_int_eq(rmdir(out), 0); /* empty */
	ck_assert_int_eq(push("badmanifest/a"), 0);
	ck_assert_int_lt(pull("badmanifest/a", NULL), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
}
END_TEST

START_TEST(cut_download_is_resumed)
{
	expect_round_trip("cutdown/a");
	json_t *log = scripted_log(&server);
	size_t ranges = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		ranges += scripted_log_string(log, i, "range") != NULL;
	json_decref(log);
	ck_assert_uint_ge(ranges, 2);
}
END_TEST

/* Upload the adapter's weights in pieces of 50 000 bytes. */
static int put_in_pieces(const char *repository)
{
	struct reference ref = {0};
	struct registry r;
	char *name = mem_printf("127.0.0.1:%d/%s:1", server.port, repository), *file = fd_join(adapter, "adapter_model.safetensors");
	ck_assert_int_eq(reference_parse(str_of(name), &ref, &err), 0);
	ck_assert_msg(registry_open(&r, &ref, &(struct oci_options){0}, &err) == 0, "%s", err.message);
	r.chunk_bytes = 50000;
	struct descriptor blob = {.media_type = (char[]){"x"}};
	ck_assert_int_eq(digest_of_file(file, blob.digest, &blob.size, &err), 0);
	enum blob_outcome outcome;
	int rc = registry_put_blob(&r, &blob, file, &(struct blob_progress){0}, &outcome, &err);
	registry_close(&r);
	reference_done(&ref);
	free(name), free(file);
	return rc;
}

START_TEST(cut_upload_goes_on_where_it_stopped)
{
	make_adapter(adapter, 200000, 41);
	ck_assert_msg(put_in_pieces("cutup/a") == 0, "%s", err.message);
	/* Two pieces of 50 000 of which half was kept, then three whole ones. */
	json_t *log = scripted_log(&server);
	size_t pieces = 0, asked = 0;
	bool resumed = false;
	for (size_t i = 0; i < json_array_size(log); i++) {
		const char *method = scripted_log_string(log, i, "method"), *range = scripted_log_string(log, i, "content_range");
		pieces += strcmp(method, "PATCH") == 0;
		asked += strcmp(method, "GET") == 0 && strstr(scripted_log_string(log, i, "path"), "uploads");
		resumed |= range && strncmp(range, "25000-", 6) == 0;
	}
	json_decref(log);
	ck_assert_uint_eq(asked, 2);
	ck_assert(resumed);
	ck_assert_uint_eq(pieces, 5);
	/* A blob in one PUT is begun anew. */
	ck_assert_msg(push("cutup/b") == 0, "%s", err.message);
}
END_TEST

START_TEST(forgotten_upload_is_begun_anew)
{
	make_adapter(adapter, 200000, 42);
	ck_assert_msg(put_in_pieces("lost/a") == 0, "%s", err.message);
	ck_assert_uint_eq(count_requests("POST", "uploads"), 2);
	make_adapter(adapter, 200000, 43);
	ck_assert_msg(put_in_pieces("nolength/a") == 0, "%s", err.message);
}
END_TEST

START_TEST(busy_registry_is_asked_again) { expect_round_trip("busy/a"); }
END_TEST

START_TEST(refusal_carries_the_registrys_words)
{
	make_adapter(adapter, 1000, 44);
	ck_assert_int_lt(push("refuses/a"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_msg(strstr(err.message, "read-only"), "%s", err.message);
}
END_TEST

START_TEST(redirected_blob_gets_no_credentials_and_no_metadata)
{
	expect_round_trip("cdn/a");
	json_t *log = scripted_log(&server);
	size_t seen = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		if (strncmp(scripted_log_string(log, i, "path"), "/cdn/", 5) == 0) {
			ck_assert_ptr_null(scripted_log_string(log, i, "authorization"));
			seen++;
		}
	json_decref(log);
	ck_assert_uint_eq(seen, 2);
	ck_assert_int_eq(push("metadata/a"), 0);
	forget_store();
	ck_assert_int_lt(pull("metadata/a", NULL), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
}
END_TEST

START_TEST(cancelled_before_it_began)
{
	atomic_bool cancel = true;
	ck_assert_int_eq(push("plain/cancel"), 0);
	forget_store();
	ck_assert_int_lt(pull("plain/cancel", &(struct oci_options){.cancel = &cancel}), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert(!fd_exists(out));
}
END_TEST

/* PUT to /seed/…; returns the digest, to be freed. */
static char *seed(const char *path, const void *data, size_t len)
{
	struct http_client *c = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE});
	char *url = mem_printf("http://127.0.0.1:%d/seed/%s", server.port, path);
	struct http_response r = {0};
	ck_assert_int_eq(http_client_send(c, &(struct http_request){.method = "PUT", .url = url, .body = {.data = data, .len = len}}, &r, &err), 0);
	ck_assert_int_eq(r.status, 201);
	char *digest = mem_strdup(r.body.data);
	http_response_done(&r);
	http_client_free(c);
	free(url);
	return digest;
}

struct member { const char *name; unsigned type; const char *data; };

/* A gzip tar of these members in memory, seeded as a blob: its descriptor's JSON, to be freed. */
static char *seed_layer(const struct member *m, size_t n)
{
	char *buffer = mem_alloc(1 << 16);
	size_t used = 0;
	struct archive *a = archive_write_new();
	archive_write_add_filter_gzip(a);
	archive_write_set_format_ustar(a);
	ck_assert_int_eq(archive_write_open_memory(a, buffer, 1 << 16, &used), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *e = archive_entry_new();
		archive_entry_set_pathname(e, m[i].name);
		archive_entry_set_filetype(e, m[i].type);
		archive_entry_set_perm(e, 0644);
		if (m[i].type == AE_IFLNK)
			archive_entry_set_symlink(e, m[i].data);
		else
			archive_entry_set_size(e, (la_int64_t)strlen(m[i].data));
		archive_write_header(a, e);
		if (m[i].type == AE_IFREG)
			archive_write_data(a, m[i].data, strlen(m[i].data));
		archive_entry_free(e);
	}
	archive_write_close(a);
	archive_write_free(a);
	char *digest = seed("blob", buffer, used);
	char *text = mem_printf("{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"digest\":\"%s\",\"size\":%zu}", digest, used);
	free(digest), free(buffer);
	return text;
}

static void seed_image(const char *repository, const char *const *layers, size_t n)
{
	static const char CONFIG[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
	char *config = seed("blob", CONFIG, sizeof CONFIG - 1);
	struct buf text = {0};
	buf_printf(&text, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"config\":{\"mediaType\":"
			  "\"application/vnd.docker.container.image.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[", config, sizeof CONFIG - 1);
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i ? "," : "", layers[i]);
	buf_puts(&text, "]}");
	char *path = mem_printf("manifest/%s/1", repository), *digest = seed(path, text.data, text.len);
	free(path), free(digest), free(config);
	buf_done(&text);
}

START_TEST(data_folder_of_somebody_elses_image)
{
	const struct member base[] = {{"bin/sh", AE_IFLNK, "busybox"}, {"etc/passwd", AE_IFREG, "root"}, {"data/old.json", AE_IFREG, "old"}, {"data/a.json", AE_IFREG, "1"}};
	const struct member top[] = {{"data/.wh.old.json", AE_IFREG, ""}, {"data/a.json", AE_IFREG, "2"}, {"data/sub/b.json", AE_IFREG, "3"}};
	char *layers[] = {seed_layer(base, 4), seed_layer(top, 3)};
	seed_image("plain/dataset", (const char *const *)layers, 2);
	ck_assert_msg(pull("plain/dataset", NULL) == 0, "%s", err.message);
	static const struct { const char *name, *text; } WANT[] = {{"a.json", "2"}, {"sub/b.json", "3"}};
	for (size_t i = 0; i < 2; i++) {
		char *path = fd_join(out, WANT[i].name);
		struct buf text = {0};
		ck_assert_int_eq(fd_read_file(path, 100, &text, &err), 0);
		ck_assert_str_eq(text.data, WANT[i].text);
		buf_done(&text);
		free(path);
	}
	char *old = fd_join(out, "old.json"), *etc = fd_join(out, "etc");
	ck_assert(!fd_exists(old) && !fd_exists(etc));
	free(old), free(etc), free(layers[0]), free(layers[1]);
}
END_TEST

START_TEST(hostile_image_leaves_nothing)
{
	const struct member good[] = {{"data/good", AE_IFREG, "g"}}, link[] = {{"data/evil", AE_IFLNK, "/etc"}}, parent[] = {{"data/../../evil", AE_IFREG, "x"}};
	char *layers[] = {seed_layer(good, 1), seed_layer(link, 1), seed_layer(parent, 1)};
	seed_image("plain/link", (const char *const[]){layers[0], layers[1]}, 2);
	seed_image("plain/parent", (const char *const[]){layers[2]}, 1);
	static const char *const NAMES[] = {"plain/link", "plain/parent"};
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_lt(pull(NAMES[i], NULL), 0);
		ck_assert_int_eq(err.kind, ERR_INVALID);
		ck_assert(rmdir(out) == 0 || errno == ENOENT);
	}
	for (size_t i = 0; i < 3; i++)
		free(layers[i]);
}
END_TEST

START_TEST(index_is_followed_to_this_platform)
{
	const struct member data[] = {{"data/which", AE_IFREG, "amd64"}};
	char *layer = seed_layer(data, 1);
	seed_image("plain/multi", (const char *const[]){layer}, 1);
	struct http_client *c = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE});
	char *url = mem_printf("http://127.0.0.1:%d/v2/plain/multi/manifests/1", server.port);
	struct http_response r = {0};
	ck_assert_int_eq(http_client_send(c, &(struct http_request){.method = "GET", .url = url}, &r, &err), 0);
	char *index = mem_printf("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
				 "{\"mediaType\":\"m\",\"digest\":\"sha256:%064d\",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}},"
				 "{\"mediaType\":\"m\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
				 0, http_response_header(&r, "docker-content-digest"), r.body.len);
	char *digest = seed("manifest/plain/multi/1", index, strlen(index));
	ck_assert_msg(pull("plain/multi", &(struct oci_options){.architecture = "amd64"}) == 0, "%s", err.message);
	char *which = fd_join(out, "which");
	ck_assert(fd_exists(which));
	ck_assert_int_lt(pull("plain/multi", &(struct oci_options){.architecture = "riscv64"}), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	http_response_done(&r);
	http_client_free(c);
	free(url), free(index), free(digest), free(which), free(layer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scripted");
	TCase *tc = tcase_create("scripted");
	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, round_trip_without_trouble);
	tcase_add_test(tc, bearer_tokens_are_fetched_once_and_cached);
	tcase_add_test(tc, expired_token_is_renewed_in_the_middle);
	tcase_add_test(tc, identity_token_is_traded_by_post);
	tcase_add_test(tc, wrong_password_is_denied_without_showing_it);
	tcase_add_test(tc, altered_blob_is_refused_and_nothing_is_left);
	tcase_add_test(tc, cut_download_is_resumed);
	tcase_add_test(tc, cut_upload_goes_on_where_it_stopped);
	tcase_add_test(tc, forgotten_upload_is_begun_anew);
	tcase_add_test(tc, busy_registry_is_asked_again);
	tcase_add_test(tc, refusal_carries_the_registrys_words);
	tcase_add_test(tc, redirected_blob_gets_no_credentials_and_no_metadata);
	tcase_add_test(tc, cancelled_before_it_began);
	tcase_add_test(tc, data_folder_of_somebody_elses_image);
	tcase_add_test(tc, hostile_image_leaves_nothing);
	tcase_add_test(tc, index_is_followed_to_this_platform);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
