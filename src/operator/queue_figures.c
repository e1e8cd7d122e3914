/* queue_figures.c: see queue_figures.h. */
#include "operator/queue_figures.h"

#include <stdio.h>
#include <string.h>

const double OPERATOR_SECONDS[15] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

void queue_figures_reconciled(struct metrics *m, const char *controller, const char *result, double seconds, double waited_s)
{
	char one[96], both[160];
	snprintf(one, sizeof one, "controller=\"%s\"", controller);
	snprintf(both, sizeof both, "controller=\"%s\",result=\"%s\"", controller, result);
	metrics_add(m, OPERATOR_RECONCILES, both, 1);
	metrics_observe(m, OPERATOR_RECONCILE_SECONDS, one, seconds);
	metrics_add(m, OPERATOR_RECONCILE_ERRORS, one, strcmp(result, "error") == 0);
	snprintf(one, sizeof one, "name=\"%s\"", controller);
	metrics_observe(m, OPERATOR_QUEUE_SECONDS, one, waited_s);
}

void queue_figures_request(struct metrics *m, const char *method, int status)
{
	char labels[96];
	if (status > 0)
		snprintf(labels, sizeof labels, "code=\"%d\",method=\"%s\"", status, method);
	else
		snprintf(labels, sizeof labels, "code=\"<error>\",method=\"%s\"", method);
	metrics_add(m, OPERATOR_REQUESTS, labels, 1);
}

void queue_figures_collect(struct metrics *m, const char *controller, struct work_queue *q)
{
	struct work_queue_figures f = work_queue_figures(q);
	char name[96], labels[96];
	snprintf(name, sizeof name, "name=\"%s\"", controller);
	snprintf(labels, sizeof labels, "controller=\"%s\"", controller);
	metrics_set(m, OPERATOR_QUEUE_DEPTH, name, (double)f.depth);
	metrics_set(m, OPERATOR_QUEUE_ADDS, name, (double)f.adds);
	metrics_set(m, OPERATOR_QUEUE_RETRIES, name, (double)f.retries);
	metrics_set(m, OPERATOR_WORKERS_BUSY, labels, (double)f.in_work);
}
