/* tune_server.h: :5000/metrics while tuning: Prometheus text, or upstream's JSON (cpu_info) for a request that accepts
 * application/json; and /health. The metrics may be set from the training thread; the server reads them on its own. */
#pragma once
#include "contract/tune_metrics.h"

struct tune_server;
/* port 0: the metrics exist, nothing listens. ERR_BUSY names a port in use. */
WARN_UNUSED int tune_server_start(struct tune_server **out, int port, struct err *err);
struct metrics *tune_server_metrics(struct tune_server *s);
void tune_server_stop(struct tune_server *s);      /* NULL is allowed */
