/* The shell programs of tuning pods, run as they are: the downloader with curl against a server of our own, the pusher with a played
 * oras, /proc and pause process. */
#include "base/buf.h"
#include "base/fd.h"
#include "check_main.h"
#include "codec/json.h"
#include "http/server.h"
#include "kube/meta.h"
#include "workload/tuning_scripts.h"
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[64]; /* of the running test */
static atomic_int flaky_calls;

static char *in_folder(const char *name) { return fd_join(folder, name); }

static void put_file(const char *name, const char *text, unsigned mode)
{
	char *path = in_folder(name);
	struct err err;
	ck_assert_msg(fd_write_file(path, text, strlen(text), mode, &err) == 0, "%s", err.message);
	ck_assert_int_eq(chmod(path, mode), 0);
	free(path);
}

static void make_folder(const char *name)
{
	char *path = in_folder(name);
	struct err err;
	ck_assert_int_eq(fd_make_dirs(path, &err), 0);
	free(path);
}

static void expect_file(const char *name, const char *text)
{
	char *path = in_folder(name);
	struct buf content = {0};
	struct err err;
	ck_assert_msg(fd_read_file(path, 1 << 20, &content, &err) == 0, "%s", err.message);
	ck_assert_str_eq(content.data, text);
	buf_done(&content);
	free(path);
}

static bool has_file(const char *name)
{
	char *path = in_folder(name);
	bool there = fd_exists(path);
	free(path);
	return there;
}

