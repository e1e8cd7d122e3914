/* request.c: see request.h.
 *
 * What is sent again: everything that was answered by 429 (it was not carried out) and by 503 with Retry-After; after a lost
 * connection only what may be carried out twice. One 401 is answered with fresh credentials. */
#include "kube/request.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "kube/managed_fields.h"
#include "kube/status.h"
#include <stdio.h>
#include <strings.h>

#define TRIES_BUSY 10
#define TRIES_LOST 4
#define STALL_MS 60000
#define ASKED_MAX_MS 60000 /* a server that asks for a longer pause is told no */
static const struct retry_policy PAUSES = {.attempts = TRIES_BUSY, .first_ms = 100, .max_ms = 2000};

/* --- paths ----------------------------------------------------------------------------------------------------- */

static void put_escaped(struct buf *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~", *p);
		if (plain)
			buf_putc(out, (char)*p);
		else
			buf_printf(out, "%%%02X", *p);
	}
}

char *kube_path(const struct kube_resource *r, const char *namespace_, const char *name, const char *subresource)
{
	struct buf out = {0};
	if (r->group[0])
		buf_printf(&out, "/apis/%s/%s", r->group, r->version);
	else
		buf_printf(&out, "/api/%s", r->version);
	if (r->namespaced && namespace_ && namespace_[0]) {
		buf_puts(&out, "/namespaces/");
		put_escaped(&out, namespace_);
	}
	buf_printf(&out, "/%s", r->plural);
	if (name) {
		buf_putc(&out, '/');
		put_escaped(&out, name);
	}
	if (subresource)
		buf_printf(&out, "/%s", subresource);
	return buf_take(&out);
}

void kube_path_query(struct buf *path, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	buf_printf(path, "%c%s=", memchr(path->data, '?', path->len) ? '&' : '?', key);
	put_escaped(path, value);
}

void kube_name_kind(const struct kube_resource *r, json_t *object)
{
	if (!json_is_object(object) || json_object_get(object, "kind"))
		return;
	CLEANUP(mem_freep) char *version = kube_api_version(r);
	json_object_set_new(object, "kind", json_string(r->kind));
	json_object_set_new(object, "apiVersion", json_string(version));
}

/* --- one try --------------------------------------------------------------------------------------------------- */

/* The segment at `at` and the offset after it. */
static str segment(const char *path, size_t *at)
{
	const char *start = path + *at + (path[*at] == '/');
	size_t len = strcspn(start, "/?");
	*at = (size_t)(start - path) + len;
	return (str){start, len};
}

/* "pods" of /api/v1/namespaces/a/pods/x, "jobs" of /apis/batch/v1/jobs; another path's first segment. */
static str resource_of(const char *path)
{
	size_t at = 0;
	str root = segment(path, &at);
	if (!str_eqz(root, "api") && !str_eqz(root, "apis"))
		return root;
	if (str_eqz(root, "apis"))
		segment(path, &at); /* group */
	segment(path, &at);         /* version */
	str plural = segment(path, &at);
	if (!str_eqz(plural, "namespaces"))
		return plural;
	str name = segment(path, &at), inner = segment(path, &at);
	return name.len && inner.len ? inner : plural;
}

/* The lock is held. */
static struct token_bucket *bucket_of(struct kube_client *c, str resource, int64_t now)
{
	size_t i = 0, len = resource.len < sizeof c->buckets[0].resource ? resource.len : sizeof c->buckets[0].resource - 1;
	resource.len = len;
	while (i < c->n_buckets && !str_eqz(resource, c->buckets[i].resource))
		i++;
	if (i == KUBE_BUCKETS)
		return &c->buckets[KUBE_BUCKETS - 1].tokens;
	if (i == c->n_buckets) {
		memcpy(c->buckets[i].resource, resource.data, len);
		token_bucket_init(&c->buckets[i].tokens, c->options.qps, c->options.burst, now);
		c->n_buckets++;
	}
	return &c->buckets[i].tokens;
}

static int wait_for_turn(struct kube_client *c, const char *path, const atomic_bool *cancel, struct err *err)
{
	pthread_mutex_lock(&c->mu);
	int64_t now = clock_now_ms(), delay = token_bucket_reserve(bucket_of(c, resource_of(path), now), now);
	pthread_mutex_unlock(&c->mu);
	return delay ? retry_wait(delay, cancel, err) : 0;
}

static const atomic_bool *cancel_of(const struct kube_client *c, const struct kube_request *q)
{
	return q->cancel || q->detached ? q->cancel : c->options.cancel;
}

struct relay { const struct kube_request *request; struct kube_sent *sent; };

static int relay(void *context, const struct http_response *head, const void *data, size_t len, struct err *err)
{
	struct relay *r = context;
	r->sent->delivered = true;
	return r->request->sink(r->request->context, head, data, len, err);
}

