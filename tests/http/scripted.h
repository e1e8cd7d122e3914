/* scripted.h: starts scripted_server.py for a test program. It ends when the program does: its standard input closes. */
#pragma once
#include "base/fd.h"
#include "codec/json.h"
#include "http/client.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

struct scripted { int port, to_server; pid_t pid; };

static inline void scripted_start(struct scripted *s, const char *module)
{
	int in[2], out[2];
	const char *root = getenv("KAITO_SOURCE_ROOT");
	char *script = fd_join(root ? root : ".", "tests/http/scripted_server.py");
	char *extra = module ? fd_join(root ? root : ".", module) : NULL;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		abort();
	s->pid = fork();
	if (s->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("python3", "python3", script, extra, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	s->to_server = in[1];
	char line[16] = "";
	for (size_t n = 0; n + 1 < sizeof line && read(out[0], line + n, 1) == 1 && line[n] != '\n'; n++)
		;
	s->port = (int)strtol(line, NULL, 10);
	close(out[0]);
	free(script);
	free(extra);
	if (s->port == 0) {
		fprintf(stderr, "scripted_server.py did not start\n");
		abort();
	}
}

static inline void scripted_stop(struct scripted *s)
{
	close(s->to_server);
	waitpid(s->pid, NULL, 0);
}

/* The requests since the last call: an array of objects; the caller's to free. */
static inline json_t *scripted_log(const struct scripted *s)
{
	struct http_client *c = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE});
	char *url = mem_printf("http://127.0.0.1:%d/_log", s->port);
	struct http_response r = {0};
	struct err err = ERR_INIT;
	json_t *log = NULL;
	ck_assert_msg(http_client_send(c, &(struct http_request){.method = "GET", .url = url}, &r, &err) == 0, "%s", err.message);
	ck_assert_msg(json_parse(&log, buf_str(&r.body), "log", &err) == 0, "%s", err.message);
	http_response_done(&r);
	http_client_free(c);
	free(url);
	return log;
}

static inline const char *scripted_log_string(const json_t *log, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(log, i), key));
}
