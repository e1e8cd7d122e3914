/* ec2.c: see ec2.h. */
#include "aws/ec2.h"

#include "aws/sigv4.h"
#include "aws/xml_answer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#define VERSION "2016-11-15"
#define TOTAL_MS 60000
#define CLOSED_MS 1000
#define CLOSED_MAX_MS 30000

struct ec2 {
	struct ec2_options o;
	struct http_client *http;
	pthread_mutex_t mu;      /* guards the gate */
	int64_t closed_until_ms;
	int closed_times;        /* in a row */
};

struct ec2 *ec2_new(const struct ec2_options *o)
{
	struct ec2 *e = mem_alloc(sizeof *e);
	e->o = *o;
	e->http = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_ANY, .connect_ms = 10000, .stall_s = 60, .http1 = true, .buffer_bytes = 16384, .user_agent = o->user_agent,
							 .cancel = o->cancel, .until_ms = o->until_ms, .proxy = aws_settings_is_local(o->settings->ec2) ? "" : NULL});
	pthread_mutex_init(&e->mu, NULL);
	return e;
}

void ec2_free(struct ec2 *e)
{
	if (!e)
		return;
	http_client_free(e->http);
	pthread_mutex_destroy(&e->mu);
	free(e);
}

void ec2_answer_done(struct ec2_answer *a)
{
	json_decref(a->body);
	*a = (struct ec2_answer){0};
}

/* --- forms --------------------------------------------------------------------------------------------------------- */

void ec2_begin(struct buf *form, const char *action) { buf_printf(form, "Action=%s&Version=" VERSION, action); }

void ec2_put(struct buf *form, const char *value, const char *name, ...)
{
	char text[200];
	va_list ap;
	va_start(ap, name);
	vsnprintf(text, sizeof text, name, ap);
	va_end(ap);
	buf_printf(form, "&%s=", text);
	sigv4_put_escaped(form, str_of(value));
}

void ec2_action(const char *form, char out[64])
{
	const char *at = strncmp(form, "Action=", 7) == 0 ? form + 7 : "?";
	snprintf(out, 64, "%.*s", (int)strcspn(at, "&"), at);
}

/* --- the gate ------------------------------------------------------------------------------------------------------ */

static int64_t closed_for(struct ec2 *e)
{
	pthread_mutex_lock(&e->mu);
	int64_t left = e->closed_until_ms - clock_now_ms();
	pthread_mutex_unlock(&e->mu);
	return left > 0 ? left : 0;
}

static bool is_throttle(const char *code)
{
	static const char *const CODES[] = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestThrottled", "RequestThrottledException",
					    "EC2ThrottledException"};
	for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
		if (strcmp(CODES[i], code) == 0)
			return true;
	return false;
}

static void answered(struct ec2 *e, const struct ec2_answer *a)
{
	pthread_mutex_lock(&e->mu);
	int64_t now = clock_now_ms();
	if (!is_throttle(a->code)) {
		e->closed_times = a->status < 500 ? 0 : e->closed_times;
	} else if (now >= e->closed_until_ms) { /* those that were under way when it closed do not count twice */
		int64_t ms = CLOSED_MS << (e->closed_times < 5 ? e->closed_times : 5);
		e->closed_until_ms = now + (ms < CLOSED_MAX_MS ? ms : CLOSED_MAX_MS);
		e->closed_times++;
	}
	pthread_mutex_unlock(&e->mu);
}

/* --- one request --------------------------------------------------------------------------------------------------- */

struct call { const char *service, *endpoint, *type, *target /* NULL none */; str body; };

static char *host_header(const char *url)
{
	const char *at = strstr(url, "://");
	at = at ? at + 3 : url;
	return mem_strndup(at, strcspn(at, "/"));
}

static int send_signed(struct ec2 *e, const struct call *c, const struct aws_keys *keys, struct http_response *out, struct err *err)
{
	char date[17];
	sigv4_time(clock_wall_s(), date);
	CLEANUP(mem_freep) char *host = host_header(c->endpoint);
	CLEANUP(mem_freep) char *url = mem_printf("%s/", c->endpoint);
	struct sigv4_header signed_headers[5] = {{"content-type", c->type}, {"host", host}, {"x-amz-date", date}};
	size_t n = 3;
	if (keys->token[0])
		signed_headers[n++] = (struct sigv4_header){"x-amz-security-token", keys->token};
	if (c->target)
		signed_headers[n++] = (struct sigv4_header){"x-amz-target", c->target};
	const struct sigv4_request q = {.method = "POST", .path = "/", .query = "", .headers = signed_headers, .n_headers = n, .body = c->body};
	const struct sigv4_key k = {keys->id, keys->secret, e->o.settings->region, c->service};
	CLEANUP(mem_freep) char *authorization = sigv4_authorization(&q, &k, date);
	char *lines[6] = {0};
	const char *headers[6] = {0};
	size_t used = 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(signed_headers[i].name, "host") != 0)
			headers[used] = lines[used] = mem_printf("%s: %s", signed_headers[i].name, signed_headers[i].value), used++;
	const struct http_request r = {
		.method = "POST", .url = url, .headers = headers, .authorization = authorization, .body = {.data = c->body.data, .len = c->body.len},
		.body_max = LIMIT_AWS_ANSWER_BYTES, .total_ms = TOTAL_MS, .once = true, .no_redirect = true, .trust_host = true,
	};
	int rc = http_client_send(e->http, &r, out, err);
	for (size_t i = 0; i < used; i++)
		free(lines[i]);
	return rc;
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

