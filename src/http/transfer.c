/* transfer.c: see transfer.h. The address policy sits in the socket-opening callback: it sees the very address that is
 * about to be connected to, so a name that resolves differently the second time gains nothing. */
#include "http/transfer.h"

#include "base/clock.h"
#include "base/fd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define HEADERS_MAX ((size_t)256 << 10)
#define ERROR_BODY_MAX ((size_t)64 << 10)
#define BODY_MAX_DEFAULT ((size_t)1 << 20)

struct state {
	const struct transfer *x;
	char *scheme;
	struct transfer_result *result;
	size_t header_bytes;
	uint64_t sent;
	int64_t moved, moved_ms; /* bytes seen in both directions, and when the last of them moved */
	char refused[128];      /* why an address was not connected to */
	struct err *err;        /* set by a callback that stopped the transfer */
	bool stopped;
};

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct state *s = context;
	const char *range = "";
	enum address_class class = address_classify(&address->addr, &range);
	bool ok = purpose == CURLSOCKTYPE_IPCXN && address_allowed(class, s->x->reach);
	if (!ok && purpose == CURLSOCKTYPE_IPCXN && address_is_proxy(&address->addr, s->scheme))
		ok = true;
	if (!ok) {
		snprintf(s->refused, sizeof s->refused, "its address is %s", range);
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Behind a proxy the callback above sees the proxy only; a literal address in the URL can still be judged. */
static int check_literal(const struct transfer *x, const char *host, struct state *s)
{
	struct sockaddr_storage sa;
	const char *range = "";
	if (!address_parse(str_of(host), &sa) || address_allowed(address_classify((struct sockaddr *)&sa, &range), x->reach))
		return 0;
	snprintf(s->refused, sizeof s->refused, "its address is %s", range);
	return -1;
}

static int stop(struct state *s)
{
	s->stopped = true;
	return -1;
}

void transfer_put_header(struct http_response *r, str line)
{
	size_t colon = str_find(line, ':', 0);
	if (colon == line.len)
		return;
	str name = str_trim(str_sub(line, 0, colon)), value = str_trim(str_sub(line, colon + 1, line.len));
	char lower[128];
	if (name.len == 0 || name.len >= sizeof lower)
		return;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
	r->headers.free_value = free;
	const char *old = map_get(&r->headers, (str){lower, name.len});
	bool join = old && str_eq((str){lower, name.len}, STR("www-authenticate"));
	map_put(&r->headers, (str){lower, name.len}, join ? mem_printf("%s, %.*s", old, STR_FMT(value)) : mem_strndup(value.data, value.len));
}

static size_t on_header(char *data, size_t size, size_t n, void *context)
{
	struct state *s = context;
	str line = {data, size * n};
	s->header_bytes += line.len;
	if (s->header_bytes > HEADERS_MAX) {
		err_set(s->err, ERR_LIMIT, "the answer's headers are larger than %zu bytes", HEADERS_MAX);
		return stop(s), (size_t)0;
	}
	struct http_response *r = s->x->response;
	if (str_starts(line, STR("HTTP/"))) { /* the head of an interim answer is replaced by the next one */
		map_done(&r->headers);
		size_t space = str_find(line, ' ', 0);
		int64_t status = 0;
		if (space + 4 <= line.len)
			(void)str_to_i64(str_sub(line, space + 1, space + 4), &status);
		r->status = (int)status;
	} else {
		transfer_put_header(r, line);
	}
	return line.len;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct state *s = context;
	struct http_response *r = s->x->response;
	const struct http_request *q = s->x->request;
	size_t len = size * n;
	bool success = r->status >= 200 && r->status < 300;
	if (success && q->sink) {
		s->result->delivered = true;
		if (q->sink(q->context, r, data, len, s->err) < 0)
			return stop(s), (size_t)0;
		return len;
	}
	size_t max = !success ? ERROR_BODY_MAX : q->body_max ? q->body_max : BODY_MAX_DEFAULT;
	r->body.max = max;
	if (len > max - r->body.len) {
		if (success) {
			err_set(s->err, ERR_LIMIT, "the answer is larger than the limit of %zu bytes", max);
			return stop(s), (size_t)0;
		}
		buf_put(&r->body, data, max - r->body.len);
		return len;
	}
	buf_put(&r->body, data, len);
	return len;
}

static size_t on_read(char *out, size_t size, size_t n, void *context)
{
	struct state *s = context;
	const struct http_body *b = &s->x->request->body;
	size_t want = size * n;
	if (want > b->len - s->sent)
		want = (size_t)(b->len - s->sent);
	if (b->from_file && want) {
		ssize_t got;
		do
			got = pread(b->fd, out, want, (off_t)(b->offset + s->sent));
		while (got < 0 && errno == EINTR);
		if (got <= 0) {
			err_set_errno(s->err, ERR_IO, got < 0 ? errno : ESTALE, "cannot read the data to send");
			return stop(s), CURL_READFUNC_ABORT;
		}
		want = (size_t)got;
	} else if (want) {
		memcpy(out, (const char *)b->data + s->sent, want);
	}
	s->sent += want;
	if (s->x->request->sent && want)
		s->x->request->sent(s->x->request->context, s->sent);
	return want;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
	struct state *s = context;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > s->x->request->body.len)
		return CURL_SEEKFUNC_CANTSEEK;
	s->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool is_set(const atomic_bool *flag) { return flag && atomic_load(flag); }

static bool lease_over(const struct http_options *o, const struct http_request *q)
{
	int64_t until = o->until_ms && !q->any_time ? atomic_load(o->until_ms) : 0;
	return until && clock_now_ms() >= until && strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0;
}

int transfer_may_send(const struct http_options *o, const struct http_request *q, struct err *err)
{
	if ((!q->detached && is_set(o->cancel)) || is_set(q->cancel))
		return err_set(err, ERR_CANCELLED, "not sent: this process is stopping");
	return lease_over(o, q) ? err_set(err, ERR_CANCELLED, "not sent: the lease of this process is over") : 0;
}

/* libcurl calls this once it is connected, which may have taken a while, and before the first byte goes out. */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port)
{
	struct state *s = context;
	(void)peer, (void)local, (void)peer_port, (void)local_port;
	if (transfer_may_send(s->x->options, s->x->request, s->err) == 0)
		return CURL_PREREQFUNC_OK;
	s->stopped = true;
	return CURL_PREREQFUNC_ABORT;
}

