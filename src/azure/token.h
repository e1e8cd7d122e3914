/* token.h: bearer tokens for ARM. A source asks for one (token_*.c: workload identity, client secret, certificate, IMDS, App Service,
 * Arc; a row each in token.c); the cache in front of it refreshes 5 minutes before expiry by one thread while others use the old token,
 * leaves 30 s between failed attempts (2 s doubled up to 60 s while there is no token and the source is merely busy or away), and serves the
 * old token until it expires. Guarded by its own mutex. */
#pragma once
#include "azure/environment.h"
#include "http/client.h"
#include <stdatomic.h>
#include <stdint.h>

struct token_cache;
/* The sources tried in order follow from the environment, which is borrowed. Nothing is sent before the first token_get. */
struct token_cache *token_cache_new(const struct azure_environment *e, const atomic_bool *cancel);
void token_cache_free(struct token_cache *t);
/* "Bearer …" for an Authorization header, of any valid token; caller frees with token_wipe. Never sleeps; waits at most for one request to
 * the source. ERR_DENIED carries the AADSTS code first ("AADSTS70021: …") and what to check. */
WARN_UNUSED int token_get(struct token_cache *t, char **authorization, struct err *err);
/* A token other than the refused one: the cache's, when another thread has renewed it meanwhile, else a new one. claims: a CAE challenge's
 * (JSON text), or NULL. ERR_DENIED when the refused one was itself such a renewal less than 30 s ago. */
WARN_UNUSED int token_renew(struct token_cache *t, const char *refused, const char *claims, char **authorization, struct err *err);
void token_wipe(char *authorization); /* overwrites and frees; NULL is allowed */
static inline void token_wipep(char **authorization) { token_wipe(*authorization); }
const char *token_source_name(struct token_cache *t); /* "workload-identity", for the log */