/* One line of printable text. */
static void put_text(char *out, size_t size, const char *text)
{
	size_t bad = 0;
	snprintf(out, size, "%s", text);
	if (!str_is_utf8(str_of(out), &bad))
		out[bad] = 0;
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

static void read_refusal(struct ec2_answer *a, const json_t *document, str body)
{
	const json_t *errors = json_at(document, "Response", "Errors", "Error", NULL);
	const json_t *error = json_is_array(errors) ? json_array_get(errors, 0) : errors;
	const char *type = json_text_at(document, "", "__type", NULL), *hash = strrchr(type, '#');
	const char *code = error ? json_text_at(error, "", "Code", NULL) : hash ? hash + 1 : type;
	const char *text = error ? json_text_at(error, "", "Message", NULL) : json_text_at(document, json_text_at(document, "", "Message", NULL), "message", NULL);
	CLEANUP(mem_freep) char *raw = mem_strndup(body.data, body.len < 200 ? body.len : 200);
	put_text(a->code, sizeof a->code, code);
	put_text(a->text, sizeof a->text, document ? text : raw);
}

static int read_answer(const struct call *c, const struct http_response *r, struct ec2_answer *a, struct err *err)
{
	json_t *document = NULL;
	str body = buf_str(&r->body);
	struct err why = ERR_INIT;
	int rc = c->target ? json_parse_with(&document, body, "the answer", &(struct json_rules){.max_bytes = LIMIT_AWS_ANSWER_BYTES, .max_depth = 16}, &why)
			   : xml_answer_read(body, &document, &why);
	a->status = r->status;
	if (r->status != 200) {
		read_refusal(a, document, body);
		json_decref(document);
		return 0;
	}
	if (rc < 0)
		return err_set(err, ERR_PROTOCOL, "%s: %.180s", c->service, why.message);
	a->body = c->target ? json_incref(document) : json_incref(json_object_iter_value(json_object_iter(document)));
	json_decref(document);
	return 0;
}

static bool keys_expired(const struct ec2_answer *a)
{
	return strcmp(a->code, "ExpiredToken") == 0 || strcmp(a->code, "ExpiredTokenException") == 0 || strcmp(a->code, "RequestExpired") == 0 || strcmp(a->code, "AuthFailure") == 0 ||
	       strcmp(a->code, "InvalidClientTokenId") == 0;
}

static int once(struct ec2 *e, const struct call *c, struct ec2_answer *out, struct err *err)
{
	struct aws_keys keys = {0};
	struct http_response r = {0};
	if (aws_credentials_get(e->o.credentials, &keys, err) < 0)
		return -1;
	int rc = send_signed(e, c, &keys, &r, err);
	if (rc == 0)
		rc = read_answer(c, &r, out, err);
	if (rc == 0 && keys_expired(out))
		aws_credentials_refused(e->o.credentials, keys.id);
	http_response_done(&r);
	aws_keys_done(&keys);
	return rc;
}

static int call(struct ec2 *e, const struct call *c, const char *action, struct ec2_answer *out, int64_t *wait_ms, struct err *err)
{
	*wait_ms = closed_for(e);
	if (*wait_ms > 0)
		return 1;
	int rc = once(e, c, out, err);
	if (e->o.on_call)
		e->o.on_call(e->o.context, action, rc < 0 ? 0 : out->status, out->code);
	if (rc < 0)
		return err_wrap(err, "%s", action);
	answered(e, out);
	return 0;
}

int ec2_send(struct ec2 *e, const char *form, struct ec2_answer *out, int64_t *wait_ms, struct err *err)
{
	char action[64];
	ec2_action(form, action);
	const struct call c = {"ec2", e->o.settings->ec2, "application/x-www-form-urlencoded; charset=utf-8", NULL, str_of(form)};
	return call(e, &c, action, out, wait_ms, err);
}

int ec2_parameter(struct ec2 *e, const char *name, struct ec2_answer *out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(json_decrefp) json_t *q = json_pack("{s:s}", "Name", name);
	CLEANUP(buf_done) struct buf body = {0};
	json_print(q, JSON_PRINT_COMPACT, &body);
	const struct call c = {"ssm", e->o.settings->ssm, "application/x-amz-json-1.1", "AmazonSSM.GetParameter", buf_str(&body)};
	return call(e, &c, "GetParameter", out, wait_ms, err);
}

int ec2_refusal(const char *form, const struct ec2_answer *a, struct err *err)
{
	char action[64];
	bool denied = a->status == 401 || a->status == 403 || strcmp(a->code, "UnauthorizedOperation") == 0;
	ec2_action(form, action);
	return err_set(err, denied ? ERR_DENIED : is_throttle(a->code) || a->status >= 500 ? ERR_BUSY : ERR_PROTOCOL, "%s: %s: %.150s", action,
		       a->code[0] ? a->code : "no error code", a->text);
}