/* libcurl calls this about once a second when nothing moves. Its own low-speed limit averages over five seconds more. */
static int on_progress(void *context, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total, curl_off_t ul)
{
	struct state *s = context;
	(void)dl_total, (void)ul_total;
	if ((!s->x->request->detached && is_set(s->x->options->cancel)) || is_set(s->x->request->cancel)) {
		err_set(s->err, ERR_CANCELLED, "the transfer was stopped");
		return stop(s);
	}
	int64_t moved = dl + ul + (int64_t)s->header_bytes, now = clock_now_ms();
	if (moved != s->moved || s->moved_ms == 0) {
		s->moved = moved;
		s->moved_ms = now;
	}
	int64_t stall_ms = s->x->request->stall_ms ? s->x->request->stall_ms : s->x->options->stall_s * 1000;
	if (now - s->moved_ms < stall_ms)
		return 0;
	err_set(s->err, ERR_TIMEOUT, "nothing was sent or received for %.3g seconds", (double)stall_ms / 1000);
	s->result->retryable = true;
	return stop(s);
}

/* What a failure of libcurl means. Codes not listed are ERR_NETWORK and not repeated. */
static const struct { CURLcode code; enum err_kind kind; bool again; } FAILURES[] = {
	{CURLE_COULDNT_RESOLVE_PROXY, ERR_NETWORK, true}, {CURLE_COULDNT_RESOLVE_HOST, ERR_NETWORK, true},
	{CURLE_COULDNT_CONNECT, ERR_NETWORK, true},       {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, true},
	{CURLE_PARTIAL_FILE, ERR_NETWORK, true},          {CURLE_SEND_ERROR, ERR_NETWORK, true},
	{CURLE_RECV_ERROR, ERR_NETWORK, true},            {CURLE_GOT_NOTHING, ERR_NETWORK, true},
	{CURLE_HTTP2, ERR_NETWORK, true},                 {CURLE_HTTP2_STREAM, ERR_NETWORK, true},
	{CURLE_SSL_CONNECT_ERROR, ERR_NETWORK, true},     {CURLE_URL_MALFORMAT, ERR_INVALID, false},
	{CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID, false}, {CURLE_PEER_FAILED_VERIFICATION, ERR_NETWORK, false},
	{CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, false},    {CURLE_OUT_OF_MEMORY, ERR_NO_MEMORY, false},
	{CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL, false},  {CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID, false},
};

