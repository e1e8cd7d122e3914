/* `kaito validate`, called as main calls it, with its output read back. */
#include "check_main.h"
#include "cmd/command.h"

#include "base/fd.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <unistd.h>

struct result { int rc; struct err err; struct buf out; };

static void write_text(const char *path, const char *text)
{
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600, &err), 0);
}

/* Runs with the text as FILE. Each test is a process of its own. */
static struct result run(const char *text, const char *flag, const char *value)
{
	struct result r = {.err = ERR_INIT};
	char in[] = "/tmp/kaito-validate-XXXXXX", out[] = "/tmp/kaito-validate-XXXXXX";
	close(mkstemp(in));
	int fd = mkstemp(out), saved = dup(STDOUT_FILENO);
	write_text(in, text);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	char *argv[] = {(char[]){"validate"}, in, (char *)(uintptr_t)flag, (char *)(uintptr_t)value, NULL};
	r.rc = cmd_validate(flag ? (value ? 4 : 3) : 2, argv, &r.err);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_read_file(out, 1 << 20, &r.out, &err), 0);
	unlink(in);
	unlink(out);
	return r;
}

#define HAS(r, words) ck_assert_msg(strstr(buf_str(&(r).out).data, words) != NULL, "%s", buf_str(&(r).out).data)

static const char GOOD[] =
	"# a comment before\n"
	"apiVersion: kaito.sh/v1beta1\n"
	"kind: Workspace\n"
	"metadata: {name: w}\n"
	"resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: w}}}\n"
	"inference: {preset: {name: phi-4-mini-instruct}}\n";

START_TEST(a_good_manifest_is_told_with_its_plan)
{
	struct result r = run(GOOD, NULL, NULL);
	ck_assert_msg(r.rc == 0, "%s", r.err.message);
	HAS(r, ": Workspace w (kaito.sh/v1beta1)\n");
	HAS(r, "plan: inference of microsoft/Phi-4-mini-instruct, runtime vllm, 1 node of Standard_NC24ads_A100_v4 (1 x NVIDIA A100, 80 GiB); makes 1 NodeClaim, "
	       "Service w, Service w-headless, StatefulSet w\n");
	ck_assert_ptr_null(strstr(r.out.data, "error"));
	buf_done(&r.out);
}
END_TEST

START_TEST(each_document_is_judged_and_the_exit_code_says_invalid)
{
	struct buf text = {0};
	buf_printf(&text, "%s---\n---\nkind: Other\n--- # next\n%s", GOOD,
		   "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: bad}\n"
		   "resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: w}}, count: 0}\n"
		   "inference: {preset: {name: nope}}\n");
	struct result r = run(text.data, NULL, NULL);
	ck_assert_int_lt(r.rc, 0);
	ck_assert_int_eq(r.err.kind, ERR_INVALID);
	ck_assert_str_eq(r.err.message, "1 of 2 objects would be refused");
	HAS(r, " line 11: Workspace bad (kaito.sh/v1beta1)\n  error: invalid value: Unsupported inference preset name nope: inference.presetName\n");
	HAS(r, "  warning: resource.count is 0: at least one node is always used\n");
	buf_done(&r.out);
	buf_done(&text);
}
END_TEST

START_TEST(what_stands_in_the_file_is_looked_up_there)
{
	struct buf text = {0};
	buf_printf(&text, "%s  config: mine\n", "apiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: w}\n"
		   "resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: w}}}\ninference:\n  preset: {name: phi-4-mini-instruct}\n");
	struct result r = run(text.data, NULL, NULL);
	ck_assert_int_eq(r.rc, 0);
	HAS(r, "  not checked: ConfigMap default/mine\n");
	buf_done(&r.out);
	buf_printf(&text, "---\nkind: ConfigMap\nmetadata: {name: mine}\ndata: {other: x}\n");
	r = run(text.data, NULL, NULL);
	ck_assert_int_lt(r.rc, 0);
	HAS(r, "  error: missing field(s): inference_config.yaml in ConfigMap\n");
	buf_done(&r.out);
	buf_done(&text);
}
END_TEST

START_TEST(unknown_and_mistyped_fields_are_named)
{
	struct buf text = {0};
	buf_printf(&text, "%sresorce: {}\n", GOOD);
	struct result r = run(text.data, NULL, NULL);
	ck_assert_int_lt(r.rc, 0);
	HAS(r, "  error: strict decoding error: unknown field \"resorce\"");
	buf_done(&r.out);
	buf_done(&text);
}
END_TEST

START_TEST(json_for_machines)
{
	struct result r = run(GOOD, "-o", "json");
	json_t *rows = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_eq(r.rc, 0);
	ck_assert_msg(json_parse(&rows, buf_str(&r.out), "output", &err) == 0, "%s", err.message);
	const json_t *row = json_array_get(rows, 0);
	ck_assert(json_is_true(json_object_get(row, "valid")) && json_is_false(json_object_get(row, "update")));
	ck_assert_int_eq(json_int_at(row, 0, "line", NULL), 2);
	ck_assert_int_eq(json_int_at(row, 0, "plan", "nodes", NULL), 1);
	ck_assert_str_eq(json_text_at(row, "", "plan", "objects", "#3", NULL), "StatefulSet w");
	ck_assert_uint_eq(json_array_size(json_object_get(row, "errors")), 0);
	json_decref(rows);
	buf_done(&r.out);
}
END_TEST

START_TEST(the_controllers_options_count)
{
	struct result r = run(GOOD, "--node-provisioner", "byo");
	ck_assert_int_lt(r.rc, 0);
	HAS(r, "instanceType must be empty when node auto-provisioning is disabled (BYO scenario)");
	buf_done(&r.out);
}
END_TEST

START_TEST(files_without_our_objects_and_bad_yaml_are_errors)
{
	struct result r = run("kind: Pod\n", NULL, NULL);
	ck_assert_int_lt(r.rc, 0);
	ck_assert_ptr_nonnull(strstr(r.err.message, "has no object of kaito.sh"));
	buf_done(&r.out);
	r = run("a: 1\n---\nb: [\n", NULL, NULL);
	ck_assert_int_lt(r.rc, 0);
	ck_assert_ptr_nonnull(strstr(r.err.message, "line 4"));
	buf_done(&r.out);
	r = run("", NULL, NULL);
	ck_assert_int_lt(r.rc, 0);
	buf_done(&r.out);
}
END_TEST

int main(void)
{
	CHECK_RUN("command", 30, a_good_manifest_is_told_with_its_plan, each_document_is_judged_and_the_exit_code_says_invalid,
		  what_stands_in_the_file_is_looked_up_there, unknown_and_mistyped_fields_are_named, json_for_machines, the_controllers_options_count,
		  files_without_our_objects_and_bad_yaml_are_errors);
}
