/* aws_credentials.c: see aws_credentials.h. */
#include "aws/aws_credentials.h"

#include "base/clock.h"
#include "base/mem.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

#define EARLY_S 300
#define REFUSED_S 30
#define BUSY_FIRST_S 2 /* doubled */
#define BUSY_MAX_S 60

struct aws_credentials {
	const struct aws_settings *settings;
	struct http_client *http;
	int64_t (*wall_s)(void);
	pthread_mutex_t mu;        /* guards all below */
	pthread_cond_t fetched;
	struct aws_keys keys;      /* id NULL: none */
	int64_t fetched_s, refresh_s;
	int64_t not_before_s;      /* of the next attempt, after a failed one */
	int failures;
	bool fetching;             /* one thread asks, without the mutex */
	struct err failure;
};

static void wipe(char **text)
{
	if (*text)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void aws_keys_done(struct aws_keys *k)
{
	wipe(&k->id);
	wipe(&k->secret);
	wipe(&k->token);
}

struct aws_credentials *aws_credentials_new(const struct aws_settings *s, const atomic_bool *cancel, int64_t (*wall_s)(void))
{
	struct aws_credentials *c = mem_alloc(sizeof *c);
	c->settings = s;
	c->wall_s = wall_s ? wall_s : clock_wall_s;
	c->http = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_ANY, .connect_ms = 5000, .stall_s = 20, .http1 = true, .buffer_bytes = 16384, .cancel = cancel,
							 .proxy = aws_settings_is_local(s->sts) ? "" : NULL});
	pthread_mutex_init(&c->mu, NULL);
	pthread_cond_init(&c->fetched, NULL);
	return c;
}

void aws_credentials_free(struct aws_credentials *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	aws_keys_done(&c->keys);
	pthread_cond_destroy(&c->fetched);
	pthread_mutex_destroy(&c->mu);
	free(c);
}

static int ask(const struct aws_credentials *c, struct aws_keys *out, struct err *err)
{
	for (size_t i = 0; i < AWS_CREDENTIAL_SOURCE_COUNT; i++) {
		const struct aws_credential_source *s = &AWS_CREDENTIAL_SOURCES[i];
		if (s->configured(c->settings))
			return s->fetch(c->settings, c->http, out, err) < 0 ? err_wrap(err, "AWS credentials, %s", s->name) : 0;
	}
	return err_set(err, ERR_CONFIG, "there are no AWS credentials: set AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, use EKS pod identity, or give the machine a role");
}

static bool valid(const struct aws_credentials *c, int64_t now) { return c->keys.id && (c->keys.expires_s == 0 || now < c->keys.expires_s); }

static void store(struct aws_credentials *c, struct aws_keys *keys, int64_t now)
{
	int64_t left = keys->expires_s - now, early = left / 2 < EARLY_S ? left / 2 : EARLY_S;
	aws_keys_done(&c->keys);
	c->keys = *keys;
	c->fetched_s = now;
	c->refresh_s = keys->expires_s == 0 ? INT64_MAX : keys->expires_s - early;
	c->failures = 0;
	c->not_before_s = 0;
}

static void note_failure(struct aws_credentials *c, const struct err *err, int64_t now)
{
	bool passes = err->kind == ERR_BUSY || err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || err->kind == ERR_CANCELLED;
	int64_t wait = REFUSED_S;
	if (passes && !valid(c, now))
		wait = c->failures < 5 ? (int64_t)BUSY_FIRST_S << c->failures : BUSY_MAX_S;
	c->failures++;
	c->not_before_s = now + wait;
	c->failure = *err;
}

/* Called with the mutex, which is not held while the source is asked. */
static void fetch(struct aws_credentials *c)
{
	struct aws_keys keys = {0};
	struct err why = ERR_INIT;
	c->fetching = true;
	pthread_mutex_unlock(&c->mu);
	int rc = ask(c, &keys, &why);
	pthread_mutex_lock(&c->mu);
	c->fetching = false;
	if (rc == 0 && keys.expires_s != 0 && keys.expires_s <= c->wall_s()) {
		aws_keys_done(&keys);
		rc = err_set(&why, ERR_BUSY, "AWS credentials: the source gave keys that have expired: check this machine's clock");
	}
	if (rc == 0)
		store(c, &keys, c->wall_s());
	else
		note_failure(c, &why, c->wall_s());
	pthread_cond_broadcast(&c->fetched);
}

static int get(struct aws_credentials *c)
{
	while (c->fetching && !valid(c, c->wall_s()))
		pthread_cond_wait(&c->fetched, &c->mu);
	int64_t now = c->wall_s();
	bool due = !valid(c, now) || now >= c->refresh_s;
	if (due && !c->fetching && now >= c->not_before_s)
		fetch(c);
	return valid(c, c->wall_s()) ? 0 : -1;
}

int aws_credentials_get(struct aws_credentials *c, struct aws_keys *out, struct err *err)
{
	pthread_mutex_lock(&c->mu);
	int rc = get(c);
	if (rc == 0)
		*out = (struct aws_keys){mem_strdup(c->keys.id), mem_strdup(c->keys.secret), mem_strdup(c->keys.token), c->keys.expires_s};
	else if (err)
		*err = c->failure;
	pthread_mutex_unlock(&c->mu);
	return rc;
}

void aws_credentials_refused(struct aws_credentials *c, const char *id)
{
	pthread_mutex_lock(&c->mu);
	if (c->keys.id && strcmp(c->keys.id, id) == 0 && c->keys.expires_s != 0 && c->wall_s() - c->fetched_s >= REFUSED_S)
		c->keys.expires_s = 1;
	pthread_mutex_unlock(&c->mu);
}
