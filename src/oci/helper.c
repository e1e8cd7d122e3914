/* helper.c: runs a Docker credential helper: the registry on its standard input, a JSON object on its standard output.
 * Its standard error is dropped, since helpers print secrets there when they fail. */
#include "oci/credentials.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/json.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define HELPER_TIMEOUT_MS 30000
#define END_LOOK_MS 5
#define HELPER_OUTPUT_MAX ((size_t)64 << 10)

extern char **environ;

struct child { pid_t pid; int in, out; };

static int start(const char *program, struct child *child, struct err *err)
{
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_INTERNAL, errno, "cannot create a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]), close(in[1]);
		return err_set_errno(err, ERR_INTERNAL, errno, "cannot create a pipe");
	}
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	char *argv[] = {(char *)(uintptr_t)program, (char[]){"get"}, NULL};
	int rc = posix_spawnp(&child->pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]), close(out[1]);
	child->in = in[1], child->out = out[0];
	if (rc != 0) {
		close(in[1]), close(out[0]);
		return err_set_errno(err, ERR_CONFIG, rc, "cannot run the credential helper %s", program);
	}
	return 0;
}

static int too_late(const char *program, struct err *err)
{
	return err_set(err, ERR_TIMEOUT, "the credential helper %s did not answer within %d s", program, HELPER_TIMEOUT_MS / 1000);
}

/* Everything the helper prints, until it closes its output or the time is over. */
static int collect(struct child *child, const char *program, int64_t end, struct buf *out, struct err *err)
{
	for (;;) {
		struct pollfd p = {.fd = child->out, .events = POLLIN};
		int64_t left = end - clock_now_ms();
		int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return too_late(program, err);
		char chunk[4096];
		ssize_t n = read(child->out, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		buf_put(out, chunk, (size_t)n);
		if (out->overflow)
			return err_set(err, ERR_LIMIT, "the credential helper %s prints too much", program);
	}
}

/* A helper that has closed its output need not have ended. */
static int finish(const struct child *child, const char *program, int64_t end, int rc, bool *succeeded, struct err *err)
{
	int status = 0;
	pid_t ended = 0;
	while (rc == 0 && (ended = waitpid(child->pid, &status, WNOHANG)) == 0) {
		if (clock_now_ms() >= end)
			rc = too_late(program, err);
		else
			clock_sleep_ms(END_LOOK_MS);
	}
	if (rc < 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	*succeeded = rc == 0 && ended == child->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return rc;
}

static int run(const char *program, const char *server, struct buf *out, bool *succeeded, struct err *err)
{
	struct child child;
	if (start(program, &child, err) < 0)
		return -1;
	/* A helper that does not read its input closes the pipe; that write's SIGPIPE must not end us. */
	sigset_t pipe_signal, old;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &old);
	ssize_t sent = write(child.in, server, strlen(server));
	if (sent < 0 && errno == EPIPE)
		sigtimedwait(&pipe_signal, NULL, &(struct timespec){0});
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(child.in);
	int64_t end = clock_now_ms() + HELPER_TIMEOUT_MS;
	int rc = collect(&child, program, end, out, err);
	close(child.out);
	return finish(&child, program, end, rc, succeeded, err);
}

static void decref(json_t **value) { json_decref(*value); }

static int read_answer(str text, const char *program, struct credentials *out, struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	if (json_parse(&root, text, program, NULL) < 0)
		return err_set(err, ERR_CONFIG, "the credential helper %s did not print JSON", program);
	const char *user = json_string_value(json_object_get(root, "Username")), *secret = json_string_value(json_object_get(root, "Secret"));
	if (!user || !secret)
		return err_set(err, ERR_CONFIG, "the credential helper %s printed no Username and Secret", program);
	if (strcmp(user, "<token>") == 0) {
		out->identity_token = mem_strdup(secret);
	} else {
		out->user = mem_strdup(user);
		out->password = mem_strdup(secret);
	}
	return 0;
}

int credentials_from_helper(const char *name, const char *registry, struct credentials *out, struct err *err)
{
	for (const char *p = name; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *p))
			return err_set(err, ERR_CONFIG, "'%.40s' is not the name of a credential helper", name);
	CLEANUP(mem_freep) char *program = mem_printf("docker-credential-%s", name);
	const char *server = strcmp(registry, "docker.io") == 0 ? "https://index.docker.io/v1/" : registry;
	struct buf text = {.max = HELPER_OUTPUT_MAX};
	bool succeeded = false;
	int rc = run(program, server, &text, &succeeded, err);
	if (rc == 0 && !succeeded)
		rc = text.data && strstr(text.data, "not found") ? 1 : err_set(err, ERR_DENIED, "the credential helper %s failed for %s", program, registry);
	else if (rc == 0)
		rc = read_answer(buf_str(&text), program, out, err);
	buf_done(&text);
	return rc;
}
