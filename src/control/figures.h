/* figures.h: the controller's metrics: upstream's names (9.3), and what controller-runtime's dashboards expect. */
#pragma once
#include "control/control.h"

/* Rows of the process's metrics table after the operator's; figures.c has the names. */
enum figure {
	FIGURE_WORKSPACES = OPERATOR_METRICS, FIGURE_PRESETS, FIGURE_PVC_BYTES, FIGURE_PVC_COUNT, FIGURE_SETS, FIGURE_BUILD, FIGURE_COUNT
};
struct metrics *figures_new(const char *version);
/* Counts the objects in the caches. */
void figures_objects(struct control *c);
