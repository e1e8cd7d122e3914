/* arm.c: see arm.h. One function per concern around a single exchange: where it goes, what it carries, what the answer's headers mean,
 * and the two cases in which ARM expects a second request at once (a refused token, a provider that is not registered). */
#include "azure/arm.h"

#include "azure/arm_challenge.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_quick.h"
#include "http/client.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

#define REGISTER_API_VERSION "2019-05-01"
#define REGISTER_AGAIN_MS 15000     /* the caller asks again after this */
#define REGISTER_SPACING_MS 300000  /* between attempts for one namespace */
#define REGISTER_PERIOD_MS 3600000
#define REGISTER_ATTEMPTS 3         /* in one period */
#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 60000
#define RETRY_ASKED_MAX_MS 600000
#define CONDITION_MAX 256           /* bytes of an etag; one that is longer is refused, as leaving it out would change the request's meaning */
#define CONNECT_MS 30000
#define STALL_S 60
#define TOTAL_MS 60000
#define NAMESPACE_MAX 64

/* Attempts to register one resource provider. */
struct registration { char name[NAMESPACE_MAX + 1]; int64_t at_ms[REGISTER_ATTEMPTS]; unsigned count; };

struct arm {
	struct arm_options options;
	char *host, *port;             /* of ARM */
	struct http_client *http;
	pthread_mutex_t mu;            /* guards registrations */
	struct registration registrations[4];
};

/* --- life -------------------------------------------------------------------------------------------------------- */

static char *url_part(const char *url, CURLUPart what)
{
	CURLU *u = curl_url();
	char *value = NULL, *copy = NULL;
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(u, what, &value, CURLU_DEFAULT_PORT) == CURLUE_OK)
		copy = mem_strdup(value);
	curl_free(value);
	curl_url_cleanup(u);
	return copy ? copy : mem_strdup("");
}

struct arm *arm_new(const struct arm_options *o)
{
	struct arm *a = mem_alloc(sizeof *a);
	a->options = *o;
	a->options.now_ms = o->now_ms ? o->now_ms : clock_now_ms;
	a->options.api_version = o->api_version ? o->api_version : ARM_API_VERSION;
	pthread_mutex_init(&a->mu, NULL);
	a->host = url_part(o->environment->arm, CURLUPART_HOST);
	a->port = url_part(o->environment->arm, CURLUPART_PORT);
	/* The operator chose the endpoint, so no address is refused; a proxy of the environment is never meant for loopback. */
	a->http = http_client_new(&(struct http_options){
		.reach = ADDRESS_REACH_ANY, .connect_ms = CONNECT_MS, .stall_s = STALL_S, .user_agent = o->user_agent, .cancel = o->cancel, .until_ms = o->until_ms,
		.proxy = environment_is_loopback(o->environment->arm) ? "" : NULL, .buffer_bytes = 16384, .http1 = true, .direct = true,
	});
	return a;
}

void arm_free(struct arm *a)
{
	if (!a)
		return;
	http_client_free(a->http);
	pthread_mutex_destroy(&a->mu);
	free(a->host);
	free(a->port);
	free(a);
}

/* --- where requests go ------------------------------------------------------------------------------------------- */

static bool is_sub_host(const char *host, const char *of)
{
	size_t n = strlen(host), m = strlen(of);
	return n > m + 1 && host[n - m - 1] == '.' && strcasecmp(host + n - m, of) == 0;
}

/* ARM's own host, or a region's ("eastus.management.azure.com"), with the scheme and port of the configured endpoint: the token goes
 * nowhere else, whatever an answer says. */
static bool is_own(const struct arm *a, const char *url)
{
	const char *end = strstr(url, "://");
	if (!end || strncasecmp(url, a->options.environment->arm, (size_t)(end + 3 - url)) != 0 || strlen(url) > LIMIT_ARM_URL_BYTES)
		return false;
	size_t authority = strcspn(end + 3, "/?#");
	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == '\\' || (*p == '@' && p < end + 3 + authority))
			return false;
	CLEANUP(mem_freep) char *host = url_part(url, CURLUPART_HOST);
	CLEANUP(mem_freep) char *port = url_part(url, CURLUPART_PORT);
	return strcmp(port, a->port) == 0 && (strcasecmp(host, a->host) == 0 || is_sub_host(host, a->host));
}

