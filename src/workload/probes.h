/* probes.h: start-up, liveness and readiness of an inference container. */
#pragma once
#include "workload/plan.h"

/* Sets startupProbe, livenessProbe and readinessProbe. */
void probes_add(const struct workload_plan *p, json_t *container);
/* GET /health on a port. */
json_t *probe_health(int port, int initial_delay_s, int failures);
/* How often a probe every 10 s may fail while weights of this size are loaded: 15 min and 18 s a GiB, within 30 min and 3 h. */
int probe_startup_failures(double weights_gib);
