/* sim_tokens.c: the token endpoints (Entra ID, instance metadata, App Service, Arc) and the check of bearer tokens at ARM. Tokens are opaque
 * and remembered with their expiry; a CAE challenge makes all of them insufficient but those that were asked for with its claims. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/base64.h"
#include "codec/json.h"
#include <stdio.h>
#include <strings.h>

struct token { int64_t expires_s; char challenge[SIM_GUID]; /* the one that it answers */ };

/* --- issuing ------------------------------------------------------------------------------------------------------------------ */

static void forget_oldest(struct map *tokens)
{
	struct map_entry e;
	size_t i = 0;
	if (tokens->count >= LIMIT_SIMULATOR_TOKENS && map_next(tokens, &i, &e)) {
		CLEANUP(mem_freep) char *key = mem_strndup(e.key.data, e.key.len);
		map_remove(tokens, str_of(key));
	}
}

static void issue(struct simulator *s, const char *claims, char out[2 * SIM_GUID], int64_t *expires_s)
{
	struct token *t = mem_alloc(sizeof *t);
	char a[SIM_GUID], b[SIM_GUID];
	sim_routes_guid(a);
	sim_routes_guid(b);
	snprintf(out, 2 * SIM_GUID, "sim.%s.%.30s", a, b);
	t->expires_s = *expires_s = sim_timers_wall_s(s) + s->settings.token_lifetime_s;
	if (claims && s->tokens.challenge[0] && strstr(claims, s->tokens.challenge))
		memcpy(t->challenge, s->tokens.challenge, sizeof t->challenge);
	forget_oldest(&s->tokens.by_text);
	map_put(&s->tokens.by_text, str_of(out), t);
	s->tokens.issued++;
}

void sim_tokens_revoke(struct simulator *s)
{
	map_done(&s->tokens.by_text);
	s->tokens.by_text = (struct map){.free_value = free};
}

/* --- Entra ID ----------------------------------------------------------------------------------------------------------------- */

static void refuse(struct simulator *s, struct sim_reply *r, const struct sim_oauth_error *e)
{
	char now[32], trace[SIM_GUID], correlation[SIM_GUID];
	clock_rfc3339(sim_timers_wall_s(s), now);
	sim_routes_guid(trace);
	sim_routes_guid(correlation);
	s->tokens.refused++;
	sim_reply_json(r, e->status, json_pack("{s:s, s:o, s:[i], s:s, s:s, s:s, s:s}", "error", e->error, "error_description",
		json_sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", e->number, e->text, trace, correlation, now),
		"error_codes", e->number, "timestamp", now, "trace_id", trace, "correlation_id", correlation, "error_uri", "https://login.microsoftonline.com/error"));
}

#define REFUSE(s, r, status, number, error, ...) \
	do { \
		struct sim_oauth_error e_ = {status, number, error, ""}; \
		snprintf(e_.text, sizeof e_.text, __VA_ARGS__); \
		refuse(s, r, &e_); \
	} while (0)

static int hex_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static char *decode(struct arena *a, str s)
{
	char *out = arena_alloc(a, s.len + 1), *p = out;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '%' && i + 2 < s.len && hex_of(s.data[i + 1]) >= 0 && hex_of(s.data[i + 2]) >= 0) {
			*p++ = (char)(hex_of(s.data[i + 1]) * 16 + hex_of(s.data[i + 2]));
			i += 2;
		} else {
			*p++ = s.data[i] == '+' ? ' ' : s.data[i];
		}
	}
	return out;
}

/* A field of the form, or NULL. */
static const char *field(const struct sim_request *q, const char *name)
{
	str rest = http_body(q->x);
	while (rest.len) {
		size_t amp = str_find(rest, '&', 0);
		str pair = str_sub(rest, 0, amp);
		size_t equals = str_find(pair, '=', 0);
		rest = str_sub(rest, amp < rest.len ? amp + 1 : amp, rest.len);
		if (str_eqz(str_sub(pair, 0, equals), name))
			return equals < pair.len ? decode(http_arena(q->x), str_sub(pair, equals + 1, pair.len)) : "";
	}
	return NULL;
}