static void begin(void)
{
	snprintf(folder, sizeof folder, "/tmp/kaito-scripts-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	make_folder("bin");
	make_folder("data");
	make_folder("proc/1");
	char *log = in_folder("termination"), *proc = in_folder("proc"), *bin = in_folder("bin"), *path = mem_printf("%s:%s", bin, getenv("PATH"));
	setenv("KAITO_TERMINATION_LOG", log, 1);
	setenv("KAITO_PROC", proc, 1);
	setenv("KAITO_RETRY_SECONDS", "0", 1);
	setenv("KAITO_POLL_SECONDS", "0", 1);
	setenv("KAITO_START_POLLS", "20", 1);
	setenv("PATH", path, 1);
	setenv("FOLDER", folder, 1);
	free(log), free(proc), free(bin), free(path);
}

static void end(void)
{
	struct err err;
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}

/* Runs the script as the pod does; its exit code. */
static int run_script(const char *script)
{
	char *out = in_folder("output");
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	free(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The termination message, checked against the pod contract's shape. */
static json_t *message(const char *kind, int code)
{
	char *path = in_folder("termination");
	json_t *value = NULL;
	struct err err;
	ck_assert_msg(json_parse_file(&value, path, &err) == 0, "%s", err.message);
	ck_assert_str_eq(json_text_at(value, "", "kind", NULL), kind);
	ck_assert_int_eq(json_int_at(value, -1, "exitCode", NULL), code);
	for (int i = 0; i < ERR_KIND_COUNT; i++)
		if (strcmp(err_traits((enum err_kind)i)->name, kind) == 0) {
			ck_assert_str_eq(json_text_at(value, "", "reason", NULL), err_traits((enum err_kind)i)->reason);
			ck_assert_int_eq(err_traits((enum err_kind)i)->exit_code, code);
		}
	free(path);
	return value;
}

static void expect_message(const char *kind, int code, const char *part)
{
	json_t *value = message(kind, code);
	ck_assert_msg(strstr(json_text_at(value, "", "message", NULL), part) != NULL, "%s", json_text_at(value, "", "message", NULL));
	json_decref(value);
}

/* --- the downloader ------------------------------------------------------------------------------------------------ */

static int serve_file(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply(x, 200, "application/octet-stream", str_of(arena_printf(http_arena(x), "content of %.*s", STR_FMT(http_path(x)))));
}

static int serve_flaky(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply(x, atomic_fetch_add(&flaky_calls, 1) < 2 ? 503 : 200, "text/plain", STR("at last"));
}

static int serve_empty(struct http_exchange *x, struct err *err) { (void)err; return http_reply(x, 200, "text/plain", STR("")); }
static int serve_denied(struct http_exchange *x, struct err *err) { (void)err; return http_reply(x, 403, "text/plain", STR("no")); }
static int serve_moved(struct http_exchange *x, struct err *err)
{
	(void)err;
	http_reply_header(x, "Location", "/f/target.json");
	return http_reply(x, 302, "text/plain", STR(""));
}

static const struct http_route ROUTES[] = {
	{"GET", "/", serve_file, 0, NULL}, {"GET", "/denied", serve_denied, 0, NULL},
	{"GET", "/empty.csv", serve_empty, 0, NULL}, {"GET", "/f/{path...}", serve_file, 0, NULL}, {"GET", "/flaky.csv", serve_flaky, 0, NULL},
	{"GET", "/moved.json", serve_moved, 0, NULL},
};

/* ^ stands for the server's origin. */
static int download(const char *format)
{
	struct http_server *server;
	struct err err;
	struct http_server_options o = {.host = "127.0.0.1", .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0]};
	ck_assert_msg(http_server_start(&server, &o, &err) == 0, "%s", err.message);
	struct buf urls = {0};
	for (const char *p = format; *p; p++)
		if (*p == '^')
			buf_printf(&urls, "http://127.0.0.1:%d", http_server_port(server));
		else
			buf_putc(&urls, *p);
	char *data = in_folder("data"), *script = tuning_download_script();
	setenv("DATA_URLS", urls.data ? urls.data : "", 1);
	setenv("DATA_VOLUME_PATH", data, 1);
	int rc = run_script(script);
	http_server_free(server);
	buf_done(&urls);
	free(data);
	free(script);
	return rc;
}

START_TEST(files_are_named_by_their_urls)
{
	begin();
	ck_assert_int_eq(download("^/f/train.parquet?sig=secret&x=$(id)  ^/f/a%20b.csv#part ^/f/deep/train.parquet ^/ ^/f/*"), 0);
	expect_file("data/train.parquet", "content of /f/train.parquet");
	expect_file("data/a%20b.csv", "content of /f/a b.csv");
	expect_file("data/3-train.parquet", "content of /f/deep/train.parquet");
	expect_file("data/data-4", "content of /");
	expect_file("data/*", "content of /f/*");
	ck_assert(!has_file("termination"));
	char *output = in_folder("output");
	struct buf text = {0};
	struct err err;
	ck_assert_int_eq(fd_read_file(output, 1 << 20, &text, &err), 0);
	ck_assert_ptr_null(strstr(text.data, "secret"));
	buf_done(&text);
	free(output);
	end();
}
END_TEST

START_TEST(passing_failures_are_tried_again)
{
	begin();
	ck_assert_int_eq(download("^/flaky.csv ^/moved.json"), 0);
	expect_file("data/flaky.csv", "at last");
	expect_file("data/moved.json", "content of /f/target.json");
	ck_assert_int_eq(atomic_load(&flaky_calls), 3);
	end();
}
END_TEST

START_TEST(failures_are_told_and_leave_no_file)
{
	static const struct { const char *urls, *kind; int code; const char *part; } ROWS[] = {
		{"^/nothing.csv?sig=secret", "not_found", 8, "/nothing.csv: "}, {"^/denied", "denied", 11, "403"}, {"^/empty.csv", "data", 5, "is empty"},
		{"http://user:word@127.0.0.1:1/x.csv", "network", 15, "http://127.0.0.1:1/x.csv"}, {"ftp://127.0.0.1/x.csv", "invalid", 3, "ftp://127.0.0.1/x.csv"},
		{"file:///etc/passwd", "invalid", 3, "file://"}, {"", "invalid", 3, "no URL was given"},
	};
	begin();
	ck_assert_int_eq(download(ROWS[_i].urls), ROWS[_i].code);
	expect_message(ROWS[_i].kind, ROWS[_i].code, ROWS[_i].part);
	json_t *value = message(ROWS[_i].kind, ROWS[_i].code);
	ck_assert_ptr_null(strstr(json_text_at(value, "", "message", NULL), "secret"));
	ck_assert_ptr_null(strstr(json_text_at(value, "", "message", NULL), "word"));
	json_decref(value);
	ck_assert(!has_file("data/nothing.csv") && !has_file("data/empty.csv") && !has_file("data/x.csv"));
	end();
}
END_TEST

/* --- the pusher ---------------------------------------------------------------------------------------------------- */

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const char ORAS[] =
	"#!/bin/sh\n"
	"echo \"$@\" >>\"$FOLDER/oras.log\"\n"
	"case $1 in\n"
	"push) mkdir layout; cp config.json data.tar.gz \"$FOLDER\"; echo '{\"manifests\":[{\"digest\":\"" DIGEST "\"}]}' >layout/index.json ;;\n"
	"cp) n=$(sed -n 1p \"$FOLDER/fail\"); [ \"$n\" = 0 ] && exit 0; echo $((n - 1)) >\"$FOLDER/fail\"; sed -n p \"$FOLDER/why\" >&2; exit 1 ;;\n"
	"esac\n";
/* The training's command line, seen three times. */
static const char CAT[] = "#!/bin/sh\nn=$(sed -n 1p \"$FOLDER/runs\"); [ \"$n\" = 0 ] && exit 0; echo $((n - 1)) >\"$FOLDER/runs\"\n"
			  "printf 'python3\\0/workspace/tfs/fine_tuning.py\\0'\n";

static pid_t pause_pid;

static void play_pod(const char *failures, const char *why)
{
	put_file("bin/oras", ORAS, 0755);
	put_file("bin/cat", CAT, 0755);
	put_file("fail", failures, 0644);
	put_file("why", why, 0644);
	put_file("runs", "3", 0644);
	put_file("proc/1/comm", "pause\n", 0644);
	pause_pid = fork();
	if (pause_pid == 0) {
		signal(SIGTERM, SIG_DFL); /* Check's own ends the whole test */
		pause();
		_exit(0);
	}
	char *name = mem_printf("proc/%d", pause_pid), *comm = mem_printf("%s/comm", name);
	make_folder(name);
	put_file(comm, "pause\n", 0644);
	free(name);
	free(comm);
}

static void expect_pause_ended(void)
{
	int status;
	ck_assert_int_eq(waitpid(pause_pid, &status, 0), pause_pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static int push_adapter(const char *image)
{
	char *results = in_folder("it's results"), *script = NULL;
	struct err err;
	ck_assert_int_eq(pusher_script(results, image, "phi-3-mini-128k-instruct", &script, &err), 0);
	int rc = run_script(script);
	free(results);
	free(script);
	return rc;
}

static void put_results(void)
{
	make_folder("it's results");
	put_file("it's results/adapter_config.json", "{\"r\":8}", 0644);
	put_file("it's results/adapter_model.safetensors", "weights", 0644);
	put_file("it's results/fine_tuning_completed.txt", "done", 0644);
}

START_TEST(the_adapter_is_packed_and_pushed)
{
	begin();
	play_pod("2", "connection reset\n");
	put_results();
	ck_assert_int_eq(push_adapter("reg.example:5000/acme/adapter:0.0.1"), 0);
	expect_pause_ended();
	json_t *value = message("none", 0);
	ck_assert_str_eq(json_text_at(value, "", "image", NULL), "reg.example:5000/acme/adapter@" DIGEST);
	json_decref(value);
	char *log = in_folder("oras.log");
	struct buf text = {0};
	struct err err;
	ck_assert_int_eq(fd_read_file(log, 1 << 20, &text, &err), 0);
	ck_assert_str_eq(text.data, "push --oci-layout layout:adapter --config config.json:application/vnd.oci.image.config.v1+json --annotation "
				    "sh.kaito.model.name=phi-3-mini-128k-instruct data.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip\n"
				    "cp --from-oci-layout layout:adapter reg.example:5000/acme/adapter:0.0.1\n"
				    "cp --from-oci-layout layout:adapter reg.example:5000/acme/adapter:0.0.1\n"
				    "cp --from-oci-layout layout:adapter reg.example:5000/acme/adapter:0.0.1\n");
	buf_done(&text);
	free(log);
	/* The config's diff id is the digest of the tar inside the layer, which holds the two files. */
	ck_assert_int_eq(run_script("cd \"$FOLDER\" && [ \"$(sed -n p config.json)\" = \"{\\\"rootfs\\\":{\\\"diff_ids\\\":[\\\"sha256:$(gzip -dc data.tar.gz | sha256sum | cut -d' ' "
				    "-f1)\\\"]}}\" ] && [ \"$(tar -tzf data.tar.gz | sort | tr '\\n' ' ')\" = 'data/ data/adapter_config.json data/adapter_model.safetensors ' ]"),
			 0);
	end();
}
END_TEST

START_TEST(a_training_without_result_ends_the_pod)
{
	begin();
	play_pod("0", "");
	ck_assert_int_eq(push_adapter("reg.example/a:1"), 1);
	expect_pause_ended();
	ck_assert(!has_file("termination")); /* the training's own container tells why */
	ck_assert(!has_file("oras.log"));
	end();
}
END_TEST

START_TEST(a_training_that_never_starts_ends_the_pod)
{
	begin();
	play_pod("0", "");
	put_file("runs", "0", 0644);
	ck_assert_int_eq(push_adapter("reg.example/a:1"), 16);
	expect_pause_ended();
	expect_message("timeout", 16, "did not start within two hours");
	end();
}
END_TEST

START_TEST(an_incomplete_result_is_told)
{
	begin();
	play_pod("0", "");
	put_results();
	put_file("it's results/adapter_model.safetensors", "", 0644);
	ck_assert_int_eq(push_adapter("reg.example/a:1"), 6);
	expect_pause_ended();
	expect_message("model", 6, "adapter_model.safetensors is missing or empty");
	end();
}
END_TEST

START_TEST(a_registry_that_refuses_is_told)
{
	static const struct { const char *why, *kind; int code; const char *part; } ROWS[] = {
		{"Error: response status code 401: Unauthorized\n", "denied", 11, "refuses to take reg.example/a:1"},
		{"Error: dial tcp: \"lookup\" \\failed\n", "network", 15, "Error: dial tcp: lookup failed"},
	};
	begin();
	play_pod("99", ROWS[_i].why);
	put_results();
	ck_assert_int_eq(push_adapter("reg.example/a:1"), ROWS[_i].code);
	expect_pause_ended();
	expect_message(ROWS[_i].kind, ROWS[_i].code, ROWS[_i].part);
	end();
}
END_TEST

START_TEST(values_with_control_characters_are_refused)
{
	struct err err;
	char *script = NULL;
	ck_assert_int_lt(pusher_script("/mnt/results", "a\nb", "m", &script, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
}
END_TEST

/* What a Job carries has no comments and is not long. */
START_TEST(scripts_are_short)
{
	char *text = tuning_download_script();
	ck_assert_ptr_null(strstr(text, "\n#"));
	ck_assert_uint_lt(strlen(text), 4000);
	ck_assert_ptr_nonnull(strstr(tuning_download_sh, "\n# "));
	free(text);
}
END_TEST

int main(void)
{
	if (access("/usr/bin/curl", X_OK) != 0) {
		puts("skipped: curl is not installed");
		return CHECK_SKIPPED;
	}
	Suite *suite = suite_create("tuning_scripts");
	TCase *tcase = tcase_create("tuning_scripts");
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, files_are_named_by_their_urls);
	tcase_add_test(tcase, passing_failures_are_tried_again);
	tcase_add_loop_test(tcase, failures_are_told_and_leave_no_file, 0, 7);
	tcase_add_test(tcase, the_adapter_is_packed_and_pushed);
	tcase_add_test(tcase, a_training_without_result_ends_the_pod);
	tcase_add_test(tcase, a_training_that_never_starts_ends_the_pod);
	tcase_add_test(tcase, an_incomplete_result_is_told);
	tcase_add_loop_test(tcase, a_registry_that_refuses_is_told, 0, 2);
	tcase_add_test(tcase, values_with_control_characters_are_refused);
	tcase_add_test(tcase, scripts_are_short);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
