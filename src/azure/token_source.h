/* token_source.h: what a way of getting a token offers to the cache (token.c). Private to token*.c and their tests.
 * To add a source: a file token_<name>.c with its row, and the row's place in token.c's list. */
#pragma once
#include "azure/token.h"
#include "base/buf.h"
#include <jansson.h>

struct token_settings { /* what tests replace; zero: production */
	int64_t (*now_ms)(void);     /* clock_now_ms */
	const char *arc_folder;      /* where the Arc agent leaves its key files */
};
struct token_cache *token_cache_new_with(const struct azure_environment *e, const atomic_bool *cancel, const struct token_settings *s);

struct token_context { /* borrowed by a source while it fetches */
	const struct azure_environment *environment;
	struct http_client *authority;     /* proxies as the environment says */
	struct http_client *local;         /* no proxy: metadata services of this machine */
	const char *arc_folder;
	const char *claims;                /* JSON text of a CAE challenge, or NULL */
};
#define TOKEN_REQUEST_MS 30000        /* one question to a source; others may be waiting for the answer */
struct token_grant { char *token; int64_t lifetime_s; };

struct token_source {
	const char *name;                  /* "workload-identity" */
	bool (*configured)(const struct azure_environment *e);
	bool managed_only;                 /* tried with DEPLOYMENT_MODE=managed only */
	/* Asks once, without repetition. ERR_BUSY, ERR_NETWORK, ERR_TIMEOUT: worth another try within seconds; ERR_NOT_FOUND: this source is
	 * not there at all, the next of a chain is tried; anything else: refused. */
	int (*fetch)(const struct token_context *c, struct token_grant *out, struct err *err);
};
extern const struct token_source TOKEN_SECRET, TOKEN_CERTIFICATE, TOKEN_WORKLOAD_IDENTITY, TOKEN_APP_SERVICE, TOKEN_ARC, TOKEN_IMDS;

/* --- what sources share: token_answer.c ------------------------------------------------------------------------------ */

/* The grant in an answer {access_token, expires_in or expires_on}, whose values may be strings. ERR_PROTOCOL names what is missing. */
WARN_UNUSED int token_answer_read(str body, const char *from, struct token_grant *out, struct err *err);
/* Asks the metadata service of this machine: GET `url` with `header`. 0 for any status; the body is wiped by token_response_done. */
WARN_UNUSED int token_answer_get(const struct token_context *c, const char *url, const char *header, const char *authorization,
				 struct http_response *out, struct err *err);
/* The error of a metadata service's status: ERR_BUSY for what passes, else ERR_DENIED with `say` and the service's own words (unless they
 * repeat the secret; NULL: none). */
int token_answer_error(const struct http_response *r, const char *from, const char *say, const char *secret, struct err *err);
/* What a service wrote, up to the first thing that differs each time (trace ids, times) and at most `max` bytes of whole characters; empty
 * when it repeats the secret. */
str token_answer_words(const char *text, const char *secret, size_t max);
void token_response_done(struct http_response *r);
/* "…?api-version=V&resource=AUDIENCE[&client_id=ID]". Caller frees. */
char *token_answer_url(const char *endpoint, const char *version, const struct azure_environment *e, bool with_client);

/* --- and those that ask the authority: token_entra.c ------------------------------------------------------------------ */

struct token_form { const char *name, *value; };
/* POST {authority}{tenant}/oauth2/v2.0/token with these fields besides the common ones. secret: what must not appear in a message. subject:
 * of the assertion, for the messages about federated credentials; may be NULL. */
WARN_UNUSED int token_entra_ask(const struct token_context *c, const struct token_form *fields, size_t n, const char *secret, const char *subject,
				struct token_grant *out, struct err *err);
char *token_entra_url(const struct azure_environment *e); /* caller frees */
void token_entra_put_escaped(struct buf *out, const char *value);
#define TOKEN_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
void token_wipe_buf(struct buf *b); /* overwrites and frees */
