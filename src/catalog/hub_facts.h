/* hub_facts.h: what a model hub says of one model: its files' sizes and its configuration. Two or three small requests, no weights. */
#pragma once
#include "catalog/derive.h"
#include <stdatomic.h>

struct hub_facts_source {
	const char *url;              /* without a slash at the end */
	bool trusted;                 /* named by the operator: it may have a private address */
	const char *token;            /* NULL: none */
	const atomic_bool *cancel;
};
struct hub_facts { struct derive_files files; json_t *config; bool gated; /* the hub wanted the token */ };

/* The token is only sent where the hub refuses without it. ERR_NOT_FOUND, ERR_DENIED, ERR_NETWORK, ERR_TIMEOUT, ERR_BUSY, ERR_PROTOCOL.
 * name must be checked to be ORG/NAME. */
WARN_UNUSED int hub_facts_ask(const struct hub_facts_source *source, const char *name, struct hub_facts *out, struct err *err);
void hub_facts_done(struct hub_facts *f);

/* The same from a folder, kept so that a restart or an unreachable hub costs nothing. */
/* 1: there, *age_s old; 0: not there or not readable. Never fails: what is broken is asked for again. */
int hub_facts_load(const char *folder, const char *name, struct hub_facts *out, int64_t *age_s);
/* Whether it was written; a folder that cannot be written only costs the next start a question. */
bool hub_facts_save(const char *folder, const char *name, const struct hub_facts *f);
