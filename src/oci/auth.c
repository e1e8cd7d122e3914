/* auth.c: see auth.h. The token protocol is the distribution project's; an identity token (a refresh token) is traded by
 * POST, user and password by GET. */
#include "oci/auth.h"

#include "base/clock.h"
#include <curl/curl.h>

#define TOKEN_DEFAULT_S 60
#define TOKEN_EARLY_MS 5000 /* renewed this long before it expires */
#define TOKEN_MAX_S 86400

void auth_init(struct auth *a, struct http_client *client, const char *registry, const char *repository)
{
	*a = (struct auth){.client = client, .registry = registry, .repository = repository};
	pthread_mutex_init(&a->mu, NULL);
}

void auth_done(struct auth *a)
{
	challenge_done(&a->challenge);
	credentials_done(&a->credentials);
	free(a->token);
	free(a->scope);
	pthread_mutex_destroy(&a->mu);
}

static int look_up(struct auth *a, struct err *err)
{
	if (a->looked_up)
		return 0;
	int rc = credentials_find(a->registry, a->repository, &a->credentials, err);
	if (rc < 0)
		return -1;
	a->looked_up = true;
	a->have_credentials = rc == 0;
	return 0;
}

static void put_escaped(struct buf *b, const char *name, const char *value, size_t len)
{
	char *escaped = curl_easy_escape(NULL, value, (int)len);
	buf_printf(b, "%s%s=%s", b->len ? "&" : "", name, escaped ? escaped : "");
	curl_free(escaped);
}

/* service=…&scope=…&scope=… */
static void put_query(struct buf *b, const struct auth *a, const char *scope)
{
	if (a->challenge.service)
		put_escaped(b, "service", a->challenge.service, strlen(a->challenge.service));
	for (const char *p = scope; *p;) {
		const char *end = strchrnul(p, ' ');
		put_escaped(b, "scope", p, (size_t)(end - p));
		p = *end ? end + 1 : end;
	}
}

/* The request for a token; the caller frees *url and *authorization and the form. */
static void make_request(const struct auth *a, const char *scope, char **url, char **authorization, struct buf *form)
{
	struct buf query = {0};
	put_query(&query, a, scope);
	if (a->credentials.identity_token) {
		buf_put_str(form, buf_str(&query));
		put_escaped(form, "grant_type", STR("refresh_token").data, 13);
		put_escaped(form, "client_id", STR("kaito").data, 5);
		put_escaped(form, "refresh_token", a->credentials.identity_token, strlen(a->credentials.identity_token));
		*url = mem_strdup(a->challenge.realm);
	} else {
		*url = mem_printf("%s%s%s", a->challenge.realm, strchr(a->challenge.realm, '?') ? "&" : "?", query.data ? query.data : "");
		if (a->have_credentials) {
			CLEANUP(mem_freep) char *basic = credentials_basic(&a->credentials);
			*authorization = mem_printf("Basic %s", basic);
		}
	}
	buf_done(&query);
}

static void decref(json_t **value) { json_decref(*value); }

static int read_token(struct auth *a, str body, const char *scope, struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	const char *token = NULL, *access = NULL;
	int64_t seconds = TOKEN_DEFAULT_S;
	if (json_parse(&root, body, "token", NULL) < 0 || !json_is_object(root) || json_get_string(root, "token", "", &token, NULL) < 0 ||
	    json_get_string(root, "access_token", "", &access, NULL) < 0 || json_get_int(root, "expires_in", "", &seconds, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "the token server of %s answered something that is not a token", a->registry);
	token = token && token[0] ? token : access;
	if (!token || !token[0])
		return err_set(err, ERR_PROTOCOL, "the token server of %s answered without a token", a->registry);
	for (const char *p = token; *p; p++)
		if ((unsigned char)*p <= ' ')
			return err_set(err, ERR_PROTOCOL, "the token server of %s answered a token with blanks", a->registry);
	seconds = seconds < 1 ? TOKEN_DEFAULT_S : seconds > TOKEN_MAX_S ? TOKEN_MAX_S : seconds;
	free(a->token);
	free(a->scope);
	a->token = mem_strdup(token);
	a->scope = mem_strdup(scope);
	a->expires_ms = clock_now_ms() + seconds * 1000;
	return 0;
}

static int denied(const struct auth *a, struct err *err)
{
	if (a->have_credentials)
		return err_set(err, ERR_DENIED, "registry %s refuses the credentials for %s", a->registry, a->repository);
	return err_set(err, ERR_DENIED, "registry %s wants credentials for %s and none were found: log in with a tool that writes "
		       "~/.docker/config.json, or name a folder that has one in DOCKER_CONFIG",
		       a->registry, a->repository);
}

static int fetch_token(struct auth *a, const char *scope, struct err *err)
{
	if (!a->plain_http && strncmp(a->challenge.realm, "https://", 8) != 0)
		return err_set(err, ERR_DENIED, "registry %s names a token server without https; credentials are not sent there", a->registry);
	CLEANUP(mem_freep) char *url = NULL;
	CLEANUP(mem_freep) char *authorization = NULL;
	CLEANUP(buf_done) struct buf form = {0};
	CLEANUP(http_response_done) struct http_response response = {0};
	make_request(a, scope, &url, &authorization, &form);
	static const char *const FORM[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
	const struct http_request request = {
		.method = form.len ? "POST" : "GET", .url = url, .authorization = authorization, .headers = form.len ? FORM : NULL,
		.body = {.data = form.data, .len = form.len}, .trust_host = a->trust_realm,
	};
	if (http_client_send(a->client, &request, &response, err) < 0)
		return err_wrap(err, "token for %s", a->registry);
	if (response.status == 401 || response.status == 403 || response.status == 400)
		return denied(a, err);
	if (response.status != 200) {
		CLEANUP(mem_freep) char *doing = mem_printf("token for %s", a->registry);
		return http_status_error(response.status, doing, err);
	}
	return read_token(a, buf_str(&response.body), scope, err);
}

static int value_locked(struct auth *a, const char *scope, bool refused, const char *challenge, char **value, struct err *err)
{
	if (challenge) {
		challenge_done(&a->challenge);
		challenge_parse(str_of(challenge), &a->challenge);
	}
	*value = NULL;
	if (a->challenge.scheme == CHALLENGE_NONE)
		return refused ? err_set(err, ERR_DENIED, "registry %s refuses access and offers no way to log in that is known here", a->registry) : 0;
	if (look_up(a, err) < 0)
		return -1;
	if (a->challenge.scheme == CHALLENGE_BASIC) {
		if (!a->credentials.user)
			return denied(a, err);
		CLEANUP(mem_freep) char *basic = credentials_basic(&a->credentials);
		*value = mem_printf("Basic %s", basic);
		return 0;
	}
	bool usable = !refused && a->token && strcmp(a->scope, scope) == 0 && clock_now_ms() < a->expires_ms - TOKEN_EARLY_MS;
	if (!usable && fetch_token(a, scope, err) < 0)
		return -1;
	*value = mem_printf("Bearer %s", a->token);
	return 0;
}

int auth_value(struct auth *a, const char *scope, bool refused, const char *challenge, char **value, struct err *err)
{
	pthread_mutex_lock(&a->mu);
	int rc = value_locked(a, scope, refused, challenge, value, err);
	pthread_mutex_unlock(&a->mu);
	return rc;
}
