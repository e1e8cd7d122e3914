/* test_hub.c: the hub protocol and plain URLs against a scripted hub. */
#include "http/scripted.h"

#include "hub/etag.h"
#include "hub/hub.h"
#include "hub/select.h"
#include "hub/source.h"
#include <errno.h>
#include <sys/resource.h>

static struct scripted server;
static char scratch[64];
static char *out, *endpoint;
static struct err err;

static void start(void) { scripted_start(&server, "tests/hub/scripted_hub.py"); }
static void stop(void) { scripted_stop(&server); }
static void setup(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/kaito-hub-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	out = fd_join(scratch, "out");
	endpoint = mem_printf("http://127.0.0.1:%d/", server.port);
	setenv("HF_ENDPOINT", endpoint, 1);
	setenv("HOME", scratch, 1);
	unsetenv("HF_TOKEN"), unsetenv("HUGGING_FACE_HUB_TOKEN"), unsetenv("HF_TOKEN_PATH"), unsetenv("HF_HOME");
	json_decref(scripted_log(&server));
	err = ERR_INIT;
}
static void teardown(void)
{
	struct err cleaning = ERR_INIT;
	ck_assert_int_eq(fd_remove_tree(scratch, &cleaning), 0);
	free(out), free(endpoint);
}

static const struct hub_options PRIVATE = {.allow_private = true};

static int pull(const char *source) { return hub_pull(source, out, &PRIVATE, NULL, &err); }

/* The files below out, sorted, one a line. */
static void expect_files(const char *want)
{
	char *command = mem_printf("cd %s && find . -type f | sort | cut -c3-", out);
	FILE *p = popen(command, "r"); /* style: allowed, fixed command in a test */
	char have[4096] = "";
	size_t n = fread(have, 1, sizeof have - 1, p);
	have[n] = 0;
	pclose(p);
	ck_assert_str_eq(have, want);
	free(command);
}

START_TEST(single_file_model_with_what_belongs_to_it)
{
	char *commit = NULL;
	ck_assert_msg(hub_pull("hf://ok/single", out, &PRIVATE, &commit, &err) == 0, "%s", err.message);
	expect_files("config.json\nmerges.txt\nmodel.safetensors\ntokenizer.json\ntokenizer_config.json\n");
	ck_assert_int_eq(strncmp(commit, "c0ffee", 6), 0);
	free(commit);
	json_decref(scripted_log(&server));
	/* Again: asked, found unchanged, not fetched. */
	ck_assert_int_eq(pull("hf://ok/single"), 0);
	json_t *log = scripted_log(&server);
	for (size_t i = 0; i < json_array_size(log); i++)
		ck_assert(strcmp(scripted_log_string(log, i, "method"), "HEAD") == 0 || strstr(scripted_log_string(log, i, "path"), "/api/"));
	json_decref(log);
}
END_TEST

START_TEST(sharded_model_takes_what_the_index_names)
{
	ck_assert_msg(pull("hf://ok/sharded@v1") == 0, "%s", err.message);
	expect_files("config.json\nmodel-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors\nmodel.safetensors.index.json\ntokenizer.json\n");
	ck_assert_int_lt(pull("hf://ok/missingshard"), 0);
	ck_assert_int_eq(err.kind, ERR_MODEL);
	ck_assert_msg(strstr(err.message, "model-00002-of-00002"), "%s", err.message);
}
END_TEST

START_TEST(gguf_is_named_or_the_only_one)
{
	ck_assert_int_lt(pull("hf://ok/gguf"), 0);
	ck_assert_msg(err.kind == ERR_USAGE && strstr(err.message, "model-Q4.gguf"), "%s", err.message);
	ck_assert_int_eq(pull("hf://ok/gguf/model-Q8.gguf"), 0);
	expect_files("model-Q8.gguf\n");
	ck_assert_int_eq(pull("hf://ok/onegguf"), 0);
	expect_files("model-Q4.gguf\nmodel-Q8.gguf\n");
}
END_TEST

START_TEST(dataset_files_keep_their_folders)
{
	ck_assert_msg(pull("hf://datasets/ok/data@refs/pr/1") == 0, "%s", err.message);
	expect_files("data/test.jsonl\ndata/train-00000.parquet\n");
}
END_TEST

START_TEST(token_goes_to_the_hub_and_not_to_the_content_network)
{
	setenv("HF_TOKEN", "good", 1);
	ck_assert_msg(pull("hf://gated/single") == 0, "%s", err.message);
	json_t *log = scripted_log(&server);
	size_t cdn = 0;
	for (size_t i = 0; i < json_array_size(log); i++) {
		bool at_cdn = strncmp(scripted_log_string(log, i, "path"), "/cdn/", 5) == 0;
		cdn += at_cdn;
		if (at_cdn)
			ck_assert_ptr_null(scripted_log_string(log, i, "authorization"));
		else
			ck_assert_str_eq(scripted_log_string(log, i, "authorization"), "Bearer good");
	}
	json_decref(log);
	ck_assert_uint_eq(cdn, 1);
}
END_TEST