/* One resource, and beside it what OpenID clients ask for always: "…/.default openid profile". */
static bool asks_for_default(str scopes)
{
	for (size_t at = 0, end; at <= scopes.len; at = end + 1) {
		end = str_find(scopes, ' ', at);
		if (str_ends(str_sub(scopes, at, end), STR("/.default")))
			return true;
	}
	return false;
}

static bool fields_ok(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	static const char *const NEEDED[] = {"grant_type", "client_id", "scope"};
	for (size_t i = 0; i < sizeof NEEDED / sizeof NEEDED[0]; i++) {
		const char *v = field(q, NEEDED[i]);
		if (v && v[0])
			continue;
		REFUSE(s, r, 400, 900144, "invalid_request", "The request body must contain the following parameter: '%s'.", NEEDED[i]);
		return false;
	}
	str scope = str_of(field(q, "scope"));
	if (strcmp(field(q, "grant_type"), "client_credentials") != 0)
		REFUSE(s, r, 400, 70003, "unsupported_grant_type", "The app requested an unsupported grant type '%.60s'.", field(q, "grant_type"));
	else if (strcmp(field(q, "client_id"), s->client_id) != 0)
		REFUSE(s, r, 400, 700016, "unauthorized_client", "Application with identifier '%.60s' was not found in the directory '%s'.", field(q, "client_id"), s->tenant);
	else if (!asks_for_default(scope))
		REFUSE(s, r, 400, 70011, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. "
		       "The scope %.*s is not valid.", (int)(scope.len > 100 ? 100 : scope.len), scope.data);
	else
		return true;
	return false;
}

