/* lookup.h: what rules ask about the cluster, asked from the API server. */
#pragma once
#include "admission/validate.h"
#include "kube/client.h"

/* Borrows both; models may be NULL. hub_deadline_ms bounds a question to the model hub. */
struct validate_lookup lookup_of_cluster(struct kube_client *kube, struct catalog_resolver *models, int64_t hub_deadline_ms);
