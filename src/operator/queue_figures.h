/* queue_figures.h: the first rows of every process's metrics (OPERATOR_METRIC_ROWS): reconciles, queues, requests to the API server. */
#pragma once
#include "operator/operator.h"

/* After a reconcile: result "success", "error" or "requeue_after". */
void queue_figures_reconciled(struct metrics *m, const char *controller, const char *result, double seconds, double waited_s);
void queue_figures_request(struct metrics *m, const char *method, int status);
void queue_figures_collect(struct metrics *m, const char *controller, struct work_queue *q);