static char *absolute_url(const struct arm *a, const struct arm_request *r, struct err *err)
{
	bool path = r->url[0] == '/';
	const char *version = r->api_version ? r->api_version : path ? a->options.api_version : "";
	if (!path && !is_own(a, r->url)) {
		CLEANUP(mem_freep) char *shown = http_redact_url(r->url);
		(void)err_set(err, ERR_DENIED, "'%.120s' is not at %s: the token is not sent there", shown, a->options.environment->arm);
		return NULL;
	}
	return mem_printf("%s%s%s%s%s", path ? a->options.environment->arm : "", r->url, !version[0] ? "" : strchr(r->url, '?') ? "&" : "?",
			  version[0] ? "api-version=" : "", version);
}

static void put_escaped(struct buf *out, const char *element)
{
	static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~";
	for (const char *p = element; *p; p++) {
		bool dots_only = *p == '.' && strspn(element, ".") == strlen(element); /* "." and ".." would change the path */
		if (strchr(PLAIN, *p) || (*p == '.' && !dots_only))
			buf_putc(out, *p);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*p);
	}
}

static void put_cluster_path(const struct azure_environment *e, struct buf *out)
{
	buf_puts(out, "/subscriptions/");
	put_escaped(out, e->subscription);
	buf_puts(out, "/resourceGroups/");
	put_escaped(out, e->resource_group);
	buf_puts(out, "/providers/Microsoft.ContainerService/managedClusters/");
	put_escaped(out, e->cluster);
}

char *arm_cluster_path(const struct azure_environment *e)
{
	struct buf out = {0};
	put_cluster_path(e, &out);
	return buf_take(&out);
}

char *arm_pool_path(const struct azure_environment *e, const char *pool)
{
	struct buf out = {0};
	put_cluster_path(e, &out);
	buf_puts(&out, "/agentPools");
	if (pool) {
		const char *slash = strchr(pool, '/');
		CLEANUP(mem_freep) char *name = mem_strndup(pool, slash ? (size_t)(slash - pool) : strlen(pool));
		buf_putc(&out, '/');
		put_escaped(&out, name);
		if (slash) {
			buf_puts(&out, "/machines/");
			put_escaped(&out, slash + 1);
		}
	}
	return buf_take(&out);
}

const char *arm_api_version(const struct arm *a) { return a->options.api_version ? a->options.api_version : ARM_API_VERSION; }

bool arm_same_id(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	while (n && a[n - 1] == '/')
		n--;
	while (m && b[m - 1] == '/')
		m--;
	return n == m && strncasecmp(a, b, n) == 0;
}

/* --- one exchange ------------------------------------------------------------------------------------------------ */

