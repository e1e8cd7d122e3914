/* token_entra.c: the authority's token endpoint (OAuth 2.0 client credentials), for the sources that present a secret or an assertion; and
 * its errors as sentences that say what to check. */
#include "azure/token_source.h"

#include "base/mem.h"
#include "codec/json.h"
#include <string.h>

#define CAPABILITY "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}" /* we understand claims challenges */

/* To add a code: a row. A %s gets the assertion's subject. */
static const struct { int64_t code; const char *say; } CODES[] = {
	{70021, "no federated identity credential matches: its subject must be '%s', its audience api://AzureADTokenExchange, its issuer the cluster's; a new one takes minutes to be seen"},
	{700211, "no federated identity credential has this issuer: it must be the cluster's OIDC issuer, with subject '%s' and audience api://AzureADTokenExchange"},
	{700212, "no federated identity credential has this audience: it must be api://AzureADTokenExchange, with subject '%s'"},
	{700213, "no federated identity credential has this subject: it must be '%s', with audience api://AzureADTokenExchange"},
	{700016, "the application is unknown in this tenant: check AZURE_CLIENT_ID and AZURE_TENANT_ID"},
	{700024, "the service account token has expired: check AZURE_FEDERATED_TOKEN_FILE and the clocks"},
	{700027, "the certificate is not one of the application's: check AZURE_CLIENT_CERTIFICATE_PATH"},
	{7000215, "the client secret is wrong: check AZURE_CLIENT_SECRET (its value, not its id)"},
	{7000222, "the client secret has expired: make a new one for AZURE_CLIENT_SECRET"},
	{90002, "the tenant is unknown: check AZURE_TENANT_ID and the cloud (AZURE_ENVIRONMENT)"},
	{500011, "the token audience is unknown in this tenant: check the cloud (AZURE_ENVIRONMENT) and AZURE_TOKEN_AUDIENCE"},
};

void token_entra_put_escaped(struct buf *out, const char *value)
{
	static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
	for (const char *p = value; *p; p++) {
		if (strchr(PLAIN, *p))
			buf_putc(out, *p);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*p);
	}
}

char *token_entra_url(const struct azure_environment *e)
{
	struct buf url = {0};
	buf_puts(&url, e->authority);
	token_entra_put_escaped(&url, e->tenant);
	buf_puts(&url, "/oauth2/v2.0/token");
	return buf_take(&url);
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static void put_field(struct buf *form, const char *name, const char *value)
{
	buf_printf(form, "%s%s=", form->len ? "&" : "", name);
	token_entra_put_escaped(form, value);
}

/* The challenge's claims and our capability in one object. */
static char *merged_claims(const char *challenge)
{
	json_t *claims = json_loads(CAPABILITY, 0, NULL), *asked = NULL;
	struct err ignored;
	if (challenge && json_parse_with(&asked, str_of(challenge), "claims", &(struct json_rules){.max_depth = 16}, &ignored) == 0 && json_is_object(asked))
		json_object_update_recursive(claims, asked);
	struct buf text = {0};
	json_print(claims, JSON_PRINT_COMPACT, &text);
	json_decref(claims);
	json_decref(asked);
	return buf_take(&text);
}

/* Reserved whole before the secret goes in: growing would leave copies behind. */
static void put_form(const struct token_context *c, const struct token_form *fields, size_t n, struct buf *form)
{
	CLEANUP(mem_freep) char *claims = merged_claims(c->claims);
	CLEANUP(mem_freep) char *scope = mem_printf("%s/.default", c->environment->audience);
	size_t room = 512 + 3 * (strlen(claims) + strlen(scope) + strlen(c->environment->client_id));
	for (size_t i = 0; i < n; i++)
		room += 64 + 3 * strlen(fields[i].value);
	buf_reserve(form, room);
	put_field(form, "grant_type", "client_credentials");
	put_field(form, "client_id", c->environment->client_id);
	put_field(form, "scope", scope);
	put_field(form, "claims", claims);
	for (size_t i = 0; i < n; i++)
		put_field(form, fields[i].name, fields[i].value);
}

/* --- its errors -------------------------------------------------------------------------------------------------- */

static int64_t aadsts_of(const json_t *answer, const char *description)
{
	const char *named = description ? strstr(description, "AADSTS") : NULL;
	int64_t code = 0;
	if (named && str_to_i64((str){named + 6, strspn(named + 6, "0123456789")}, &code))
		return code;
	return json_integer_value(json_array_get(json_object_get(answer, "error_codes"), 0));
}

static const char *say_of(int64_t code)
{
	for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
		if (CODES[i].code == code)
			return CODES[i].say;
	return NULL;
}

/* `say` with the subject in place of its %s. */
static int say_code(int64_t code, const char *say, const char *subject, struct err *err)
{
	const char *hole = strstr(say, "%s");
	size_t head = hole ? (size_t)(hole - say) : strlen(say);
	return err_set(err, ERR_DENIED, "AADSTS%lld: %.*s%s%s", (long long)code, (int)head, say,
		       !hole ? "" : subject ? subject : "system:serviceaccount:NAMESPACE:NAME", hole ? hole + 2 : "");
}

/* What the authority wrote after the code. */
static str description_of(const char *description, const char *secret)
{
	str words = token_answer_words(description, secret, 150);
	const char *colon = str_starts(words, STR("AADSTS")) ? memmem(words.data, words.len, ": ", 2) : NULL;
	if (colon)
		words = str_sub(words, (size_t)(colon + 2 - words.data), words.len);
	return words.len ? words : STR("refused");
}

static int refused(const struct http_response *r, const char *secret, const char *subject, struct err *err)
{
	CLEANUP(json_decrefp) json_t *answer = NULL;
	if (r->status == 408 || r->status == 429 || r->status >= 500)
		return err_set(err, ERR_BUSY, "the authority is not ready to give a token (%d)", r->status);
	if (json_parse_with(&answer, buf_str(&r->body), "error", &(struct json_rules){.max_depth = 16}, &(struct err){0}) < 0)
		return err_set(err, ERR_DENIED, "the authority refuses to give a token (%d): check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID", r->status);
	const char *description = json_string_value(json_object_get(answer, "error_description"));
	int64_t code = aadsts_of(answer, description);
	const char *say = say_of(code), *error = json_string_value(json_object_get(answer, "error"));
	str words = description_of(description, secret);
	if (say)
		return say_code(code, say, subject, err);
	if (code)
		return err_set(err, ERR_DENIED, "AADSTS%lld: %.*s", (long long)code, (int)words.len, words.data);
	return err_set(err, ERR_DENIED, "the authority refuses to give a token (%d %.40s): %.*s", r->status, error ? error : "", (int)words.len, words.data);
}

int token_entra_ask(const struct token_context *c, const struct token_form *fields, size_t n, const char *secret, const char *subject,
		    struct token_grant *out, struct err *err)
{
	CLEANUP(mem_freep) char *url = token_entra_url(c->environment);
	CLEANUP(token_wipe_buf) struct buf form = {0};
	CLEANUP(token_response_done) struct http_response response = {0};
	const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL};
	put_form(c, fields, n, &form);
	const struct http_request q = {
		.method = "POST", .url = url, .headers = headers, .body = {.data = form.data, .len = form.len}, .body_max = 262144,
		.total_ms = TOKEN_REQUEST_MS, .once = true, .no_redirect = true,
	};
	if (http_client_send(c->authority, &q, &response, err) < 0)
		return -1;
	return response.status == 200 ? token_answer_read(buf_str(&response.body), "the authority", out, err) : refused(&response, secret, subject, err);
}