static bool credential_ok(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	const char *secret = field(q, "client_secret"), *assertion = field(q, "client_assertion"), *type = field(q, "client_assertion_type");
	struct sim_oauth_error e = {0};
	char url[512];
	if (!assertion && !secret) {
		REFUSE(s, r, 401, 7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.");
	} else if (!assertion) {
		if (s->settings.client_secret[0] && strcmp(secret, s->settings.client_secret) == 0)
			return true;
		REFUSE(s, r, 401, 7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
		       "not the client secret ID, for a secret added to app '%s'.", s->client_id);
	} else if (!type || strcmp(type, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") != 0) {
		REFUSE(s, r, 400, 900144, "invalid_request", "The request body must contain the following parameter: 'client_assertion_type'.");
	} else {
		snprintf(url, sizeof url, "%s%.*s", q->base, (int)(q->path.len < 200 ? q->path.len : 200), q->path.data);
		if (sim_assertion_check(s, str_of(assertion), url, &e))
			return true;
		refuse(s, r, &e);
	}
	return false;
}

static void answer_token(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	char text[2 * SIM_GUID];
	int64_t expires_s;
	str tenant = str_sub(q->path, 1, str_find(q->path, '/', 1));
	if (!str_eqz(tenant, s->tenant)) {
		REFUSE(s, r, 400, 90002, "invalid_request", "Tenant '%.*s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.",
		       (int)(tenant.len > 60 ? 60 : tenant.len), tenant.data);
		return;
	}
	if (!fields_ok(s, q, r) || !credential_ok(s, q, r))
		return;
	issue(s, field(q, "claims"), text, &expires_s);
	int lifetime = (int)s->settings.token_lifetime_s;
	sim_reply_header(r, "Cache-Control", "no-store, no-cache");
	sim_reply_json(r, 200, json_pack("{s:s, s:i, s:i, s:s}", "token_type", "Bearer", "expires_in", lifetime, "ext_expires_in", lifetime, "access_token", text));
}

static void answer_configuration(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	str tenant = str_sub(q->path, 1, str_find(q->path, '/', 1));
	const char *b = q->base;
	json_t *out = json_object();
	json_object_set_new(out, "token_endpoint", json_sprintf("%s/%.*s/oauth2/v2.0/token", b, STR_FMT(tenant)));
	json_object_set_new(out, "authorization_endpoint", json_sprintf("%s/%.*s/oauth2/v2.0/authorize", b, STR_FMT(tenant)));
	json_object_set_new(out, "issuer", json_sprintf("%s/%.*s/v2.0", b, STR_FMT(tenant)));
	json_object_set_new(out, "token_endpoint_auth_methods_supported", json_pack("[s, s]", "client_secret_post", "private_key_jwt"));
	json_object_set_new(out, "tenant_region_scope", json_string("NA"));
	(void)s;
	sim_reply_json(r, 200, out);
}

static void answer_discovery(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *host = strstr(q->base, "://") + 3;
	json_t *out = json_pack("{s:s, s:[{s:s, s:s, s:[s]}]}", "api-version", "1.1", "metadata", "preferred_network", host, "preferred_cache", host, "aliases", host);
	json_object_set_new(out, "tenant_discovery_endpoint", json_sprintf("%s/%s/v2.0/.well-known/openid-configuration", q->base, s->tenant));
	sim_reply_json(r, 200, out);
}

/* --- managed identities --------------------------------------------------------------------------------------------------------- */

static void refuse_identity(struct simulator *s, struct sim_reply *r, int status, const char *text)
{
	s->tokens.refused++;
	sim_reply_json(r, status, json_pack("{s:s, s:s}", "error", "invalid_request", "error_description", text));
}

/* As the endpoints answer: every value a string. */
static void answer_identity(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *resource = http_query(q->x, "resource"), *id = http_query(q->x, "client_id");
	char text[2 * SIM_GUID];
	int64_t expires_s;
	if (!q->api_version || !resource || !resource[0]) {
		refuse_identity(s, r, 400, "Required query variables 'api-version' and 'resource' are missing");
		return;
	}
	if (!s->settings.identity_assigned || (id && strcmp(id, s->client_id) != 0)) {
		refuse_identity(s, r, 400, "Identity not found");
		return;
	}
	issue(s, NULL, text, &expires_s);
	sim_reply_json(r, 200, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s}", "access_token", text, "client_id", s->client_id, "resource", resource, "token_type", "Bearer",
		"expires_in", json_sprintf("%lld", (long long)s->settings.token_lifetime_s), "expires_on", json_sprintf("%lld", (long long)expires_s),
		"not_before", json_sprintf("%lld", (long long)sim_timers_wall_s(s)), "refresh_token", ""));
}

static bool metadata_ok(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *header = http_header(q->x, "Metadata");
	if (header && strcasecmp(header, "true") == 0 && !http_header(q->x, "X-Forwarded-For"))
		return true;
	refuse_identity(s, r, 400, "Required metadata header not specified");
	return false;
}

static void answer_imds(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	if (metadata_ok(s, q, r))
		answer_identity(s, q, r);
}

static void answer_app_service(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *header = http_header(q->x, "X-IDENTITY-HEADER");
	if (header && strcmp(header, s->settings.identity_header) == 0)
		answer_identity(s, q, r);
	else
		refuse_identity(s, r, 401, "The X-IDENTITY-HEADER is missing or wrong");
}

/* The first question is answered by the name of a file that only a member of the machine's group can read; its content lets the second in. */
static void answer_arc(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *given = http_header(q->x, "Authorization");
	struct err ignored = ERR_INIT;
	char path[600];
	if (!metadata_ok(s, q, r))
		return;
	if (given && s->tokens.arc_key[0] && strncmp(given, "Basic ", 6) == 0 && strcmp(given + 6, s->tokens.arc_key) == 0) {
		s->tokens.arc_key[0] = 0;
		answer_identity(s, q, r);
		return;
	}
	sim_routes_guid(s->tokens.arc_key);
	snprintf(path, sizeof path, "%s/%s.key", s->settings.arc_folder, s->tokens.arc_key);
	sim_routes_guid(s->tokens.arc_key);
	if (!s->settings.arc_folder[0] || fd_write_file(path, s->tokens.arc_key, strlen(s->tokens.arc_key), 0640, &ignored) < 0) {
		refuse_identity(s, r, 500, "The setting arc_folder names no folder that the simulator can write to");
		return;
	}
	sim_reply_header(r, "WWW-Authenticate", "Basic realm=%s", path);
	r->status = 401;
}

