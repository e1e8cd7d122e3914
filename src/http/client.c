/* client.c: the loop around single transfers (transfer.c): follow redirects under the policy, retry what may succeed
 * later, turn statuses into errors. */
#include "http/client.h"

#include "base/clock.h"
#include "base/limits.h"
#include "http/direct.h"
#include "http/transfer.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

#define IDLE_HANDLES 16
#define IDLE_MS 30000

struct idle { CURL *handle; int64_t since_ms; };

struct http_client {
	struct http_options options;
	char *ca_file;
	pthread_mutex_t mu;          /* guards idle */
	struct idle idle[IDLE_HANDLES]; /* each keeps its connections; the last used is used next, so the first is the longest idle */
	size_t idle_count;
	struct direct_pool direct;
};

static void start_library(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static const char *ca_from_environment(void)
{
	static const char *const NAMES[] = {"KAITO_CA_FILE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"};
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
		const char *value = getenv(NAMES[i]);
		if (value && value[0])
			return value;
	}
	return NULL;
}

struct http_client *http_client_new(const struct http_options *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, start_library);
	struct http_client *c = mem_alloc(sizeof *c);
	if (options)
		c->options = *options;
	struct http_options *o = &c->options;
	o->connect_ms = o->connect_ms ? o->connect_ms : 15000;
	o->stall_s = o->stall_s ? o->stall_s : 60;
	o->retry.attempts = o->retry.attempts ? o->retry.attempts : 5;
	o->retry.first_ms = o->retry.first_ms ? o->retry.first_ms : 500;
	o->retry.max_ms = o->retry.max_ms ? o->retry.max_ms : 30000;
	const char *ca = o->ca_file ? o->ca_file : ca_from_environment();
	c->ca_file = ca ? mem_strdup(ca) : NULL;
	o->ca_file = c->ca_file;
	o->user_agent = o->user_agent ? o->user_agent : "kaito";
	o->buffer_bytes = o->buffer_bytes ? o->buffer_bytes : 262144;
	pthread_mutex_init(&c->mu, NULL);
	direct_pool_init(&c->direct);
	return c;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->idle_count; i++)
		curl_easy_cleanup(c->idle[i].handle);
	direct_pool_done(&c->direct);
	pthread_mutex_destroy(&c->mu);
	free(c->ca_file);
	free(c);
}

const struct http_options *http_client_options(const struct http_client *c) { return &c->options; }

static CURL *take_handle(struct http_client *c)
{
	pthread_mutex_lock(&c->mu);
	CURL *handle = c->idle_count ? c->idle[--c->idle_count].handle : NULL;
	pthread_mutex_unlock(&c->mu);
	return handle ? handle : curl_easy_init();
}

/* What a busy hour left behind goes: an idle TLS connection is worth a hundred kilobytes. */
static CURL *drop_oldest(struct http_client *c, int64_t now)
{
	if (!c->idle_count || now - c->idle[0].since_ms < IDLE_MS)
		return NULL;
	CURL *oldest = c->idle[0].handle;
	memmove(c->idle, c->idle + 1, --c->idle_count * sizeof c->idle[0]);
	return oldest;
}

static void give_handle(struct http_client *c, CURL *handle)
{
	int64_t now = clock_now_ms();
	pthread_mutex_lock(&c->mu);
	CURL *surplus = drop_oldest(c, now);
	if (c->idle_count < IDLE_HANDLES) {
		c->idle[c->idle_count++] = (struct idle){handle, now};
		handle = NULL;
	}
	pthread_mutex_unlock(&c->mu);
	if (surplus)
		curl_easy_cleanup(surplus);
	if (handle)
		curl_easy_cleanup(handle);
}

void http_response_done(struct http_response *r)
{
	free(r->url);
	map_done(&r->headers);
	buf_done(&r->body);
	*r = (struct http_response){0};
}

const char *http_response_header(const struct http_response *r, const char *lower_case_name)
{
	return map_get(&r->headers, str_of(lower_case_name));
}

/* To add a status: a row. Statuses not listed go by their hundreds. */
static const struct { int status; enum err_kind kind; const char *say; } STATUSES[] = {
	{401, ERR_DENIED, "credentials are missing or refused (401)"},
	{403, ERR_DENIED, "access is forbidden (403)"},
	{404, ERR_NOT_FOUND, "not found (404)"},
	{407, ERR_DENIED, "the proxy wants credentials (407)"},
	{408, ERR_TIMEOUT, "the server gave up waiting (408)"},
	{410, ERR_NOT_FOUND, "gone (410)"},
	{413, ERR_LIMIT, "too large for the server (413)"},
	{429, ERR_BUSY, "too many requests (429); try later"},
	{503, ERR_BUSY, "the server is overloaded (503); try later"},
	{504, ERR_TIMEOUT, "the server's own peer timed out (504)"},
	{507, ERR_NO_SPACE, "the server's storage is full (507)"},
};

