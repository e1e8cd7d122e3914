/* The script that unpacks an adapter image, run by /bin/sh with a skopeo of our own: good images, and what it tells when it fails. */
#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "workload/pod_spec.h"
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static char *read_file(const char *name)
{
	char path[256], text[4096] = "";
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	if (!f)
		return mem_strdup("");
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return mem_strdup(text);
}

/* A skopeo that answers like a registry: the image's last word says which. Two layers, the second replaces a file of the first. */
static const char SKOPEO[] =
	"#!/bin/sh\n"
	"auth=; [ \"$2\" = --authfile ] && { auth=$3; shift 2; }\n"
	"dir=${3#dir:}; root=${0%/*}\n"
	"case $2 in *private*) [ -n \"$auth\" ] || { echo 'time=x level=fatal msg=\"unauthorized: \\\"who\\\"\"' >&2; exit 1; } ;;\n"
	"*absent*) echo 'manifest unknown' >&2; exit 1 ;; *offline*) echo 'dial tcp: no route' >&2; exit 1 ;; esac\n"
	"mkdir -p \"$dir\" \"$root/one/data/sub\" \"$root/two/data\"\n"
	"echo '{}' > \"$root/one/data/adapter_config.json\"; echo old > \"$root/one/data/w\"; echo s > \"$root/one/data/sub/f\"; echo new > \"$root/two/data/w\"\n"
	"case $2 in *empty*) rm \"$root/one/data/adapter_config.json\" ;; esac\n"
	"a=$(printf 'a%.0s' $(seq 64)); b=$(printf 'b%.0s' $(seq 64)); c=$(printf 'c%.0s' $(seq 64))\n"
	"tar -czf \"$dir/$a\" -C \"$root/one\" data; tar -cf \"$dir/$b\" -C \"$root/two\" data; echo cfg > \"$dir/$c\"\n"
	"case $2 in *broken*) echo garbage > \"$dir/$b\" ;; esac\n"
	"printf '{\"config\": {\"digest\": \"sha256:%s\"},\\n\"layers\": [{\"digest\": \"sha256:%s\"},\\n{\"digest\":\"sha256:%s\"}]}' $c $a $b > \"$dir/manifest.json\"\n";