/* --- which endpoint ------------------------------------------------------------------------------------------------------------- */

/* {} at the start takes the tenant. */
static const struct { const char *method, *path; sim_handler *answer; } ENDPOINTS[] = {
	{"POST", "{}/oauth2/v2.0/token", answer_token},
	{"GET", "{}/v2.0/.well-known/openid-configuration", answer_configuration},
	{"GET", "/common/discovery/instance", answer_discovery},
	{"GET", "/metadata/identity/oauth2/token", answer_imds},
	{"GET", "/msi/token", answer_app_service},
	{"GET", "/arc/metadata/identity/oauth2/token", answer_arc},
};

static sim_handler *endpoint_of(const struct sim_request *q)
{
	for (size_t i = 0; i < sizeof ENDPOINTS / sizeof ENDPOINTS[0]; i++) {
		const char *want = ENDPOINTS[i].path;
		bool any = want[0] == '{';
		str tail = any ? str_sub(q->path, str_find(q->path, '/', 1), q->path.len) : q->path;
		if (str_eqz(q->method, ENDPOINTS[i].method) && str_eqz(tail, any ? want + 2 : want))
			return ENDPOINTS[i].answer;
	}
	return NULL;
}

bool sim_tokens_is_path(const struct sim_request *q) { return endpoint_of(q) != NULL; }
void sim_tokens_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r) { endpoint_of(q)(s, q, r); }

/* --- checking ------------------------------------------------------------------------------------------------------------------- */

static void challenge(struct simulator *s, const struct sim_request *q, const char *more, struct sim_reply *r)
{
	sim_reply_header(r, "WWW-Authenticate", "Bearer realm=\"\", authorization_uri=\"%s/%s\", error=\"%s", q->base, s->tenant, more);
}

static void challenge_claims(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	char claims[200], more[400];
	snprintf(claims, sizeof claims, "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"%s\"}}}", s->tokens.challenge);
	CLEANUP(mem_freep) char *encoded = base64_encode(BASE64_STANDARD, str_of(claims));
	snprintf(more, sizeof more, "insufficient_claims\", claims=\"%s\"", encoded);
	challenge(s, q, more, r);
}

bool sim_tokens_check(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	const char *header = http_header(q->x, "Authorization");
	char now[32], then[32];
	if (!s->settings.auth)
		return true;
	if (!header || strncasecmp(header, "Bearer ", 7) != 0) {
		challenge(s, q, "invalid_token\"", r);
		sim_errors_answer(s, r, 401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.");
		return false;
	}
	const struct token *t = map_get(&s->tokens.by_text, str_trim(str_of(header + 7)));
	if (!t) {
		challenge(s, q, "invalid_token\"", r);
		sim_errors_answer(s, r, 401, "InvalidAuthenticationToken", "The access token is invalid.");
		return false;
	}
	if (t->expires_s <= sim_timers_wall_s(s)) {
		clock_rfc3339(sim_timers_wall_s(s), now);
		clock_rfc3339(t->expires_s, then);
		challenge(s, q, "invalid_token\"", r);
		sim_errors_answer(s, r, 401, "ExpiredAuthenticationToken", "The access token expiry UTC time '%s' is earlier than current UTC time '%s'.", then, now);
		return false;
	}
	if (s->tokens.challenge[0] && strcmp(t->challenge, s->tokens.challenge) != 0) {
		challenge_claims(s, q, r);
		sim_errors_answer(s, r, 401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in claims challenge with result: InteractionRequired.");
		return false;
	}
	return true;
}