int http_status_error(int status, const char *doing, struct err *err)
{
	for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++)
		if (STATUSES[i].status == status)
			return err_set(err, STATUSES[i].kind, "%s: %s", doing, STATUSES[i].say);
	if (status >= 500)
		return err_set(err, ERR_NETWORK, "%s: the server failed (%d)", doing, status);
	return err_set(err, ERR_PROTOCOL, "%s: unexpected status %d", doing, status);
}

static bool is_redirect(int status, const char *method)
{
	bool plain = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	return status == 307 || status == 308 || (plain && (status == 301 || status == 302 || status == 303));
}

/* The absolute URL that Location names, or NULL with err. */
static char *next_url(const char *from, const char *location, struct err *err)
{
	char *next = http_url_resolve(from, location);
	CLEANUP(mem_freep) char *shown = http_redact_url(from);
	if (!next) {
		err_set(err, ERR_PROTOCOL, "%s redirects to something that is not an http URL", shown);
	} else if (strncasecmp(from, "https:", 6) == 0 && strncmp(next, "https:", 6) != 0) {
		err_set(err, ERR_DENIED, "%s redirects from https to plain http: refused", shown);
		free(next);
		next = NULL;
	}
	return next;
}

/* One request with its redirects. *delivered: the sink got bytes, so that only its owner can repeat the request. */
static int follow(struct http_client *c, CURL *handle, const struct http_request *request, struct http_response *out,
		  struct transfer_result *result, struct err *err)
{
	CLEANUP(mem_freep) char *url = mem_strdup(request->url);
	bool first_private = false;
	for (int hop = 0;; hop++) {
		enum address_reach reach = c->options.reach;
		if (request->trust_host && (hop == 0 || first_private || http_same_origin(url, request->url)))
			reach = ADDRESS_REACH_PRIVATE;
		struct transfer x = {
			.options = &c->options, .request = request, .url = url, .reach = reach, .response = out,
			.authorization = hop == 0 || http_same_origin(url, request->url) ? request->authorization : NULL,
			.fresh = hop > 0 && request->trust_host && reach == ADDRESS_REACH_PUBLIC,
		};
		if (transfer_run(&x, handle, result, err) < 0)
			return -1;
		first_private = hop == 0 ? out->private_peer : first_private;
		out->private_peer = first_private;
		free(out->url);
		out->url = mem_strdup(url);
		const char *location = http_response_header(out, "location");
		if (request->no_redirect || !location || !is_redirect(out->status, request->method))
			return 0;
		if (hop == LIMIT_REDIRECTS) {
			CLEANUP(mem_freep) char *shown = http_redact_url(request->url);
			return err_set(err, ERR_LIMIT, "%s: more than %d redirects", shown, LIMIT_REDIRECTS);
		}
		char *next = next_url(url, location, err);
		if (!next)
			return -1;
		free(url);
		url = next;
		http_response_done(out);
	}
}

static int send_with(struct http_client *c, CURL *handle, const struct http_request *request, struct http_response *out, struct err *err)
{
	for (unsigned attempt = 1;; attempt++) {
		struct transfer_result result = {0};
		int rc = follow(c, handle, request, out, &result, err);
		bool again = rc == 0 ? retry_status(out->status) : result.retryable;
		if (!again || request->once || result.delivered || attempt >= c->options.retry.attempts)
			return rc;
		int64_t asked = retry_after_ms(http_response_header(out, "retry-after"), clock_wall_s());
		if (asked > RETRY_AFTER_MAX_MS)
			return rc;
		http_response_done(out);
		if (retry_wait(retry_delay_ms(&c->options.retry, attempt, asked), c->options.cancel, err) < 0)
			return -1;
	}
}

int http_client_send(struct http_client *c, const struct http_request *request, struct http_response *out, struct err *err)
{
	struct err local = ERR_INIT;
	err = err ? err : &local;
	bool direct = direct_can(&c->options, request);
	CURL *handle = direct ? NULL : take_handle(c);
	if (!direct && !handle)
		return err_set(err, ERR_NO_MEMORY, "cannot create an HTTP handle");
	int rc = direct ? direct_send(&c->direct, &c->options, request, out, err) : send_with(c, handle, request, out, err);
	if (handle)
		give_handle(c, handle);
	if (rc < 0)
		http_response_done(out);
	return rc;
}