START_TEST(token_is_read_from_the_users_file)
{
	char *folder = fd_join(scratch, ".cache/huggingface"), *path = fd_join(folder, "token");
	ck_assert_int_eq(fd_make_dirs(folder, &err), 0);
	ck_assert_int_eq(fd_write_file(path, "good\n", 5, 0600, &err), 0);
	ck_assert_msg(pull("hf://gated/onegguf") == 0, "%s", err.message);
	ck_assert_int_eq(fd_write_file(path, "go od\n", 6, 0600, &err), 0);
	ck_assert_int_lt(pull("hf://gated/onegguf"), 0);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	free(folder), free(path);
}
END_TEST

static const struct { const char *source; enum err_kind kind; const char *say; } REFUSED[] = {
	{"hf://gated/single", ERR_DENIED, "gated"},
	{"hf://secret/single", ERR_DENIED, "set HF_TOKEN"},
	{"hf://gone/single", ERR_NOT_FOUND, "does not exist"},
	{"hf://ok/single@nope", ERR_NOT_FOUND, "no such revision"},
	{"hf://ok/single/nope.json", ERR_NOT_FOUND, "no such file"},
	{"hf://ok/pickle", ERR_UNSUPPORTED, ".bin"},
	{"hf://ok/empty", ERR_NOT_FOUND, "no model files"},
	{"hf://datasets/ok/single", ERR_NONE, ""},
	{"hf://datasets/ok/empty", ERR_NOT_FOUND, "data set has no"},
	{"hf://evil/single", ERR_PROTOCOL, "plain relative name"},
	{"hf://metadata/onegguf", ERR_DENIED, "metadata"},
	{"hf://wrong/onegguf", ERR_PROTOCOL, "digest"},
	{"hf://wrong/single/config.json", ERR_PROTOCOL, "ETag"},
};

START_TEST(refusals_in_words)
{
	int rc = pull(REFUSED[_i].source);
	if (REFUSED[_i].kind == ERR_NONE) {
		ck_assert_int_eq(rc, 0); /* its JSON files */
		return;
	}
	ck_assert_int_lt(rc, 0);
	ck_assert_msg(err.kind == REFUSED[_i].kind && strstr(err.message, REFUSED[_i].say), "%s", err.message);
	ck_assert_msg(!strstr(err.message, "s3cret"), "%s", err.message);
	expect_files("");
}
END_TEST

START_TEST(cut_file_is_resumed_and_renamed_repository_followed)
{
	ck_assert_msg(pull("hf://cut/sharded") == 0, "%s", err.message);
	json_t *log = scripted_log(&server);
	size_t resumed = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		resumed += strstr(scripted_log_string(log, i, "path"), "/cdn/") && scripted_log_string(log, i, "range");
	json_decref(log);
	ck_assert_uint_eq(resumed, 2);
	ck_assert_msg(pull("hf://moved/onegguf") == 0, "%s", err.message);
}
END_TEST

