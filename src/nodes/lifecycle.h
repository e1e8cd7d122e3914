/* lifecycle.h: one pass over one claim. The steps edit a copy of the claim (and of its Node) in memory; what they changed is written at
 * the end, at most one patch of each kind, and nothing when nothing changed. Only a memo of the cloud is stored in between. Private to
 * the lifecycle_*.c files. */
#pragma once
#include "nodes/nodes.h"

struct claim_pass {
	struct nodes *n;
	const struct dialect *d;
	struct object_home home;
	json_t *stored;                 /* as the API server has it */
	json_t *claim;                  /* as it is to be */
	json_t *node_stored, *node;     /* the claim's Node likewise; NULL: not needed, or there is none */
	struct condition_set conditions; /* of `claim` */
	int64_t now_s;
	char now[32];
	int64_t requeue_ms;             /* the earliest wish; 0: none */
	const char *disrupt;            /* the claim is to be deleted at the end of the pass, for this reason; NULL: not */
};
#define LIFECYCLE_NAME "nodeclaim.lifecycle"

/* Asks for another pass after ms; <= 0: no wish. */
void lifecycle_again(struct claim_pass *p, int64_t ms);
/* Writes what was edited in the metadata. Afterwards the copy's metadata are the stored ones. */
WARN_UNUSED int lifecycle_store_metadata(struct claim_pass *p, struct err *err);
WARN_UNUSED int lifecycle_store_status(struct claim_pass *p, struct err *err);

/* The steps of a claim's life. launch: 1 and err when the cloud failed (the condition says so, the other steps and writes go on), -1 when
 * a memo could not be stored: the pass ends. */
WARN_UNUSED int lifecycle_launch(struct claim_pass *p, struct err *err);
void lifecycle_register(struct claim_pass *p);
void lifecycle_initialize(struct claim_pass *p);
void lifecycle_liveness(struct claim_pass *p);
/* One step of the way out; nothing more to do when the finalizer is gone. */
WARN_UNUSED int lifecycle_finalize(struct claim_pass *p, struct err *err);
/* The Nodes with the claim's providerID that are not being deleted; new array. */
json_t *lifecycle_nodes(struct claim_pass *p);
/* Makes it the pass's Node. */
void lifecycle_take_node(struct claim_pass *p, json_t *node);
/* Writes what the steps changed on the Node; nothing changed: 0. */
WARN_UNUSED int lifecycle_store_node(struct claim_pass *p, struct err *err);
