/* operator.h: what every controller process is made of: API client, informers, work queues with workers, leader election, health and
 * metrics endpoints. A process is a table of caches and a table of controllers over one `world`; a controller is a file with a reconcile
 * function, a keys function and a row, and keeps no state that a restart cannot rebuild. */
#pragma once
#include "http/metrics.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"
#include "kube/work_queue.h"

enum { OPERATOR_CACHES_MAX = 16, OPERATOR_CONTROLLERS_MAX = 16, OPERATOR_WORKERS_MAX = 64 };

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
	bool workers_scale;             /* options.workers, when given, replaces it */
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
	const char *lease_namespace, *lease_name; /* namespace NULL or "": the client's own */
	bool profiling;                 /* /debug/pprof/heap and /debug/pprof/cmdline beside /metrics */
	int64_t event_quiet_ms;         /* the same event is not sent again so soon; 0: its count is raised */
	const char *event_component;
	const struct operator_cache *caches; size_t n_caches;
	int64_t caches_wait_ms;         /* 0: 120 s */
	const struct operator_controller *const *controllers; size_t n_controllers;
	int workers;                    /* 0: as the rows say */
	bool (*cache_wanted)(const void *world, int cache);   /* NULL: every cache that an enabled controller watches */
	const struct kube_resource *(*cache_resource)(const void *world, int cache); /* another resource than the row's, or NULL */
	/* Steps of the process's own, each may be NULL: when client, caches and recorder are made (nothing runs yet); when the caches are being
	 * filled, before leadership (a webhook serves on every replica); once it leads, before the workers; and when the workers have ended. */
	int (*prepare)(void *world, struct err *err);
	int (*serve)(void *world, struct err *err);
	int (*lead)(void *world, struct err *err);
	void (*finish)(void *world);
	int (*ready)(void *world, struct err *err);           /* besides filled caches; not 0 with the reason */
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
	/* Until when this process leads unless it renews, for http_options.until_ms of whatever changes things outside; 0 without election. */
	atomic_int_fast64_t until_ms;
	struct operator_machine *machine;                     /* operator.c's own */
};
/* Runs until *stop, then returns 0. ERR_BUSY when the lease was lost: nothing is changed from then on, and who still works after five seconds
 * is left behind (last_call.h). `o` is the world's member; metrics is taken and freed. */
WARN_UNUSED int operator_run(struct operator *o, const struct operator_options *options, void *world, struct metrics *metrics, atomic_bool *stop, struct err *err);
/* The informer of a row, not started; resource: another than the row's, or NULL. For tests and operator_run. */
struct informer *operator_cache_new(struct kube_client *kube, const struct operator_cache *row, const struct kube_resource *resource,
				    void (*on_event)(void *context, enum informer_event event, const json_t *object), void *context);
/* Puts a key into the queue of the named controller: at once, or after delay_ms. Any thread, while operator_run runs. */
void operator_wake(struct operator *o, const char *controller, const char *key, int64_t delay_ms);

enum operator_metric { /* rows of OPERATOR_METRIC_ROWS */
	OPERATOR_RECONCILES, OPERATOR_RECONCILE_SECONDS, OPERATOR_RECONCILE_ERRORS, OPERATOR_WORKERS_BUSY, OPERATOR_QUEUE_DEPTH, OPERATOR_QUEUE_ADDS,
	OPERATOR_QUEUE_RETRIES, OPERATOR_QUEUE_SECONDS, OPERATOR_REQUESTS, OPERATOR_LEADER, OPERATOR_METRICS
};
extern const double OPERATOR_SECONDS[15]; /* bounds for histograms of seconds, 1 ms to 60 s */
/* Designated initialisers for the first rows of a process's metric table, after controller-runtime's and client-go's names. */
#define OPERATOR_HISTOGRAM METRIC_HISTOGRAM, OPERATOR_SECONDS, sizeof OPERATOR_SECONDS / sizeof OPERATOR_SECONDS[0]
#define OPERATOR_METRIC_ROWS \
	[OPERATOR_RECONCILES] = {"controller_runtime_reconcile_total", "Reconciles by controller and result.", METRIC_COUNTER, NULL, 0}, \
	[OPERATOR_RECONCILE_SECONDS] = {"controller_runtime_reconcile_time_seconds", "Length of a reconcile.", OPERATOR_HISTOGRAM}, \
	[OPERATOR_RECONCILE_ERRORS] = {"controller_runtime_reconcile_errors_total", "Reconciles that failed.", METRIC_COUNTER, NULL, 0}, \
	[OPERATOR_WORKERS_BUSY] = {"controller_runtime_active_workers", "Workers in a reconcile.", METRIC_GAUGE, NULL, 0}, \
	[OPERATOR_QUEUE_DEPTH] = {"workqueue_depth", "Keys waiting.", METRIC_GAUGE, NULL, 0}, \
	[OPERATOR_QUEUE_ADDS] = {"workqueue_adds_total", "Keys added.", METRIC_COUNTER, NULL, 0}, \
	[OPERATOR_QUEUE_RETRIES] = {"workqueue_retries_total", "Keys added after a failure.", METRIC_COUNTER, NULL, 0}, \
	[OPERATOR_QUEUE_SECONDS] = {"workqueue_queue_duration_seconds", "Time a key waited.", OPERATOR_HISTOGRAM}, \
	[OPERATOR_REQUESTS] = {"rest_client_requests_total", "Answers of the API server by code and method.", METRIC_COUNTER, NULL, 0}, \
	[OPERATOR_LEADER] = {"leader_election_master_status", "1 while this process leads.", METRIC_GAUGE, NULL, 0}
