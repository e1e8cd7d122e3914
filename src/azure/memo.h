/* memo.h: what a claim's annotation keeps of its fulfilment (cloud.h, memo), so that another process goes on: which pool, which offering,
 * how far, and the operation that ARM runs. Written before the step it announces is taken. */
#pragma once
#include "azure/agent_pool.h"

enum memo_phase {
	MEMO_NONE,     /* nothing was ever sent */
	MEMO_INTENT,   /* the PUT may have been sent */
	MEMO_RUNNING,  /* ARM accepted it, or the pool was found */
	MEMO_CLEARING, /* the pool failed and goes, before the next offering is tried */
	MEMO_ABORTING, /* the claim is deleted while its pool is being created: the creation may have been aborted */
	MEMO_DELETING, /* ARM accepted the DELETE */
	MEMO_MADE,     /* the Node joined: stays with the claim, to tell which pool it is */
	MEMO_PHASES
};
#define MEMO_SKU_MAX 95
#define MEMO_ZONE_MAX 63
struct memo {
	enum memo_phase phase;
	char pool[UNIT_NAME_MAX + 1]; /* or the machine: a unit */
	char sku[MEMO_SKU_MAX + 1], zone[MEMO_ZONE_MAX + 1];
	bool spot;
	int64_t attempt;          /* offerings tried before this one */
	char incarnation[17];     /* of the process that wrote it */
	int64_t started_s;        /* when this phase began */
	json_t *operation;        /* operation_json; NULL: none; owned */
};
/* text NULL or "": MEMO_NONE. ERR_INVALID for what no process of ours wrote; then nothing is known about the claim. */
WARN_UNUSED int memo_read(struct memo *m, const char *text, struct err *err);
char *memo_text(const struct memo *m); /* caller frees */
void memo_done(struct memo *m);
/* The next phase, begun now by `incarnation`; operation (NULL: none) is taken. */
void memo_advance(struct memo *m, enum memo_phase phase, const char *incarnation, json_t *operation);