START_TEST(private_addresses_need_a_flag)
{
	ck_assert_int_lt(hub_pull("hf://ok/single", out, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.message, "--allow-private"));
	char *url = mem_printf("http://127.0.0.1:%d/ok/data.csv", server.port);
	ck_assert_int_lt(url_pull(url, out, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	free(url);
}
END_TEST

static int pull_url(const char *path, char **file)
{
	char *url = mem_printf("http://127.0.0.1:%d%s", server.port, path);
	int rc = url_pull(url, out, &PRIVATE, file, &err);
	free(url);
	return rc;
}

START_TEST(plain_url_is_named_by_its_path)
{
	char *file = NULL;
	ck_assert_msg(pull_url("/drop/2/train%20set.parquet?sig=s3cret#row=1", &file) == 0, "%s", err.message);
	ck_assert(strstr(file, "/out/train set.parquet") != NULL);
	free(file);
	ck_assert_int_eq(pull_url("/file.csv", NULL), 0); /* whose Content-Disposition says ../../evil.csv */
	expect_files("file.csv\ntrain set.parquet\n");
	static const char *const NAMELESS[] = {"/", "/a/", "/a/..%2f..%2fetc", "/a/%2e%2e", "/a/x%00y"};
	for (size_t i = 0; i < sizeof NAMELESS / sizeof NAMELESS[0]; i++) {
		ck_assert_msg(pull_url(NAMELESS[i], NULL) < 0, "%s", NAMELESS[i]);
		ck_assert_int_eq(err.kind, ERR_INVALID);
	}
	ck_assert_int_lt(pull_url("/status/404/9/x.csv?sig=s3cret", NULL), 0);
	ck_assert_msg(err.kind == ERR_NOT_FOUND && !strstr(err.message, "s3cret"), "%s", err.message);
	ck_assert_int_lt(pull_url("/redirect.csv?to=http://169.254.169.254/x", NULL), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	expect_files("file.csv\ntrain set.parquet\n");
}
END_TEST

START_TEST(full_disk_leaves_nothing_half_written)
{
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
	ck_assert_int_lt(pull("hf://ok/onegguf"), 0);
	ck_assert_msg(err.kind == ERR_NO_SPACE || err.kind == ERR_IO, "%s", err.message);
	expect_files("");
}
END_TEST

static const struct { const char *text; bool dataset; const char *repository, *revision, *file; } SOURCES[] = {
	{"hf://org/name", false, "org/name", "main", NULL},
	{"hf://models/org/name", false, "org/name", "main", NULL},
	{"hf://org/name/", false, "org/name", "main", NULL},
	{"hf://org/name@v1.0/sub/file.gguf", false, "org/name", "v1.0", "sub/file.gguf"},
	{"hf://org/name@refs/pr/7/file", false, "org/name", "refs/pr/7", "file"},
	{"hf://datasets/org/na.me_x-1@refs/convert/parquet", true, "org/na.me_x-1", "refs/convert/parquet", NULL},
	{"hf://org", false, NULL, NULL, NULL},
	{"hf://", false, NULL, NULL, NULL},
	{"hf:///name", false, NULL, NULL, NULL},
	{"hf://org/na me", false, NULL, NULL, NULL},
	{"hf://org/../x", false, NULL, NULL, NULL},
	{"hf://org/name@", false, NULL, NULL, NULL},
	{"hf://org/name@../x", false, NULL, NULL, NULL},
	{"hf://org/name/../../x", false, NULL, NULL, NULL},
	{"hf://org/name/a//b", false, NULL, NULL, NULL},
	{"https://org/name", false, NULL, NULL, NULL},
};

START_TEST(sources)
{
	struct source s = {0};
	int rc = source_parse(SOURCES[_i].text, &s, &err);
	ck_assert_msg((rc == 0) == (SOURCES[_i].repository != NULL), "%s: %s", SOURCES[_i].text, err.message);
	if (rc == 0) {
		ck_assert(s.dataset == SOURCES[_i].dataset);
		ck_assert_str_eq(s.repository, SOURCES[_i].repository);
		ck_assert_str_eq(s.revision, SOURCES[_i].revision);
		ck_assert_msg(SOURCES[_i].file ? s.file && strcmp(s.file, SOURCES[_i].file) == 0 : !s.file, "%s", s.file);
	}
	source_done(&s);
}
END_TEST

START_TEST(index_and_etag_texts)
{
	static const char *const BAD[] = {"", "[]", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":{\"a\":\"../x.safetensors\"}}",
					  "{\"weight_map\":{\"a\":\"x.bin\"}}"};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		name_list names = {0};
		ck_assert_msg(select_read_index(str_of(BAD[i]), &names, &err) < 0, "%s", BAD[i]);
		name_list_done(&names);
	}
	struct etag tag;
	etag_parse("\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"", &tag);
	ck_assert(tag.sha256[0] && !tag.git[0]);
	etag_parse("W/\"f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f\"", &tag);
	ck_assert(!tag.sha256[0] && tag.git[0]);
	etag_parse("\"abc-3\"", &tag);
	ck_assert(!tag.sha256[0] && !tag.git[0]);
	etag_parse(NULL, &tag);
	ck_assert(!tag.sha256[0] && !tag.git[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hub");
	TCase *tc = tcase_create("hub");
	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, single_file_model_with_what_belongs_to_it);
	tcase_add_test(tc, sharded_model_takes_what_the_index_names);
	tcase_add_test(tc, gguf_is_named_or_the_only_one);
	tcase_add_test(tc, dataset_files_keep_their_folders);
	tcase_add_test(tc, token_goes_to_the_hub_and_not_to_the_content_network);
	tcase_add_test(tc, token_is_read_from_the_users_file);
	tcase_add_loop_test(tc, refusals_in_words, 0, sizeof REFUSED / sizeof REFUSED[0]);
	tcase_add_test(tc, cut_file_is_resumed_and_renamed_repository_followed);
	tcase_add_test(tc, private_addresses_need_a_flag);
	tcase_add_test(tc, plain_url_is_named_by_its_path);
	tcase_add_test(tc, full_disk_leaves_nothing_half_written);
	tcase_add_loop_test(tc, sources, 0, sizeof SOURCES / sizeof SOURCES[0]);
	tcase_add_test(tc, index_and_etag_texts);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