static int failed(struct state *s, CURLcode code, const char *detail)
{
	CLEANUP(mem_freep) char *shown = http_redact_url(s->x->url);
	if (s->stopped)
		return err_wrap(s->err, "%s %s", s->x->request->method, shown);
	if (s->refused[0] && (code == CURLE_COULDNT_CONNECT || code == CURLE_OK))
		return err_set(s->err, ERR_DENIED, "%s %s: %s; --allow-private allows private and loopback ones", s->x->request->method, shown,
			       s->refused);
	enum err_kind kind = ERR_NETWORK;
	for (size_t i = 0; i < sizeof FAILURES / sizeof FAILURES[0]; i++)
		if (FAILURES[i].code == code) {
			kind = FAILURES[i].kind;
			s->result->retryable = FAILURES[i].again;
		}
	return err_set(s->err, kind, "%s %s: %s", s->x->request->method, shown, detail[0] ? detail : curl_easy_strerror(code));
}

static void set_body(CURL *h, const struct http_request *q, struct state *s)
{
	if (strcmp(q->method, "HEAD") == 0) {
		curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
		return;
	}
	if (q->body.len || (strcmp(q->method, "GET") != 0 && strcmp(q->method, "DELETE") != 0)) {
		curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body.len);
		curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(h, CURLOPT_READDATA, s);
		curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(h, CURLOPT_SEEKDATA, s);
	}
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, q->method);
}

static struct curl_slist *header_list(const struct transfer *x)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no wait for "100 Continue" */
	for (const char *const *h = x->request->headers; h && *h; h++)
		list = curl_slist_append(list, *h);
	if (x->authorization) {
		CLEANUP(mem_freep) char *line = mem_printf("Authorization: %s", x->authorization);
		list = curl_slist_append(list, line);
	}
	return list;
}

static struct curl_blob blob(str pem) { return (struct curl_blob){(void *)(uintptr_t)pem.data, pem.len, CURL_BLOB_COPY}; }

/* The system's authorities cost two megabytes of memory once loaded, so they are left alone where they are not asked. */
static void set_tls(CURL *h, const struct http_tls *tls)
{
	struct curl_blob ca = blob(tls->ca), cert = blob(tls->cert), key = blob(tls->key);
	if (tls->ca.len)
		curl_easy_setopt(h, CURLOPT_CAINFO_BLOB, &ca);
	if (tls->ca.len || tls->insecure) {
		curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(h, CURLOPT_CAINFO, NULL);
	}
	if (tls->insecure) {
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (tls->cert.len)
		curl_easy_setopt(h, CURLOPT_SSLCERT_BLOB, &cert);
	if (tls->key.len)
		curl_easy_setopt(h, CURLOPT_SSLKEY_BLOB, &key);
}

static void set_options(CURL *h, const struct transfer *x, struct state *s, char *detail)
{
	curl_easy_setopt(h, CURLOPT_URL, x->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_USERAGENT, x->options->user_agent);
	if (x->options->http1)
		curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (x->options->proxy)
		curl_easy_setopt(h, CURLOPT_PROXY, x->options->proxy);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L); /* a stop does not wait for a name service that is silent: its thread frees what it holds */
	curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(h, CURLOPT_PREREQDATA, s);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)x->options->connect_ms);
	if (x->request->once && x->request->total_ms)
		curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)x->request->total_ms);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, (long)(x->request->buffer_bytes ? x->request->buffer_bytes : x->options->buffer_bytes));
	curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, (long)x->options->buffer_bytes);
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (x->options->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, x->options->ca_file);
	if (x->request->tls)
		set_tls(h, x->request->tls);
	/* On a connection that it reuses libcurl silently repeats a request that got no answer; "once" must mean once. */
	bool fresh = x->fresh || (x->request->once && x->request->body.len && !x->request->repeatable);
	curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, s);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, s);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	set_body(h, x->request, s);
}

