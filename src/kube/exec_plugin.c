/* exec_plugin.c: see exec_plugin.h. */
#include "kube/exec_plugin.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/vec.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 60000
#define END_LOOK_MS 5

extern char **environ;

void exec_credential_done(struct exec_credential *c)
{
	free(c->token);
	free(c->cert);
	free(c->key);
	*c = (struct exec_credential){0};
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static int take_text(const json_t *status, const char *key, char **out, struct err *err)
{
	const char *value = NULL;
	if (json_get_string(status, key, "status", &value, err) < 0)
		return -1;
	*out = value && value[0] ? mem_strdup(value) : NULL;
	return 0;
}

static int read_status(const json_t *status, struct exec_credential *c, struct err *err)
{
	const char *expires = NULL;
	if (take_text(status, "token", &c->token, err) < 0 || take_text(status, "clientCertificateData", &c->cert, err) < 0 ||
	    take_text(status, "clientKeyData", &c->key, err) < 0 || json_get_string(status, "expirationTimestamp", "status", &expires, err) < 0)
		return -1;
	if (!c->token && !c->cert)
		return err_set(err, ERR_DENIED, "its status has neither a token nor a certificate");
	if (!c->cert != !c->key)
		return err_set(err, ERR_DENIED, "its status has a certificate or its key, but not both");
	c->expires_s = expires ? clock_of_rfc3339(expires) : 0;
	return c->expires_s < 0 ? err_set(err, ERR_DENIED, "its expirationTimestamp is not a time") : 0;
}

int exec_plugin_parse(str text, const char *api_version, struct exec_credential *out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *answer = NULL;
	if (json_parse(&answer, text, "ExecCredential", err) < 0)
		return -1;
	const char *kind = json_text_at(answer, "", "kind", NULL), *version = json_text_at(answer, "", "apiVersion", NULL);
	if (strcmp(kind, "ExecCredential") != 0 || strcmp(version, api_version) != 0)
		return err_set(err, ERR_DENIED, "it printed '%.60s' of '%.60s', not ExecCredential of %s", kind, version, api_version);
	struct exec_credential c = {0};
	if (read_status(json_object_get(answer, "status"), &c, err) < 0) {
		exec_credential_done(&c);
		return -1;
	}
	*out = c;
	return 0;
}

/* --- the call -------------------------------------------------------------------------------------------------- */

static json_t *cluster_info(const struct kube_config *c)
{
	json_t *cluster = json_object();
	json_object_set_new(cluster, "server", json_string(c->server));
	if (c->tls.server_name)
		json_object_set_new(cluster, "tls-server-name", json_string(c->tls.server_name));
	if (c->tls.insecure)
		json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
	if (c->tls.ca.len) {
		CLEANUP(mem_freep) char *data = base64_encode(BASE64_STANDARD, c->tls.ca);
		json_object_set_new(cluster, "certificate-authority-data", json_string(data));
	}
	if (c->proxy)
		json_object_set_new(cluster, "proxy-url", json_string(c->proxy));
	return cluster;
}

static char *exec_info(const struct kube_config *c)
{
	json_t *spec = json_object();
	json_object_set_new(spec, "interactive", json_false());
	if (c->exec.provide_cluster)
		json_object_set_new(spec, "cluster", cluster_info(c));
	CLEANUP(json_decrefp) json_t *info = json_pack("{s:s, s:s, s:o}", "kind", "ExecCredential", "apiVersion", c->exec.api_version, "spec", spec);
	struct buf out = {0};
	buf_puts(&out, "KUBERNETES_EXEC_INFO=");
	json_print(info, JSON_PRINT_COMPACT, &out);
	return buf_take(&out);
}

typedef VEC(char *) texts;

static bool is_named(const char *pair, const char *other)
{
	size_t len = strcspn(other, "=");
	return strncmp(pair, other, len) == 0 && pair[len] == '=';
}

/* The program's environment: ours, the kubeconfig's pairs, the request; a later pair replaces an earlier one. */
static void put_pair(texts *list, char *pair)
{
	for (size_t i = 0; i < list->len; i++)
		if (is_named(list->data[i], pair)) {
			list->data[i] = pair;
			return;
		}
	vec_push(list, pair);
}

static int start(const struct kube_config *c, int output, pid_t *pid)
{
	texts arguments = {0}, environment = {0};
	CLEANUP(mem_freep) char *info = exec_info(c);
	vec_push(&arguments, (char *)(uintptr_t)c->exec.command);
	for (const char *const *a = c->exec.args; a && *a; a++)
		vec_push(&arguments, (char *)(uintptr_t)*a);
	vec_push(&arguments, NULL);
	for (char **e = environ; *e; e++)
		vec_push(&environment, *e);
	for (const char *const *e = c->exec.env; e && *e; e++)
		put_pair(&environment, (char *)(uintptr_t)*e);
	put_pair(&environment, info);
	vec_push(&environment, NULL);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawnattr_t attributes;
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); /* so that what it starts can be ended with it */
	int rc = posix_spawnp(pid, c->exec.command, &actions, &attributes, arguments.data, environment.data);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	vec_done(&arguments);
	vec_done(&environment);
	return rc;
}

