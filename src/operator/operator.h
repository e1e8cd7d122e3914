/* operator.h: what every controller process is made of: API client, informers, work queues with workers, leader election, health and
 * metrics endpoints. A process is a table of caches and a table of controllers over one `world`; a controller is a file with a reconcile
 * function, a keys function and a row, and keeps no state that a restart cannot rebuild. */
#pragma once
#include "http/metrics.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"
#include "kube/work_queue.h"

enum { OPERATOR_CACHES_MAX = 16, OPERATOR_CONTROLLERS_MAX = 16, OPERATOR_WORKERS_MAX = 32 };

struct operator_cache { /* a row per informer, indexed by the process's own enum */
	const struct kube_resource *resource;
	const char *label_selector;
	bool (*transform)(json_t *object);
	void (*index)(const json_t *object, void (*add)(void *list, const char *key), void *list);
	bool quiet;                     /* own writes raise no event */
	int coalesce_ms;                /* events of it wait this long before the reconcile, so that a burst is one pass */
};
struct outcome { int64_t requeue_ms; /* 0: wait for an event */ };
struct operator_controller {
	const char *name;               /* "workspace": queue, log and metric label */
	int workers;
	/* The object may be gone: then there is nothing to do but to return 0. An error is logged once and retried with back-off. */
	int (*reconcile)(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err);
	/* Which keys an event of a cache concerns: add(list, "namespace/name" or "name"). Called on informer threads; must not block. */
	void (*keys)(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list);
	const int *caches; size_t n_caches;
	bool (*enabled)(const void *world);            /* NULL: always */
	/* Runs every period_ms(world) on the leader besides the queue; NULL: none. */
	int (*tick)(void *world, struct err *err);
	int64_t (*period_ms)(const void *world);
	int64_t backoff_first_ms, backoff_max_ms;      /* of a failing key; 0: 5 ms, 1000 s */
};
struct operator_options { /* borrowed for the run */
	const char *name;               /* user agent, "kaito-controller" */
	const char *kubeconfig;
	double qps;
	int burst;
	const char *health_address, *metrics_address;
	bool leader_elect;
	const char *lease_namespace, *lease_name;
	const char *event_component;
	const struct operator_cache *caches; size_t n_caches;
	const struct operator_controller *const *controllers; size_t n_controllers;
	bool (*cache_wanted)(const void *world, int cache);   /* NULL: every cache that an enabled controller watches */
	/* Steps of the process's own, each may be NULL: after the client is made (caches do not run yet); after the caches are filled and
	 * before leadership (a webhook serves on every replica); once it leads, before the workers; and at the end, before the caches go. */
	int (*prepare)(void *world, struct err *err);
	int (*serve)(void *world, struct err *err);
	int (*lead)(void *world, struct err *err);
	void (*finish)(void *world);
	int (*ready)(void *world, struct err *err);           /* besides filled caches; 1 with the reason */
	void (*collect)(void *world);                         /* sets gauges before a scrape */
	void (*collect_text)(void *world, struct buf *out);   /* appends exposition text */
};
/* The process; borrowed by the world. Rows of the metrics table start with OPERATOR_METRIC_ROWS. */
struct operator {
	struct kube_client *kube;
	struct informer *caches[OPERATOR_CACHES_MAX];         /* NULL: not wanted */
	struct event_recorder *events;
	struct metrics *metrics;
	atomic_bool *stop;
};
/* Runs until *stop, then returns 0. ERR_BUSY when the lease was lost. `o` is the world's member; metrics is taken and freed. */
WARN_UNUSED int operator_run(struct operator *o, const struct operator_options *options, void *world, struct metrics *metrics, atomic_bool *stop, struct err *err);
/* Puts a key into the queue of the named controller: at once, or after delay_ms. Any thread, while operator_run runs. */
void operator_wake(struct operator *o, const char *controller, const char *key, int64_t delay_ms);

enum operator_metric { /* rows of OPERATOR_METRIC_ROWS */
	OPERATOR_RECONCILES, OPERATOR_RECONCILE_SECONDS, OPERATOR_RECONCILE_ERRORS, OPERATOR_WORKERS_BUSY, OPERATOR_QUEUE_DEPTH, OPERATOR_QUEUE_ADDS,
	OPERATOR_QUEUE_RETRIES, OPERATOR_QUEUE_SECONDS, OPERATOR_REQUESTS, OPERATOR_LEADER, OPERATOR_METRICS
};
extern const double OPERATOR_SECONDS[15]; /* bounds for histograms of seconds, 1 ms to 60 s */
