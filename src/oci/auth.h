/* auth.h: the Authorization header for one registry: nothing, Basic, or Bearer tokens from the realm that the registry
 * names, kept until shortly before they expire. Shared by the threads of one transfer, guarded by its own mutex. */
#pragma once
#include "codec/json.h"
#include "http/client.h"
#include "oci/challenge.h"
#include "oci/credentials.h"
#include <pthread.h>

struct auth {
	pthread_mutex_t mu;
	struct http_client *client;
	const char *registry, *repository;  /* borrowed; for looking up credentials */
	bool plain_http;                    /* the registry is spoken to in plain http, so its realm may be, too */
	bool trust_realm;                   /* the realm may have a private address */
	struct challenge challenge;         /* the registry's last one */
	struct credentials credentials;
	bool looked_up, have_credentials;
	char *token;
	char *scope;                        /* what the token is for */
	int64_t expires_ms;
};

void auth_init(struct auth *a, struct http_client *client, const char *registry, const char *repository);
void auth_done(struct auth *a);
/* *value is the header's value for these scopes ("repository:org/name:pull", several separated by blanks), or NULL when
 * the registry asks for nothing; freed by the caller. `refused`: the last value was answered by 401 with this challenge
 * (may be NULL), so a cached one is no good. ERR_DENIED says which credentials are missing. */
WARN_UNUSED int auth_value(struct auth *a, const char *scope, bool refused, const char *challenge, char **value, struct err *err);
