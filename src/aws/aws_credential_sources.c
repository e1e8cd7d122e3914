/* aws_credential_sources.c: the ways to get keys, in the order in which AWS's own SDKs try them. To add one: its two functions and a row. */
#include "aws/aws_credentials.h"

#include "aws/sigv4.h"
#include "aws/xml_answer.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <openssl/crypto.h>
#include <string.h>

#define TOTAL_MS 15000

/* --- what they share ---------------------------------------------------------------------------------------------- */

static void wipe_buf(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->cap);
	buf_done(b);
}

static void wipe_text(char **text)
{
	if (*text)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
}

static void response_done(struct http_response *r)
{
	if (r->body.data)
		OPENSSL_cleanse(r->body.data, r->body.cap);
	http_response_done(r);
}

static bool is_word(const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return n > 0 && n <= LIMIT_AWS_CREDENTIAL_BYTES;
}

static int take(struct aws_keys *out, const char *id, const char *secret, const char *token, const char *expires, struct err *err)
{
	int64_t at = clock_of_rfc3339(expires);
	if (!is_word(id) || !is_word(secret) || strlen(id) > 128 || strlen(secret) > 256 || (token[0] && !is_word(token)))
		return err_set(err, ERR_PROTOCOL, "the answer has no usable keys");
	if (at <= 0)
		return err_set(err, ERR_PROTOCOL, "the answer does not say when the keys expire");
	*out = (struct aws_keys){mem_strdup(id), mem_strdup(secret), mem_strdup(token), at};
	return 0;
}

static int read_json(str body, struct aws_keys *out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *o = NULL;
	if (json_parse_with(&o, body, "keys", &(struct json_rules){.max_depth = 8, .max_bytes = LIMIT_AWS_CREDENTIAL_BYTES * 2}, &(struct err){0}) < 0)
		return err_set(err, ERR_PROTOCOL, "the answer is no JSON"); /* the parser's own words might quote it */
	return take(out, json_text_at(o, "", "AccessKeyId", NULL), json_text_at(o, "", "SecretAccessKey", NULL), json_text_at(o, "", "Token", NULL),
		    json_text_at(o, "", "Expiration", NULL), err);
}

static int exchange(struct http_client *http, const char *method, const char *url, const char *const *headers, const char *authorization, str body, struct http_response *out,
		struct err *err)
{
	const struct http_request q = {
		.method = method, .url = url, .headers = headers, .authorization = authorization, .body = {.data = body.data, .len = body.len},
		.body_max = LIMIT_AWS_CREDENTIAL_BYTES * 2, .total_ms = TOTAL_MS, .once = true, .no_redirect = true, .trust_host = true,
	};
	return http_client_send(http, &q, out, err);
}

static int refused(int status, const char *say, struct err *err)
{
	if (status == 408 || status == 429 || status >= 500)
		return err_set(err, ERR_BUSY, "not ready (%d)", status);
	return err_set(err, ERR_DENIED, "refused (%d): %s", status, say);
}

/* --- environment -------------------------------------------------------------------------------------------------- */

static bool environment_configured(const struct aws_settings *s) { return s->access_key_id[0] && s->secret_access_key[0]; }

static int environment_fetch(const struct aws_settings *s, struct http_client *http, struct aws_keys *out, struct err *err)
{
	(void)http;
	if (!is_word(s->access_key_id) || !is_word(s->secret_access_key) || strlen(s->secret_access_key) > 256)
		return err_set(err, ERR_CONFIG, "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is malformed");
	*out = (struct aws_keys){mem_strdup(s->access_key_id), mem_strdup(s->secret_access_key), mem_strdup(s->session_token), 0};
	return 0;
}

/* --- web identity: a service account's token, exchanged at STS ------------------------------------------------------ */

static bool web_configured(const struct aws_settings *s) { return s->web_identity_file[0] && s->role_arn[0]; }

static int read_token(const char *path, struct buf *text, str *token, struct err *err)
{
	if (fd_read_file(path, LIMIT_AWS_CREDENTIAL_BYTES, text, err) < 0)
		return -1;
	*token = str_trim(buf_str(text));
	return token->len ? 0 : err_set(err, ERR_BUSY, "'%.150s' is empty: waiting for the kubelet to write it", path);
}

static void put_field(struct buf *form, const char *name, str value)
{
	buf_printf(form, "&%s=", name);
	sigv4_put_escaped(form, value);
}

static int sts_refused(const struct http_response *r, struct err *err)
{
	CLEANUP(json_decrefp) json_t *o = NULL;
	const char *code = "";
	if (xml_answer_read(buf_str(&r->body), &o, &(struct err){0}) == 0)
		code = json_text_at(o, "", "ErrorResponse", "Error", "Code", NULL);
	if (strcmp(code, "IDPCommunicationError") == 0 || strcmp(code, "Throttling") == 0)
		return err_set(err, ERR_BUSY, "STS: %s", code);
	char say[160];
	snprintf(say, sizeof say, "%.60s: check AWS_ROLE_ARN and the role's trust policy for this service account", code[0] ? code : "no code");
	return refused(r->status, say, err);
}