static void make_request_id(char out[37])
{
	unsigned char r[16] = {0};
	(void)!getrandom(r, sizeof r, 0);
	r[6] = (unsigned char)((r[6] & 0x0F) | 0x40); /* UUID version 4 */
	r[8] = (unsigned char)((r[8] & 0x3F) | 0x80);
	size_t n = 0;
	for (size_t i = 0; i < sizeof r; i++)
		n += (size_t)snprintf(out + n, 37 - n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
}

static bool is_header_value(const char *value)
{
	for (; value && *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false;
	return true;
}

static bool is_condition(const char *etag) { return !etag || (strlen(etag) <= CONDITION_MAX && is_header_value(etag)); }

struct exchange {
	struct arm *arm;
	const struct arm_request *request;
	const char *url;
	str body;
	struct http_response response;
};

static void tell(const struct exchange *x, int status, int64_t since_ms)
{
	const struct arm_options *o = &x->arm->options;
	if (o->on_call)
		o->on_call(o->context, x->request->class, x->request->method, status, (double)(clock_now_ms() - since_ms) / 1000);
}

/* A PUT or DELETE that was sent twice because a kept connection had died means the same as one. */
static bool is_repeatable(const char *method) { return strcmp(method, "POST") != 0; }

/* arm_send has looked at the length. */
static void add_condition(const char **headers, size_t *n, char line[CONDITION_MAX + 32], const char *name, const char *value)
{
	if (!value)
		return;
	snprintf(line, CONDITION_MAX + 32, "%s: %s", name, value);
	headers[(*n)++] = line;
}

static int exchange_once(struct exchange *x, const char *authorization, struct err *err)
{
	const struct arm_request *r = x->request;
	char id[64] = "x-ms-client-request-id: ", match[CONDITION_MAX + 32], none_match[CONDITION_MAX + 32];
	make_request_id(id + strlen(id));
	const char *headers[8] = {"Accept: application/json", id, "x-ms-return-client-request-id: true"};
	size_t n = 3;
	if (r->body)
		headers[n++] = "Content-Type: application/json";
	add_condition(headers, &n, match, "If-Match", r->if_match);
	add_condition(headers, &n, none_match, "If-None-Match", r->if_none_match);
	const struct http_request q = {
		.method = r->method, .url = x->url, .headers = headers, .authorization = authorization, .body = {.data = x->body.data, .len = x->body.len},
		.body_max = LIMIT_ARM_ANSWER_BYTES, .total_ms = TOTAL_MS,
		.once = true, .no_redirect = true, .repeatable = is_repeatable(r->method),
	};
	http_response_done(&x->response);
	int64_t since = clock_now_ms();
	int rc = http_client_send(x->arm->http, &q, &x->response, err);
	tell(x, rc < 0 ? 0 : x->response.status, since);
	return rc;
}

/* --- what the answer's headers say ------------------------------------------------------------------------------- */

static int64_t header_ms(const struct http_response *r, const char *name)
{
	const char *text = http_response_header(r, name);
	int64_t ms;
	return text && str_to_i64(str_trim(str_of(text)), &ms) && ms >= 0 ? ms : -1;
}

static int64_t retry_after_of(const struct http_response *r)
{
	int64_t ms = header_ms(r, "retry-after-ms");
	if (ms < 0)
		ms = header_ms(r, "x-ms-retry-after-ms");
	return ms >= 0 ? ms : retry_after_ms(http_response_header(r, "retry-after"), clock_wall_s());
}

/* The kind of budget a class draws on, as it ends the headers' names. */
static const char *const BUDGETS[ARM_CLASSES] = {
	[ARM_LIST] = "-reads", [ARM_GET] = "-reads", [ARM_DELETE] = "-deletes", [ARM_PUT] = "-writes",
	[ARM_POST] = "-writes", [ARM_PUT_MACHINE] = "-writes", [ARM_OPERATION] = "-reads", [ARM_OTHER] = "-reads",
};

/* The least of x-ms-ratelimit-remaining-{subscription,subscription-global,tenant,…}-reads and so on. */
static int64_t remaining_of(const struct http_response *r, enum arm_class class)
{
	int64_t least = -1, value;
	struct map_entry header;
	for (size_t i = 0; map_next(&r->headers, &i, &header);)
		if (str_starts(header.key, STR("x-ms-ratelimit-remaining-")) && str_ends(header.key, str_of(BUDGETS[class])) &&
		    str_to_i64(str_trim(str_of(header.value)), &value) && value >= 0 && (least < 0 || value < least))
			least = value;
	return least;
}

static void copy_header(const struct http_response *r, const char *name, char *out, size_t size)
{
	const char *value = http_response_header(r, name);
	size_t n = value ? strlen(value) : 0;
	if (n < size && is_header_value(value)) {
		memcpy(out, value ? value : "", n);
		out[n] = 0;
	}
}

static char *own_url(const struct exchange *x, const char *header)
{
	const char *value = http_response_header(&x->response, header);
	char *url = value ? http_url_resolve(x->url, value) : NULL;
	if (url && is_own(x->arm, url))
		return url;
	free(url);
	return NULL;
}

static json_t *body_of(const struct http_response *r)
{
	json_t *value = json_quick(buf_str(&r->body));
	struct err ignored;
	if (!value && r->body.len && json_parse(&value, buf_str(&r->body), "answer", &ignored) < 0)
		value = NULL;
	return value;
}

static void read_answer(const struct exchange *x, struct arm_answer *out)
{
	const struct http_response *r = &x->response;
	*out = (struct arm_answer){.status = r->status, .retry_after_ms = retry_after_of(r), .body = body_of(r)};
	out->async_url = own_url(x, "azure-asyncoperation");
	out->operation_url = own_url(x, "operation-location");
	out->location = own_url(x, "location");
	copy_header(r, "etag", out->etag, sizeof out->etag);
	copy_header(r, "x-ms-request-id", out->request_id, sizeof out->request_id);
	copy_header(r, "x-ms-correlation-request-id", out->correlation_id, sizeof out->correlation_id);
	if (r->status >= 300)
		arm_error_read(&out->error, r->status, http_response_header(r, "x-ms-error-code"), buf_str(&r->body));
}

void arm_answer_done(struct arm_answer *a)
{
	json_decref(a->body);
	free(a->async_url);
	free(a->operation_url);
	free(a->location);
	arm_error_done(&a->error);
	*a = (struct arm_answer){0};
}

/* --- a provider that is not registered with the subscription ----------------------------------------------------- */

static bool wants_registration(const struct arm_answer *a)
{
	static const char *const CODES[] = {"MissingSubscriptionRegistration", "MissingRegistrationForResourceProvider", "Subscription Not Registered"};
	for (size_t i = 0; a->status == 409 && i < sizeof CODES / sizeof CODES[0]; i++)
		if (strcasecmp(a->error.code, CODES[i]) == 0)
			return true;
	return false;
}

/* "Microsoft.ContainerService" of the URL's path. */
static bool namespace_of(const char *url, char out[NAMESPACE_MAX + 1])
{
	const char *from = strcasestr(url, "/providers/");
	size_t n = from ? strcspn(from + 11, "/?") : 0;
	if (n == 0 || n > NAMESPACE_MAX)
		return false;
	memcpy(out, from + 11, n);
	out[n] = 0;
	return strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.") == n;
}

static struct registration *registration_of(struct arm *a, const char *name)
{
	for (size_t i = 0; i < sizeof a->registrations / sizeof a->registrations[0]; i++) {
		struct registration *r = &a->registrations[i];
		if (!r->name[0])
			snprintf(r->name, sizeof r->name, "%s", name);
		if (strcasecmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}

enum register_turn { REGISTER_NOW, REGISTER_WAIT /* another thread did lately */, REGISTER_NEVER };

static enum register_turn register_turn(struct arm *a, const char *name)
{
	int64_t now = a->options.now_ms();
	pthread_mutex_lock(&a->mu);
	struct registration *r = registration_of(a, name);
	enum register_turn turn = REGISTER_NEVER;
	if (r) {
		int64_t *oldest = &r->at_ms[r->count % REGISTER_ATTEMPTS], last = r->at_ms[(r->count + REGISTER_ATTEMPTS - 1) % REGISTER_ATTEMPTS];
		if (r->count && now - last < REGISTER_SPACING_MS)
			turn = REGISTER_WAIT;
		else if (r->count < REGISTER_ATTEMPTS || now - *oldest >= REGISTER_PERIOD_MS)
			turn = REGISTER_NOW;
		if (turn == REGISTER_NOW) {
			*oldest = now;
			r->count++;
		}
	}
	pthread_mutex_unlock(&a->mu);
	return turn;
}

/* Registration takes minutes; the answer that asked for it is handed back with the time to try again. */
static void register_provider(struct exchange *x, const char *authorization, struct arm_answer *out)
{
	char name[NAMESPACE_MAX + 1];
	struct err ignored;
	enum register_turn turn = namespace_of(x->url, name) ? register_turn(x->arm, name) : REGISTER_NEVER;
	if (turn == REGISTER_NEVER)
		return;
	out->retry_after_ms = REGISTER_AGAIN_MS;
	if (turn == REGISTER_WAIT)
		return;
	const struct azure_environment *e = x->arm->options.environment;
	struct buf url = {0};
	buf_printf(&url, "%s/subscriptions/", e->arm);
	put_escaped(&url, e->subscription);
	buf_printf(&url, "/providers/%s/register?api-version=" REGISTER_API_VERSION, name);
	const struct arm_request request = {.method = "POST", .url = url.data, .class = ARM_OTHER};
	struct exchange post = {.arm = x->arm, .request = &request, .url = url.data};
	(void)!exchange_once(&post, authorization, &ignored);
	http_response_done(&post.response);
	buf_done(&url);
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

/* ARM refuses the token: once more with a new one. Without a new one the refusal is the answer. */
static int renewed(struct exchange *x, char **authorization, struct err *err)
{
	const char *challenge = http_response_header(&x->response, "www-authenticate");
	CLEANUP(mem_freep) char *claims = challenge ? arm_challenge_claims(str_of(challenge)) : NULL;
	char *fresh = NULL;
	struct err ignored;
	if (token_renew(x->arm->options.tokens, *authorization, claims, &fresh, &ignored) < 0)
		return 0;
	token_wipe(*authorization);
	*authorization = fresh;
	return exchange_once(x, fresh, err);
}

static void feed_throttle(const struct exchange *x, const struct arm_answer *a)
{
	const struct arm_request *r = x->request;
	bool everything = a->status == 429 && strncasecmp(a->error.code, "SubscriptionRequestsThrottled", 29) == 0;
	throttle_answered(x->arm->options.throttle, everything ? ARM_CLASSES : r->class, r->pool ? r->pool : "", a->status, a->retry_after_ms,
			  remaining_of(&x->response, r->class));
}

static int send_with_token(struct exchange *x, char **authorization, struct arm_answer *out, struct err *err)
{
	if (exchange_once(x, *authorization, err) < 0)
		return -1;
	if (x->response.status == 401 && renewed(x, authorization, err) < 0)
		return -1;
	read_answer(x, out);
	feed_throttle(x, out);
	if (wants_registration(out))
		register_provider(x, *authorization, out);
	return 0;
}

int arm_send(struct arm *a, const struct arm_request *r, struct arm_answer *out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(mem_freep) char *url = absolute_url(a, r, err);
	CLEANUP(buf_done) struct buf body = {0};
	CLEANUP(token_wipep) char *authorization = NULL;
	if (!url)
		return -1;
	if (!is_condition(r->if_match) || !is_condition(r->if_none_match))
		return err_set(err, ERR_INVALID, "the etag is longer than %d bytes or has control characters", CONDITION_MAX);
	if (token_get(a->options.tokens, &authorization, err) < 0)
		return -1;
	int64_t wait = r->paid ? 0 : throttle_take_with(a->options.throttle, r->class, r->pool ? r->pool : "", r->more);
	if (wait > 0) {
		*wait_ms = wait;
		return 1;
	}
	if (r->body)
		json_print(r->body, JSON_PRINT_COMPACT, &body);
	struct exchange x = {.arm = a, .request = r, .url = url, .body = buf_str(&body)};
	int rc = send_with_token(&x, &authorization, out, err);
	if (!r->paid)
		throttle_settled(a->options.throttle, r->class, r->pool ? r->pool : "");
	http_response_done(&x.response);
	return rc;
}

/* --- when to try again ------------------------------------------------------------------------------------------- */

int64_t arm_retry_ms(int status, int attempt, int64_t asked_ms)
{
	static const int STATUSES[] = {0, 408, 429, 500, 502, 503, 504};
	bool worth = false;
	for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++)
		worth = worth || STATUSES[i] == status;
	if (!worth || asked_ms > RETRY_ASKED_MAX_MS)
		return -1;
	if (asked_ms > 0)
		return asked_ms;
	uint32_t random = 0;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	int doublings = attempt < 1 ? 1 : attempt > 5 ? 5 : attempt;
	double ms = (double)((1 << doublings) - 1) * RETRY_FIRST_MS * (0.8 + 0.5 * ((double)random / 4294967296.0));
	return ms > RETRY_MAX_MS ? RETRY_MAX_MS : (int64_t)ms;
}
