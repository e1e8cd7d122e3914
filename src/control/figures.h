/* figures.h: the controller's metrics: upstream's names (9.3), and what controller-runtime's dashboards expect. */
#pragma once
#include "control/control.h"

/* Rows of the process's metrics table; figures.c has the names. */
enum figure {
	FIGURE_WORKSPACES, FIGURE_PRESETS, FIGURE_PVC_BYTES, FIGURE_PVC_COUNT, FIGURE_SETS, FIGURE_RECONCILES, FIGURE_RECONCILE_SECONDS,
	FIGURE_RECONCILE_ERRORS, FIGURE_WORKERS_BUSY, FIGURE_QUEUE_DEPTH, FIGURE_QUEUE_ADDS, FIGURE_QUEUE_RETRIES, FIGURE_QUEUE_SECONDS, FIGURE_REQUESTS,
	FIGURE_LEADER, FIGURE_BUILD, FIGURE_COUNT
};
struct metrics *figures_new(const char *version);
/* After a reconcile: result "success", "error" or "requeue_after". */
void figures_reconciled(struct metrics *m, const char *controller, const char *result, double seconds, double waited_s);
void figures_request(struct metrics *m, const char *method, int status);
void figures_queue(struct metrics *m, const char *controller, struct work_queue *q);
/* Counts the objects in the caches. */
void figures_objects(struct control *c);
/* Reads the claims of weights volumes; called once a minute on the leader. */
WARN_UNUSED int figures_volumes(struct control *c, struct err *err);
