/* transformers_command.h: the shell line that starts upstream's transformers server. */
#pragma once
#include "workload/plan.h"

/* ERR_UNSUPPORTED for a model that the server does not know (upstream panics there for ever). Caller frees *out. */
WARN_UNUSED int transformers_command(const struct workload_plan *p, char **out, struct err *err);