static int web_fetch(const struct aws_settings *s, struct http_client *http, struct aws_keys *out, struct err *err)
{
	static const char *const HEADERS[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
	CLEANUP(wipe_buf) struct buf text = {0}, form = {0};
	CLEANUP(response_done) struct http_response r = {0};
	CLEANUP(json_decrefp) json_t *o = NULL;
	CLEANUP(mem_freep) char *url = mem_printf("%s/", s->sts);
	str token;
	if (read_token(s->web_identity_file, &text, &token, err) < 0)
		return -1;
	buf_reserve(&form, 4096 + 3 * (token.len + strlen(s->role_arn) + strlen(s->role_session))); /* growing would leave copies behind */
	buf_puts(&form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
	put_field(&form, "RoleArn", str_of(s->role_arn));
	put_field(&form, "RoleSessionName", str_of(s->role_session));
	put_field(&form, "WebIdentityToken", token);
	if (exchange(http, "POST", url, HEADERS, NULL, buf_str(&form), &r, err) < 0)
		return -1;
	if (r.status != 200)
		return sts_refused(&r, err);
	if (xml_answer_read(buf_str(&r.body), &o, &(struct err){0}) < 0)
		return err_set(err, ERR_PROTOCOL, "STS answered something that is no XML");
	const json_t *k = json_at(o, "AssumeRoleWithWebIdentityResponse", "AssumeRoleWithWebIdentityResult", "Credentials", NULL);
	return take(out, json_text_at(k, "", "AccessKeyId", NULL), json_text_at(k, "", "SecretAccessKey", NULL), json_text_at(k, "", "SessionToken", NULL),
		    json_text_at(k, "", "Expiration", NULL), err);
}

/* --- EKS pod identity, and ECS: an agent on this machine ------------------------------------------------------------ */

static bool container_configured(const struct aws_settings *s) { return s->container_uri[0]; }

static int container_fetch(const struct aws_settings *s, struct http_client *http, struct aws_keys *out, struct err *err)
{
	CLEANUP(wipe_buf) struct buf text = {0};
	CLEANUP(response_done) struct http_response r = {0};
	str token = str_of(s->container_token);
	if (s->container_token_file[0] && read_token(s->container_token_file, &text, &token, err) < 0)
		return -1;
	CLEANUP(wipe_text) char *authorization = mem_strndup(token.data, token.len);
	if (authorization[0] && !is_word(authorization))
		return err_set(err, ERR_CONFIG, "the token of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE has white space inside");
	if (exchange(http, "GET", s->container_uri, NULL, authorization[0] ? authorization : NULL, (str){0}, &r, err) < 0)
		return -1;
	if (r.status != 200)
		return refused(r.status, "check the pod identity association of this service account", err);
	return read_json(buf_str(&r.body), out, err);
}

/* --- this machine's role, from the instance metadata service, version 2 --------------------------------------------- */

static bool imds_configured(const struct aws_settings *s) { return s->imds[0] && !s->imds_disabled; }

static int imds_get(const struct aws_settings *s, struct http_client *http, const char *token, const char *path, struct http_response *r, struct err *err)
{
	CLEANUP(wipe_text) char *header = mem_printf("X-aws-ec2-metadata-token: %s", token);
	CLEANUP(mem_freep) char *url = mem_printf("%s/latest/meta-data/iam/security-credentials/%s", s->imds, path);
	const char *const headers[] = {header, NULL};
	if (exchange(http, "GET", url, headers, NULL, (str){0}, r, err) < 0)
		return -1;
	return r->status == 200 ? 0 : refused(r->status, "this machine has no role: attach an instance profile, or use a service account's", err);
}

static int imds_fetch(const struct aws_settings *s, struct http_client *http, struct aws_keys *out, struct err *err)
{
	static const char *const TTL[] = {"X-aws-ec2-metadata-token-ttl-seconds: 300", NULL};
	CLEANUP(response_done) struct http_response session = {0}, role = {0}, keys = {0};
	CLEANUP(mem_freep) char *url = mem_printf("%s/latest/api/token", s->imds);
	if (exchange(http, "PUT", url, TTL, NULL, (str){0}, &session, err) < 0)
		return -1;
	if (session.status != 200)
		return refused(session.status, "the metadata service gives no session; a pod needs a hop limit of 2, or a service account's role", err);
	CLEANUP(wipe_text) char *token = mem_strndup(buf_str(&session.body).data, session.body.len);
	if (!is_word(token))
		return err_set(err, ERR_PROTOCOL, "the metadata service's session is malformed");
	if (imds_get(s, http, token, "", &role, err) < 0)
		return -1;
	str line = str_sub(buf_str(&role.body), 0, str_find(buf_str(&role.body), '\n', 0));
	CLEANUP(mem_freep) char *name = mem_strndup(line.data, line.len);
	if (!is_word(name) || strlen(name) > 128 || strchr(name, '/'))
		return err_set(err, ERR_PROTOCOL, "the metadata service names no role");
	return imds_get(s, http, token, name, &keys, err) < 0 ? -1 : read_json(buf_str(&keys.body), out, err);
}

const struct aws_credential_source AWS_CREDENTIAL_SOURCES[] = {
	{"environment", environment_configured, environment_fetch},
	{"web-identity", web_configured, web_fetch},
	{"pod-identity", container_configured, container_fetch},
	{"instance-role", imds_configured, imds_fetch},
};
const size_t AWS_CREDENTIAL_SOURCE_COUNT = sizeof AWS_CREDENTIAL_SOURCES / sizeof AWS_CREDENTIAL_SOURCES[0];