static void setup(void)
{
	snprintf(folder, sizeof folder, "/tmp/kaito-pull-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("skopeo", SKOPEO, 0755);
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	pid_t pid = fork();
	if (pid == 0)
		execl("/bin/sh", "sh", "-c", command, NULL);
	int status;
	while (waitpid(pid, &status, 0) < 0)
		;
}

/* The script for an image, as a pod carries it, with the credentials' folder moved below ours. */
static char *script_for(const char *image, const char *needs)
{
	char volume[128], target[160];
	snprintf(volume, sizeof volume, "%s/vol", folder);
	snprintf(target, sizeof target, "%s/vol/one's", folder);
	struct control_options options = control_options_default();
	struct workload_plan plan = {.o = &options};
	json_t *secrets = json_pack("[s]", "regcred"), *spec = json_object();
	struct pod_pull pull = {.container = "puller-x", .image = image, .credentials = "x", .secrets = secrets, .folder = target,
				.volume = "v", .mount_path = volume, .needs = needs};
	struct err err;
	ck_assert_msg(pod_add_pull(&plan, &pull, spec, &err) == 0, "%s", err.message);
	const char *text = json_text_at(spec, "", "initContainers", "#0", "args", "#0", NULL), *code = strstr(text, "set -fu");
	ck_assert_ptr_nonnull(code);
	char *script = mem_printf("%.*scredentials=%s/auth\n%s", (int)(code - text), text, folder, code);
	ck_assert_str_eq(json_text_at(spec, "", "initContainers", "#0", "image", NULL), options.image_skopeo);
	json_decref(spec);
	json_decref(secrets);
	return script;
}

static int run(const char *image, const char *needs)
{
	char path[256], log[128];
	snprintf(path, sizeof path, "%s:/usr/bin:/bin", folder);
	snprintf(log, sizeof log, "%s/termination", folder);
	write_file("termination", "", 0644);
	char *script = script_for(image, needs);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("PATH", path, 1);
		setenv("KAITO_TERMINATION_LOG", log, 1);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	int status = 0;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	free(script);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

START_TEST(layers_are_unpacked_in_order)
{
	setup();
	ck_assert_int_eq(run("registry.example.com/adapter:1", "adapter_config.json"), 0);
	char *w = read_file("vol/one's/w"), *below = read_file("vol/one's/sub/f"), *told = read_file("termination"), *left = read_file("vol/.puller-x/root/data/w");
	ck_assert_str_eq(w, "new\n");
	ck_assert_str_eq(below, "s\n");
	ck_assert_str_eq(told, "");
	ck_assert_str_eq(left, "");
	ck_assert_int_eq(run("registry.example.com/adapter:1", NULL), 0); /* again, after a restart */
	free(w);
	free(below);
	free(told);
	free(left);
	teardown();
}
END_TEST

static const struct { const char *image, *needs; enum err_kind kind; const char *says; } FAILURES[] = {
	{"r/private:1", "adapter_config.json", ERR_DENIED, "r/private:1"},
	{"r/absent:1", "adapter_config.json", ERR_NOT_FOUND, "does not exist"},
	{"r/offline:1", "adapter_config.json", ERR_NETWORK, "no route"},
	{"r/broken:1", "adapter_config.json", ERR_PROTOCOL, "cannot unpack layer sha256:bbbb"},
	{"r/empty:1", "adapter_config.json", ERR_MODEL, "has no /data/adapter_config.json"},
	{"r/adapter:1", "missing.json", ERR_MODEL, "missing.json"},
};

START_TEST(failures_are_told_in_the_termination_message)
{
	setup();
	int code = run(FAILURES[_i].image, FAILURES[_i].needs);
	const struct err_traits *traits = err_traits(FAILURES[_i].kind);
	ck_assert_int_eq(code, traits->exit_code);
	char *text = read_file("termination");
	json_t *told = json_loads(text, 0, NULL);
	ck_assert_msg(told != NULL, "%s", text);
	ck_assert_str_eq(json_text_at(told, "", "kind", NULL), traits->name);
	ck_assert_str_eq(json_text_at(told, "", "reason", NULL), traits->reason);
	ck_assert_int_eq(json_int_at(told, 0, "exitCode", NULL), traits->exit_code);
	ck_assert_msg(strstr(json_text_at(told, "", "message", NULL), FAILURES[_i].says) != NULL, "%s", text);
	json_decref(told);
	free(text);
	teardown();
}
END_TEST

START_TEST(secret_is_tried_first)
{
	char path[128];
	setup();
	snprintf(path, sizeof path, "%s/auth", folder);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	write_file("auth/regcred.json", "{}", 0644);
	ck_assert_int_eq(run("r/private:1", "adapter_config.json"), 0);
	teardown();
}
END_TEST

START_TEST(image_with_a_control_character_is_refused)
{
	struct control_options options = control_options_default();
	struct workload_plan plan = {.o = &options};
	json_t *spec = json_object();
	struct err err;
	struct pod_pull pull = {.container = "p", .image = "a\nb", .credentials = "c", .folder = "/f", .volume = "v", .mount_path = "/m"};
	ck_assert_int_lt(pod_add_pull(&plan, &pull, spec, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_uint_eq(json_object_size(spec), 0);
	json_decref(spec);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("image_pull");
	TCase *tcase = tcase_create("image_pull");
	tcase_add_test(tcase, layers_are_unpacked_in_order);
	tcase_add_loop_test(tcase, failures_are_told_in_the_termination_message, 0, (int)(sizeof FAILURES / sizeof FAILURES[0]));
	tcase_add_test(tcase, secret_is_tried_first);
	tcase_add_test(tcase, image_with_a_control_character_is_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