static int send_once(struct kube_client *c, const struct kube_request *q, const struct kube_credential *who, struct kube_sent *sent,
		     struct http_response *out, struct err *err)
{
	struct relay sink = {q, sent};
	CLEANUP(mem_freep) char *url = mem_printf("%s%s", c->config.server, q->path);
	CLEANUP(mem_freep) char *type = q->content_type ? mem_printf("Content-Type: %s", q->content_type) : NULL;
	const char *const headers[] = {"Accept: application/json, */*;q=0.1", type, NULL};
	const struct http_request request = {
		.method = q->method, .url = url, .headers = headers, .authorization = who->authorization, .tls = &who->tls,
		.body = {.data = q->body.data, .len = q->body.len}, .sink = q->sink ? relay : NULL, .context = &sink,
		.body_max = q->body_max ? q->body_max : LIMIT_KUBE_OBJECT_BYTES, .stall_ms = q->stall_ms ? q->stall_ms : STALL_MS,
		.buffer_bytes = q->buffer_bytes, .cancel = q->cancel, .detached = q->detached, .any_time = q->urgent, .repeatable = q->repeatable,
		.once = true, .no_redirect = true,
	};
	int rc = http_client_send(c->http, &request, out, err);
	if (c->options.on_request)
		c->options.on_request(c->options.context_for_on_request, q->method, rc < 0 ? 0 : out->status);
	return rc;
}

/* --- the loop -------------------------------------------------------------------------------------------------- */

struct tries { unsigned busy, lost; uint64_t refused; };

static bool may_retry_lost(const struct kube_request *q, struct tries *t, const struct err *err)
{
	return (err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT) && q->repeatable && !q->once && ++t->lost < TRIES_LOST;
}

/* The pause that an answer asks for before it is worth another try; -1: none is. */
static int64_t pause_after(const struct kube_request *q, const struct http_response *r, struct tries *t)
{
	int64_t asked = retry_after_ms(http_response_header(r, "retry-after"), clock_wall_s());
	bool again = r->status == 429 || (r->status == 503 && asked >= 0 && q->repeatable);
	if (!again || q->once || ++t->busy >= TRIES_BUSY || asked > ASKED_MAX_MS)
		return -1;
	return retry_delay_ms(&PAUSES, t->busy, asked);
}

/* 0: answered by 2xx; 1: again; -1: no. */
static int try_once(struct kube_client *c, const struct kube_request *q, struct tries *t, struct buf *body, struct kube_sent *sent, struct err *err)
{
	CLEANUP(kube_credential_unrefp) struct kube_credential *who = NULL;
	CLEANUP(http_response_done) struct http_response answer = {0};
	if (kube_credentials_get(c->credentials, t->refused, &who, err) < 0 || (!q->urgent && wait_for_turn(c, q->path, cancel_of(c, q), err) < 0))
		return -1;
	int64_t pause;
	if (send_once(c, q, who, sent, &answer, err) < 0) {
		sent->maybe_before = true;
		if (sent->delivered || !may_retry_lost(q, t, err))
			return -1;
		pause = retry_delay_ms(&PAUSES, t->lost, 0);
	} else if (answer.status >= 200 && answer.status < 300) {
		*body = answer.body;
		answer.body = (struct buf){0};
		sent->maybe_before |= answer.reconnected;
		return 0;
	} else if (answer.status == 401 && !t->refused) {
		t->refused = who->number;
		return 1;
	} else if ((pause = pause_after(q, &answer, t)) < 0) {
		sent->maybe_before |= answer.reconnected;
		return kube_body_error(answer.status, buf_str(&answer.body), err);
	}
	http_response_done(&answer);
	return retry_wait(pause, cancel_of(c, q), err) < 0 ? -1 : 1;
}

int kube_request_send(struct kube_client *c, const struct kube_request *q, struct buf *body, struct kube_sent *sent, struct err *err)
{
	struct kube_sent unused = {0};
	struct err local = ERR_INIT;
	struct tries tries = {0};
	int rc;
	do
		rc = try_once(c, q, &tries, body, sent ? sent : &unused, err ? err : &local);
	while (rc > 0);
	return rc;
}

int kube_request_object(struct kube_client *c, const struct kube_request *q, json_t **out, struct kube_sent *sent, struct err *err)
{
	CLEANUP(buf_done) struct buf body = {0};
	if (kube_request_send(c, q, &body, sent, err) < 0)
		return -1;
	if (!out)
		return 0;
	json_t *object = NULL;
	if (managed_fields_parse(&object, buf_str(&body), "answer of the API server", err) < 0 || !json_is_object(object)) {
		json_decref(object);
		return err_set(err, ERR_PROTOCOL, "%s %s: the answer is not a JSON object", q->method, q->path);
	}
	*out = object;
	return 0;
}
