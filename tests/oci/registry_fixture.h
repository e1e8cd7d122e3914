/* registry_fixture.h: a real registry (Debian's docker-registry) on loopback for one test program, and an adapter to push.
 * A machine without it skips the program: exit code 77. */
#pragma once
#include "base/clock.h"
#include "base/fd.h"
#include "http/client.h"
#include "oci/oci.h"
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

struct real_registry { pid_t pid; int port; char folder[64]; };

static inline int real_registry_free_port(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		abort();
	close(fd);
	return ntohs(sa.sin_port);
}

static inline bool real_registry_answers(int port)
{
	struct http_client *c = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE});
	char *url = mem_printf("http://127.0.0.1:%d/v2/", port);
	struct http_response r = {0};
	bool ok = http_client_send(c, &(struct http_request){.method = "GET", .url = url, .once = true}, &r, NULL) == 0;
	http_response_done(&r);
	http_client_free(c);
	free(url);
	return ok;
}

/* password_file: htpasswd with a bcrypt hash, or NULL for an open registry. */
static inline void real_registry_start(struct real_registry *r, const char *password_line)
{
	struct err err = ERR_INIT;
	snprintf(r->folder, sizeof r->folder, "/tmp/kaito-registry-XXXXXX");
	if (!mkdtemp(r->folder))
		abort();
	r->port = real_registry_free_port();
	char *config = fd_join(r->folder, "config.yml"), *passwords = fd_join(r->folder, "htpasswd"), *log = fd_join(r->folder, "log");
	char *auth = password_line ? mem_printf("auth:\n  htpasswd:\n    realm: test\n    path: %s\n", passwords) : mem_strdup("");
	char *text = mem_printf("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s/data\n  delete:\n    enabled: true\n"
				"http:\n  addr: 127.0.0.1:%d\n%s",
				r->folder, r->port, auth);
	if (fd_write_file(config, text, strlen(text), 0644, &err) < 0 ||
	    (password_line && fd_write_file(passwords, password_line, strlen(password_line), 0644, &err) < 0))
		abort();
	r->pid = fork();
	if (r->pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		dup2(fd, 1);
		dup2(fd, 2);
		execlp("docker-registry", "docker-registry", "serve", config, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 200 && !real_registry_answers(r->port); i++) {
		clock_sleep_ms(50);
		int status;
		if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
			if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
				fprintf(stderr, "skipped: docker-registry is not installed\n");
				exit(77);
			}
			fprintf(stderr, "docker-registry ended, see %s\n", log);
			abort();
		}
	}
	free(config), free(passwords), free(log), free(auth), free(text);
}

static inline void real_registry_stop(struct real_registry *r)
{
	kill(r->pid, SIGTERM);
	waitpid(r->pid, NULL, 0);
	(void)!fd_remove_tree(r->folder, NULL);
}

/* The folder gets an adapter whose weights are `size` bytes that do not compress. */
static inline void make_adapter(const char *folder, size_t size, unsigned seed)
{
	struct err err = ERR_INIT;
	static const char CONFIG[] = "{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"HuggingFaceTB/SmolLM2-135M-Instruct\", \"r\": 8}";
	char *config = fd_join(folder, "adapter_config.json"), *weights = fd_join(folder, "adapter_model.safetensors"), *data = mem_alloc(size);
	uint32_t x = seed * 2654435761u + 1;
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		data[i] = (char)x;
	}
	ck_assert_int_eq(fd_make_dirs(folder, &err), 0);
	ck_assert_int_eq(fd_write_file(config, CONFIG, sizeof CONFIG - 1, 0644, &err), 0);
	ck_assert_int_eq(fd_write_file(weights, data, size, 0644, &err), 0);
	free(config), free(weights), free(data);
}

static inline void expect_same_file(const char *a_folder, const char *b_folder, const char *name)
{
	char *a = fd_join(a_folder, name), *b = fd_join(b_folder, name);
	struct buf x = {0}, y = {0};
	struct err err = ERR_INIT;
	ck_assert_msg(fd_read_file(a, (size_t)1 << 30, &x, &err) == 0 && fd_read_file(b, (size_t)1 << 30, &y, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(x.len, y.len);
	ck_assert_int_eq(memcmp(x.data, y.data, x.len), 0);
	buf_done(&x), buf_done(&y);
	free(a), free(b);
}
