/* inference_pod.h: the pod of an inference preset in upstream's images (vLLM, transformers). */
#pragma once
#include "workload/plan.h"

/* The pod's spec. *claims gets the StatefulSet's volumeClaimTemplates, or NULL when the weights need none. */
WARN_UNUSED int inference_pod(const struct workload_plan *p, json_t **spec, json_t **claims, struct err *err);
