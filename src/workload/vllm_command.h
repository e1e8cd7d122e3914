/* vllm_command.h: the shell line that starts upstream's vLLM server. Flags come in the order of the table, always. */
#pragma once
#include "workload/plan.h"

/* Caller frees. On several nodes: pod 0 leads the Ray cluster and serves, the others join it. */
char *vllm_command(const struct workload_plan *p);
/* "<ws>-0.<ws>-headless.<namespace>.svc.cluster.local". Caller frees. */
char *vllm_leader_address(const struct workload_plan *p);
