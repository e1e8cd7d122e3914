/* cloud.h: what a fulfiller of claims offers. One implementation per cloud (azure/, aws/, cloud/kwok.c); to add one: its files and a row
 * where the command picks it (cmd/cmd_provisioner.c).
 *
 * No function here blocks for longer than one request takes: creating and deleting are steps of a state machine that the claim's
 * reconcile calls again. What must survive a crash is handed back as `memo`, JSON text that the caller stores in the claim's annotation
 * (ANNOTATION_OPERATION) BEFORE the next step, so that a restarted process goes on where this one was. All functions may be called by
 * several threads for different claims. */
#pragma once
#include "base/buf.h"
#include "cloud/claim_view.h"
#include "kube/informer.h"

enum instance_state { INSTANCE_CREATING, INSTANCE_RUNNING, INSTANCE_STOPPED /* deallocated on purpose: neither repaired nor collected */, INSTANCE_FAILED, INSTANCE_DELETING };
struct instance { /* one machine (or pool of one) as the cloud lists it; borrowed during the callback */
	const char *name;                     /* the cloud's: agent pool, instance id */
	const char *claim, *claim_uid;        /* from ownership tags or labels; "" when unknown */
	const char *provider_id;              /* "" until known */
	const char *image_id;                 /* "" unknown */
	enum instance_state state;
	int64_t created_s;                    /* 0: unknown */
	const json_t *labels;                 /* what its Node carries; may be NULL */
};

enum step {
	STEP_PERSIST,  /* store memo (NULL: remove the annotation), then call again at once */
	STEP_WAIT,     /* call again on an event, or after retry_ms when it is not 0 */
	STEP_DONE,
	STEP_FAILED,   /* launch only: reason and message say why; retry_ms 0: never by itself (terminal until the claim changes) */
};
#define CLOUD_REASON_MAX 64
#define CLOUD_MESSAGE_MAX 800             /* Karpenter's limit for Launched here; code first, as the Workspace shows 256 */
#define CLOUD_MEMO_MADE "\"phase\":\"made\"" /* part of a memo that stays: no step is taken for its sake */
struct launch_result {
	enum step step;
	char *memo;                           /* STEP_PERSIST, and what stays after STEP_DONE (NULL: nothing; else it has CLOUD_MEMO_MADE); owned by the result */
	int64_t retry_ms;
	bool insufficient;                    /* STEP_FAILED: no capacity or quota in reach; Karpenter deletes such a claim */
	char reason[CLOUD_REASON_MAX + 1], message[CLOUD_MESSAGE_MAX + 1]; /* STEP_FAILED; STEP_WAIT: what is awaited, may be "" */
	char event[CLOUD_REASON_MAX + 1];     /* STEP_FAILED and fallbacks: a Warning event of this reason with `message`; "" none */
	/* STEP_DONE: */
	char *provider_id, *image_id;         /* owned; image_id may be NULL */
	json_t *labels, *annotations;         /* to merge into the claim; owned, may be NULL */
	json_t *capacity, *allocatable;       /* owned; may be NULL: unknown until the Node tells */
};
void launch_result_done(struct launch_result *r);
struct terminate_result {
	enum step step;                       /* STEP_DONE: nothing of it exists any more */
	char *memo;
	int64_t retry_ms;
	char reason[CLOUD_REASON_MAX + 1], message[CLOUD_MESSAGE_MAX + 1]; /* STEP_WAIT: why it takes long, for the claim's condition; "" all is well */
};
void terminate_result_done(struct terminate_result *r);

/* A Node condition that has lasted this long: force delete. Its type ends in Ready, Healthy or Scheduled; others are not kept (nodes/caches.c). */
struct repair_policy { const char *condition, *status; int64_t toleration_s; };
struct cloud_hooks {
	/* Something of this claim changed in the cloud: reconcile it. Any thread, no lock held. */
	void (*changed)(void *context, const char *claim);
	void *context;
	/* The Nodes of the cluster; index keys NODE_KEY_* below. NULL: offline (explain). Borrowed for the cloud's life. */
	struct informer *nodes;
	/* From then on nothing may be changed: http_options.until_ms of the requests that change something. NULL: no limit. Borrowed likewise. */
	const atomic_int_fast64_t *until_ms;
};
/* Index keys of the Nodes' informer (nodes/caches.c). */
#define NODE_KEY_PROVIDER "provider:" /* a hash of spec.providerID: cloud_node_key */
#define NODE_KEY_POOL "pool:"         /* label agentpool */

char *cloud_node_key(const char *provider_id); /* of any case; caller frees */

struct cloud; /* the implementation's own */
struct cloud_ops {
	const char *name;                     /* metric label "provider": "azure", "aws", "kwok" */
	/* Takes one step of creating. The first step of a claim without a memo makes nothing yet: it answers STEP_PERSIST (or finds what is
	 * there already), and the caller stores the claim's finalizer together with that memo. -1 (err set) only for failures that say nothing about the claim (API away, credentials): retried with
	 * back-off and shown as LaunchFailed. Idempotent: the same claim never gets two instances, whatever was lost in between. */
	int (*launch)(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err);
	/* Takes one step of deleting whatever was or is being created for the claim; also while creating runs. */
	int (*terminate)(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err);
	/* The instance with this providerID: 0 and fn called once, 1: certainly gone (the cloud answers and does not have it; an empty or
	 * malformed id too), -1: cannot be told. */
	int (*get)(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err);
	/* All instances that belong to claims of this cluster, from a list not older than max_age_ms. -1: unknown; nothing may be concluded. */
	int (*list)(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err);
	/* Deletes a listed instance that no claim owns (accepted is enough). */
	int (*reap)(struct cloud *c, const struct instance *i, struct err *err);
	/* The claim that a Node belongs to, from its labels, or NULL; caller frees. */
	char *(*claim_of_node)(struct cloud *c, const json_t *node);
	/* Whether a node class can be used: 0, or 1 with the reason in err. node_class NULL: the defaults. */
	int (*check_class)(struct cloud *c, const json_t *node_class, struct err *err);
	/* The request that launch would send next and why, as text for people. No request is sent. */
	int (*explain)(struct cloud *c, const struct claim_view *claim, struct buf *out, struct err *err);
	/* Whether it can reach its API with its credentials: for /readyz. 1: not yet, err says why. */
	int (*ready)(struct cloud *c, struct err *err);
	const struct repair_policy *repair;   /* ends with a row without condition */
	void (*collect)(struct cloud *c, struct buf *out); /* appends its own Prometheus text; NULL: none */
	void (*free)(struct cloud *c);
};
struct cloud { const struct cloud_ops *ops; }; /* first member of each implementation's struct */
