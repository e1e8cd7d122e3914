/* token.c: see token.h. The cache knows nothing about the sources but their order; it decides when one is asked and by whom. */
#include "azure/token_source.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/address.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

/* In the order in which they are tried. The first that is configured is the one, unless it turns out not to be there at all. */
static const struct token_source *const SOURCES[] = {
	&TOKEN_SECRET, &TOKEN_CERTIFICATE, &TOKEN_WORKLOAD_IDENTITY, &TOKEN_APP_SERVICE, &TOKEN_ARC, &TOKEN_IMDS,
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define EARLY_MS 300000          /* before expiry a new one is asked for */
#define AFTER_REFUSAL_MS 30000
#define BUSY_FIRST_MS 2000       /* doubled */
#define BUSY_MAX_MS 60000
#define RENEWAL_SPACING_MS 30000
#define ARC_FOLDER "/var/opt/azcmagent/tokens"

struct token_cache {
	const struct azure_environment *environment;
	int64_t (*now_ms)(void);
	const char *arc_folder;
	struct http_client *authority, *local;
	pthread_mutex_t mu;          /* guards all below */
	pthread_cond_t fetched;
	const struct token_source *used; /* that gave the last token */
	char *authorization;         /* NULL: none */
	int64_t refresh_ms, expires_ms;
	bool fetching;               /* one thread asks, without the mutex */
	unsigned failures;           /* since the last success */
	int64_t not_before_ms;       /* of the next attempt, after a failed one */
	struct err failure;
	int64_t renewed_ms;          /* when a refused token was replaced last; 0: never */
};

void token_wipe(char *authorization)
{
	if (authorization)
		OPENSSL_cleanse(authorization, strlen(authorization));
	free(authorization);
}

static struct http_client *client(const atomic_bool *cancel, const char *proxy)
{
	return http_client_new(&(struct http_options){.reach = ADDRESS_REACH_ANY, .connect_ms = 10000, .stall_s = 20, .proxy = proxy, .http1 = true,
						      .buffer_bytes = 16384, .cancel = cancel});
}

struct token_cache *token_cache_new_with(const struct azure_environment *e, const atomic_bool *cancel, const struct token_settings *s)
{
	struct token_cache *t = mem_alloc(sizeof *t);
	t->environment = e;
	t->now_ms = s->now_ms ? s->now_ms : clock_now_ms;
	t->arc_folder = s->arc_folder ? s->arc_folder : ARC_FOLDER;
	pthread_mutex_init(&t->mu, NULL);
	pthread_cond_init(&t->fetched, NULL);
	t->authority = client(cancel, environment_is_loopback(e->authority) ? "" : NULL);
	t->local = client(cancel, "");
	return t;
}

struct token_cache *token_cache_new(const struct azure_environment *e, const atomic_bool *cancel)
{
	return token_cache_new_with(e, cancel, &(struct token_settings){0});
}

void token_cache_free(struct token_cache *t)
{
	if (!t)
		return;
	http_client_free(t->authority);
	http_client_free(t->local);
	token_wipe(t->authorization);
	pthread_cond_destroy(&t->fetched);
	pthread_mutex_destroy(&t->mu);
	free(t);
}

/* --- asking the sources ------------------------------------------------------------------------------------------ */

static bool is_candidate(const struct token_cache *t, const struct token_source *s)
{
	return (t->environment->managed || !s->managed_only) && s->configured(t->environment);
}

static int ask_sources(const struct token_cache *t, const char *claims, struct token_grant *grant, const struct token_source **used, struct err *err)
{
	const struct token_context c = {
		.environment = t->environment, .authority = t->authority, .local = t->local, .arc_folder = t->arc_folder, .claims = claims,
	};
	int rc = err_set(err, ERR_CONFIG, "there are no Azure credentials: set AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE, or DEPLOYMENT_MODE=managed");
	bool gone_on = true;
	for (size_t i = 0; gone_on && i < COUNT(SOURCES); i++) {
		if (!is_candidate(t, SOURCES[i]))
			continue;
		rc = SOURCES[i]->fetch(&c, grant, err);
		*used = SOURCES[i];
		gone_on = rc < 0 && err->kind == ERR_NOT_FOUND;
	}
	return rc;
}

static void store(struct token_cache *t, struct token_grant *grant, int64_t asked_ms)
{
	int64_t lifetime_ms = grant->lifetime_s * 1000, early = lifetime_ms / 2 < EARLY_MS ? lifetime_ms / 2 : EARLY_MS;
	token_wipe(t->authorization);
	t->authorization = mem_printf("Bearer %s", grant->token);
	t->expires_ms = asked_ms + lifetime_ms;
	t->refresh_ms = t->expires_ms - early;
	t->failures = 0;
	t->not_before_ms = 0;
	token_wipe(grant->token);
}

static bool is_valid(const struct token_cache *t, int64_t now) { return t->authorization && now < t->expires_ms; }

static void note_failure(struct token_cache *t, const struct err *err)
{
	int64_t now = t->now_ms(), wait = AFTER_REFUSAL_MS;
	bool passes = err->kind == ERR_BUSY || err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || err->kind == ERR_CANCELLED;
	if (passes && !is_valid(t, now)) {
		wait = t->failures < 5 ? (int64_t)BUSY_FIRST_MS << t->failures : BUSY_MAX_MS;
		wait = wait < BUSY_MAX_MS ? wait : BUSY_MAX_MS;
	}
	t->failures++;
	t->not_before_ms = now + wait;
	t->failure = *err;
}

/* Called with the mutex, which is not held while a source is asked. */
static int fetch(struct token_cache *t, const char *claims, struct err *err)
{
	struct token_grant grant = {0};
	const struct token_source *used = NULL;
	struct err local = ERR_INIT;
	int64_t asked = t->now_ms();
	t->fetching = true;
	pthread_mutex_unlock(&t->mu);
	int rc = ask_sources(t, claims, &grant, &used, &local);
	pthread_mutex_lock(&t->mu);
	t->fetching = false;
	if (rc == 0) {
		t->used = used;
		store(t, &grant, asked);
	} else {
		note_failure(t, &local);
		*err = local;
	}
	pthread_cond_broadcast(&t->fetched);
	return rc;
}

/* --- the outside ------------------------------------------------------------------------------------------------- */

static int get(struct token_cache *t, struct err *err)
{
	for (;;) {
		int64_t now = t->now_ms();
		bool valid = is_valid(t, now);
		if (valid && (now < t->refresh_ms || t->fetching || now < t->not_before_ms))
			return 0;
		if (!t->fetching)
			break;
		pthread_cond_wait(&t->fetched, &t->mu);
	}
	if (t->now_ms() < t->not_before_ms) {
		*err = t->failure;
		return -1;
	}
	return fetch(t, NULL, err) < 0 && !is_valid(t, t->now_ms()) ? -1 : 0;
}

int token_get(struct token_cache *t, char **authorization, struct err *err)
{
	struct err local = ERR_INIT;
	pthread_mutex_lock(&t->mu);
	int rc = get(t, &local);
	if (rc == 0)
		*authorization = mem_strdup(t->authorization);
	else if (err)
		*err = local;
	pthread_mutex_unlock(&t->mu);
	return rc;
}

static int renew(struct token_cache *t, const char *refused, const char *claims, struct err *err)
{
	while (t->fetching)
		pthread_cond_wait(&t->fetched, &t->mu);
	int64_t now = t->now_ms();
	if (is_valid(t, now) && strcmp(t->authorization, refused) != 0)
		return 0;
	if (t->renewed_ms && now - t->renewed_ms < RENEWAL_SPACING_MS)
		return err_set(err, ERR_DENIED, "the new token was refused too: check the identity's role on the cluster and the token audience '%s'",
			       t->environment->audience);
	if (now < t->not_before_ms) {
		*err = t->failure;
		return -1;
	}
	token_wipe(t->authorization); /* whoever needs one waits for the new one */
	t->authorization = NULL;
	if (fetch(t, claims, err) < 0)
		return -1;
	t->renewed_ms = t->now_ms();
	return 0;
}

int token_renew(struct token_cache *t, const char *refused, const char *claims, char **authorization, struct err *err)
{
	struct err local = ERR_INIT;
	pthread_mutex_lock(&t->mu);
	int rc = renew(t, refused, claims, &local);
	if (rc == 0)
		*authorization = mem_strdup(t->authorization);
	else if (err)
		*err = local;
	pthread_mutex_unlock(&t->mu);
	return rc;
}

const char *token_source_name(struct token_cache *t)
{
	pthread_mutex_lock(&t->mu);
	const char *name = t->used ? t->used->name : "none";
	pthread_mutex_unlock(&t->mu);
	for (size_t i = 0; strcmp(name, "none") == 0 && i < COUNT(SOURCES); i++)
		if (is_candidate(t, SOURCES[i]))
			name = SOURCES[i]->name;
	return name;
}
