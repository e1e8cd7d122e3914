/* token_answer.c: what the answers of all sources have in common (token_source.h): a JSON object with a token and its life, of which the
 * metadata services print numbers as strings; and one way to ask the services of this machine. */
#include "azure/token_source.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include <openssl/crypto.h>
#include <string.h>

#define TOKEN_MAX 65536
#define LIFETIME_MAX_S ((int64_t)7 * 86400)

void token_wipe_buf(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->cap);
	buf_done(b);
}

void token_response_done(struct http_response *r)
{
	if (r->body.data)
		OPENSSL_cleanse(r->body.data, r->body.cap);
	http_response_done(r);
}

static bool number(const json_t *object, const char *key, int64_t *out)
{
	const json_t *v = json_object_get(object, key);
	if (json_is_integer(v))
		*out = json_integer_value(v);
	else if (json_is_real(v) && json_real_value(v) > -1e15 && json_real_value(v) < 1e15)
		*out = (int64_t)json_real_value(v);
	else
		return json_is_string(v) && str_to_i64(str_of(json_string_value(v)), out);
	return true;
}

static bool is_token(const char *token)
{
	for (const char *p = token; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return token[0] && strlen(token) <= TOKEN_MAX;
}

static int read_object(const json_t *object, const char *from, struct token_grant *out, struct err *err)
{
	const char *token = json_string_value(json_object_get(object, "access_token"));
	int64_t in = 0, on = 0;
	if (!token || !is_token(token))
		return err_set(err, ERR_PROTOCOL, "%s answered without an access token", from);
	if (!number(object, "expires_in", &in) && number(object, "expires_on", &on))
		in = on - clock_wall_s();
	if (in <= 0)
		return err_set(err, ERR_PROTOCOL, "%s answered with a token that has expired or does not say when", from);
	*out = (struct token_grant){mem_strdup(token), in < LIFETIME_MAX_S ? in : LIFETIME_MAX_S};
	return 0;
}

static void wipe_json(json_t *object)
{
	const char *token = json_string_value(json_object_get(object, "access_token"));
	if (token)
		OPENSSL_cleanse((void *)(uintptr_t)token, strlen(token));
	json_decref(object);
}

int token_answer_read(str body, const char *from, struct token_grant *out, struct err *err)
{
	json_t *object = NULL;
	if (json_parse_with(&object, body, "token answer", &(struct json_rules){.max_depth = 16}, &(struct err){0}) < 0)
		return err_set(err, ERR_PROTOCOL, "%s answered something that is not JSON", from);
	int rc = read_object(object, from, out, err);
	wipe_json(object);
	return rc;
}

int token_answer_get(const struct token_context *c, const char *url, const char *header, const char *authorization, struct http_response *out,
		     struct err *err)
{
	const char *const headers[] = {header, "Accept: application/json", NULL};
	const struct http_request q = {
		.method = "GET", .url = url, .headers = headers, .authorization = authorization, .body_max = 262144,
		.total_ms = TOKEN_REQUEST_MS, .once = true, .no_redirect = true,
	};
	return http_client_send(c->local, &q, out, err);
}

/* 404 and 410 while the service starts or is updated. */
static bool passes(int status) { return status == 404 || status == 408 || status == 410 || status == 429 || status >= 500; }

/* Conditions on objects carry these messages: they must not change from one attempt to the next. */
str token_answer_words(const char *text, const char *secret, size_t max)
{
	static const char *const ENDS[] = {"\r", "\n", "Trace ID:", "Correlation ID:", "Timestamp:"};
	if (!text || (secret && secret[0] && strstr(text, secret)))
		return (str){"", 0};
	size_t len = strlen(text);
	for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
		const char *end = memmem(text, len, ENDS[i], strlen(ENDS[i]));
		len = end ? (size_t)(end - text) : len;
	}
	for (max = len < max ? len : max; max < len && max && ((unsigned char)text[max] & 0xC0) == 0x80;)
		max--;
	return str_trim((str){text, max});
}

int token_answer_error(const struct http_response *r, const char *from, const char *say, const char *secret, struct err *err)
{
	if (passes(r->status))
		return err_set(err, ERR_BUSY, "%s is not ready to give a token (%d)", from, r->status);
	CLEANUP(json_decrefp) json_t *answer = NULL;
	struct err ignored;
	if (json_parse_with(&answer, buf_str(&r->body), "error", &(struct json_rules){.max_depth = 16}, &ignored) < 0)
		answer = NULL;
	str words = token_answer_words(json_string_value(json_object_get(answer, "error_description")), secret, 90);
	return err_set(err, ERR_DENIED, "%s gives no token (%d): %s%s%.*s", from, r->status, say, words.len ? ": " : "", (int)words.len, words.data);
}

char *token_answer_url(const char *endpoint, const char *version, const struct azure_environment *e, bool with_client)
{
	struct buf url = {0};
	buf_printf(&url, "%s?api-version=%s&resource=", endpoint, version);
	token_entra_put_escaped(&url, e->audience);
	if (with_client && e->client_id[0]) {
		buf_puts(&url, "&client_id=");
		token_entra_put_escaped(&url, e->client_id);
	}
	return buf_take(&url);
}
