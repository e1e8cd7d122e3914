/* node_gpu.h: the GPUs of an own node, by what the node says about itself. */
#pragma once
#include "catalog/sku.h"
#include <jansson.h>

/* From the labels of GPU feature discovery; without them from the capacity and, for the memory, the instance type. false: no GPUs.
 * out->model is borrowed from the node. */
bool node_gpu(const json_t *node, struct gpu_config *out);
