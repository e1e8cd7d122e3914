/* control.h: the world a controller lives in, and the table row that makes one. A controller is a file with a reconcile function, a
 * watches function and a row in manager.c; it keeps no state that a restart cannot rebuild. */
#pragma once
#include "crd/options.h"
#include "http/metrics.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"
#include "kube/work_queue.h"
#include "provision/provision.h"

/* The informers of the process; to add one: a name here and a row in caches.c. Entries are NULL when no enabled controller needs them. */
enum cache {
	CACHE_WORKSPACES, CACHE_INFERENCE_SETS, CACHE_MULTI_ROLES, CACHE_MODEL_MIRRORS, CACHE_NODES, CACHE_NODE_CLAIMS, CACHE_NODE_POOLS,
	CACHE_SERVICES, CACHE_STATEFULSETS, CACHE_JOBS, CACHE_PODS, CACHE_COUNT
};
struct catalog_resolver;
struct control { /* immutable after start, apart from what it points at */
	const struct control_options *options;
	struct kube_client *kube;
	struct informer *caches[CACHE_COUNT];
	struct event_recorder *events;
	const struct provisioner *provisioner;
	struct node_context nodes;
	struct catalog_resolver *models;
	struct metrics *metrics;
};
struct outcome { int64_t requeue_ms; /* 0: wait for an event */ };
struct controller {
	const char *name;            /* "workspace": queue, log and metric label */
	int workers;
	/* The object may be gone: then there is nothing to do but to return 0. An error is logged once and retried with back-off. */
	int (*reconcile)(struct control *c, const char *namespace_, const char *name, struct outcome *out, struct err *err);
	/* Which keys an event of a cache concerns: add(list, "namespace/name"). Called on informer threads; must not block. */
	void (*keys)(struct control *c, enum cache cache, const json_t *object, void (*add)(void *list, const char *key), void *list);
	const enum cache *caches; size_t n_caches; /* the caches it watches */
	bool (*enabled)(const struct control_options *o);
	/* Runs every period_ms on the leader besides the queue (auto-upgrade, metrics); NULL: none. */
	int (*tick)(struct control *c, struct err *err);
	int64_t period_ms;
};
extern const struct controller WORKSPACE_CONTROLLER, INFERENCE_SET_CONTROLLER, MULTI_ROLE_CONTROLLER, DRIFT_CONTROLLER, AUTO_UPGRADE_CONTROLLER, MODEL_MIRROR_CONTROLLER;