static bool peer_is_private(CURL *h)
{
	char *ip = NULL;
	struct sockaddr_storage sa;
	return curl_easy_getinfo(h, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip && address_parse(str_of(ip), &sa) &&
	       address_classify((struct sockaddr *)&sa, NULL) == ADDRESS_PRIVATE;
}

/* libcurl verifies the URL's host. So the other name goes into the URL, and where to connect is said apart. */
static struct curl_slist *rename_server(CURL *h, const struct transfer *x, struct curl_slist **headers)
{
	const char *name = x->request->tls ? x->request->tls->server_name : NULL;
	if (!name)
		return NULL;
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *url = NULL;
	struct curl_slist *connect = NULL;
	if (u && !curl_url_set(u, CURLUPART_URL, x->url, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) && !curl_url_set(u, CURLUPART_HOST, name, 0) &&
	    !curl_url_get(u, CURLUPART_URL, &url, 0)) {
		CLEANUP(mem_freep) char *to = mem_printf("::%s:%s", host, port);
		CLEANUP(mem_freep) char *line = mem_printf("Host: %s:%s", host, port);
		connect = curl_slist_append(NULL, to);
		*headers = curl_slist_append(*headers, line);
		curl_easy_setopt(h, CURLOPT_URL, url);
		curl_easy_setopt(h, CURLOPT_CONNECT_TO, connect);
	}
	curl_free(host);
	curl_free(port);
	curl_free(url);
	curl_url_cleanup(u);
	return connect;
}

static int perform(struct state *s, CURL *h)
{
	char detail[CURL_ERROR_SIZE] = "";
	long answered = 0, connects = 0; /* answered: the handle's last status, 0 when it was never used */
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &answered);
	curl_easy_reset(h);
	set_options(h, s->x, s, detail);
	struct curl_slist *headers = header_list(s->x);
	struct curl_slist *connect = rename_server(h, s->x, &headers);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	CURLcode code = curl_easy_perform(h);
	curl_slist_free_all(headers);
	curl_slist_free_all(connect);
	s->x->response->reconnected = answered && curl_easy_getinfo(h, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects > 0;
	s->x->response->private_peer = s->x->reach != ADDRESS_REACH_ANY && peer_is_private(h);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, NULL);
	return code == CURLE_OK ? 0 : failed(s, code, detail);
}

int transfer_run(const struct transfer *x, CURL *handle, struct transfer_result *result, struct err *err)
{
	CLEANUP(mem_freep) char *scheme = NULL;
	CLEANUP(mem_freep) char *host = NULL;
	struct state s = {.x = x, .result = result, .err = err};
	if (transfer_may_send(x->options, x->request, err) < 0)
		return err_wrap(err, "%s", x->request->method);
	if (x->reach == ADDRESS_REACH_ANY) /* nothing to judge; libcurl refuses what is no URL */
		return perform(&s, handle);
	if (!http_url_parts(x->url, &scheme, &host) || !host)
		return err_set(err, ERR_INVALID, "not a URL that can be fetched: %.80s", strpbrk(x->url, "@?") ? "(not shown: it may hold a password)" : x->url);
	s.scheme = scheme;
	if (check_literal(x, host, &s) < 0)
		return failed(&s, CURLE_OK, "");
	return perform(&s, handle);
}

int transfer_connect(const struct transfer *x, CURL *handle, struct transfer_result *result, struct err *err)
{
	char detail[CURL_ERROR_SIZE] = "";
	struct state s = {.x = x, .result = result, .err = err};
	set_options(handle, x, &s, detail);
	struct curl_slist *headers = NULL, *connect = rename_server(handle, x, &headers);
	curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(handle, CURLOPT_HTTPPROXYTUNNEL, 1L);
	CURLcode code = curl_easy_perform(handle);
	curl_slist_free_all(headers);
	curl_slist_free_all(connect);
	curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
	return code == CURLE_OK ? 0 : failed(&s, code, detail);
}
