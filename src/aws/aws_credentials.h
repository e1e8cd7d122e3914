/* aws_credentials.h: the keys that requests are signed with. A source gives them (aws_credential_sources.c: environment, web identity of a
 * service account, EKS pod identity, this machine's role; a row each); the cache in front asks again 5 minutes before they expire, by one
 * thread while others use the old ones, and leaves 30 s between failed attempts (2 s doubled while the source is merely busy or away).
 * Guarded by its own mutex. */
#pragma once
#include "aws/aws_settings.h"
#include "http/client.h"
#include <stdatomic.h>
#include <stdint.h>

struct aws_keys { char *id, *secret, *token /* "" none */; int64_t expires_s; /* Unix time; 0: never */ };
void aws_keys_done(struct aws_keys *k); /* overwrites and frees */

struct aws_credentials;
/* now_ms, wall_s: NULL but in tests. Settings are borrowed. Nothing is sent before the first question. */
struct aws_credentials *aws_credentials_new(const struct aws_settings *s, const atomic_bool *cancel, int64_t (*wall_s)(void));
void aws_credentials_free(struct aws_credentials *c);
/* A copy. Waits at most for one exchange with the source. */
WARN_UNUSED int aws_credentials_get(struct aws_credentials *c, struct aws_keys *out, struct err *err);
/* A service called these keys expired: they are not used again, unless they are younger than 30 s. */
void aws_credentials_refused(struct aws_credentials *c, const char *id);

/* --- sources ------------------------------------------------------------------------------------------------------ */

struct aws_credential_source {
	const char *name; /* "web-identity" */
	bool (*configured)(const struct aws_settings *s);
	/* ERR_BUSY, ERR_NETWORK, ERR_TIMEOUT: may pass within seconds. Messages carry no secret. */
	int (*fetch)(const struct aws_settings *s, struct http_client *http, struct aws_keys *out, struct err *err);
};
extern const struct aws_credential_source AWS_CREDENTIAL_SOURCES[]; /* in the order tried; the first configured one is the one */
extern const size_t AWS_CREDENTIAL_SOURCE_COUNT;
