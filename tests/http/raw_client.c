/* raw_client.c: see raw_client.h. */
#include "http/raw_client.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int raw_connect(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		perror("raw_connect");
		abort();
	}
	return fd;
}

void raw_send(int fd, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		text += n;
		left -= (size_t)n;
	}
}

bool raw_read_until(int fd, struct buf *in, const char *pattern)
{
	int64_t until = clock_now_ms() + RAW_TIMEOUT_MS;
	for (;;) {
		if (pattern && in->len && strstr(in->data, pattern))
			return true;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = until - clock_now_ms();
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		char chunk[65536];
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		if (n <= 0)
			return !pattern;
		buf_put(in, chunk, (size_t)n);
	}
}

static void unchunk(const char *from, struct buf *out)
{
	for (;;) {
		char *end;
		unsigned long n = strtoul(from, &end, 16);
		if (n == 0 || strncmp(end, "\r\n", 2) != 0)
			return;
		size_t have = strnlen(end + 2, n);
		buf_put(out, end + 2, have);
		if (have < n)
			return;
		from = end + 2 + n + 2;
	}
}

struct raw_reply raw_parse(struct buf *in)
{
	struct raw_reply r = {0};
	char *text = buf_take(in), *split = strstr(text, "\r\n\r\n");
	if (sscanf(text, "HTTP/1.1 %d", &r.status) != 1)
		r.status = 0;
	if (split) {
		split[2] = 0;
		if (strcasestr(text, "transfer-encoding: chunked"))
			unchunk(split + 4, &r.body);
		else
			buf_puts(&r.body, split + 4);
	}
	buf_put(&r.body, "", 0);
	r.head = text;
	return r;
}

struct raw_reply raw_request(int port, const char *method, const char *path, const char *extra, const char *body)
{
	int fd = raw_connect(port);
	struct buf head = {0}, in = {0};
	buf_printf(&head, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s", method, path, extra ? extra : "");
	if (body)
		buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	buf_puts(&head, "\r\n");
	buf_puts(&head, body ? body : "");
	raw_send(fd, head.data);
	raw_read_until(fd, &in, NULL);
	close(fd);
	buf_done(&head);
	return raw_parse(&in);
}

void raw_reply_done(struct raw_reply *r)
{
	free(r->head);
	buf_done(&r->body);
}