/* How long the program may take. */
struct patience { int64_t deadline_ms; const atomic_bool *cancel; };

static int wait_on(const struct patience *p, struct err *err)
{
	if (p->cancel && atomic_load(p->cancel))
		return err_set(err, ERR_CANCELLED, "stopped");
	if (clock_now_ms() >= p->deadline_ms)
		return err_set(err, ERR_TIMEOUT, "it did not end within %d seconds", DEADLINE_MS / 1000);
	return 0;
}

/* Reads until the program closes its output. */
static int collect(int fd, const struct patience *patience, struct buf *out, struct err *err)
{
	for (;;) {
		if (wait_on(patience, err) < 0)
			return -1;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, 100) <= 0)
			continue;
		char *into = buf_reserve(out, 4096);
		if (!into)
			return err_set(err, ERR_LIMIT, "it printed more than %zu bytes", out->max);
		ssize_t n = read(fd, into, 4096);
		if (n < 0 && errno != EINTR)
			return err_set_errno(err, ERR_IO, errno, "reading its output");
		if (n == 0)
			return 0;
		out->len += n > 0 ? (size_t)n : 0;
	}
}

/* A program that has closed its output need not have ended. */
static int finish(pid_t pid, int rc, const struct patience *patience, struct err *err)
{
	int status = 0;
	pid_t ended = 0;
	while (rc == 0 && (ended = waitpid(pid, &status, WNOHANG)) == 0) {
		rc = wait_on(patience, err);
		if (rc == 0)
			clock_sleep_ms(END_LOOK_MS);
	}
	if (rc < 0) {
		kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return rc;
	}
	if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, ERR_DENIED, "it failed with exit status %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int run(const struct kube_config *c, const atomic_bool *cancel, struct buf *output, struct err *err)
{
	const struct patience patience = {clock_now_ms() + DEADLINE_MS, cancel};
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot make a pipe");
	pid_t pid;
	int failure = start(c, ends[1], &pid);
	close(ends[1]);
	int rc;
	if (failure)
		rc = err_set_errno(err, ERR_DENIED, failure, "cannot run it%s%s", c->exec.install_hint ? "; " : "",
				   c->exec.install_hint ? c->exec.install_hint : "");
	else
		rc = finish(pid, collect(ends[0], &patience, output, err), &patience, err);
	close(ends[0]);
	return rc;
}

int exec_plugin_run(const struct kube_config *config, const atomic_bool *cancel, struct exec_credential *out, struct err *err)
{
	CLEANUP(buf_done) struct buf output = {.max = LIMIT_KUBE_CREDENTIAL_BYTES};
	if (run(config, cancel, &output, err) < 0 || exec_plugin_parse(buf_str(&output), config->exec.api_version, out, err) < 0)
		return err_wrap(err, "credential plug-in '%s'", config->exec.command);
	return 0;
}
