/* lookup.h: what rules ask about the cluster, asked from the API server. Guarded by its own mutex.
 *
 * Many objects made at once refer to the same few (a template, a push secret): what was found is remembered for two seconds, so that a burst
 * of admissions does not wait for the client's rate limit. What was not found is asked again each time. */
#pragma once
#include "admission/validate.h"
#include "kube/client.h"

struct lookup;
struct lookup *lookup_new(struct kube_client *kube);
void lookup_free(struct lookup *l);
/* Borrows l; models may be NULL. hub_deadline_ms bounds a question to the model hub. */
struct validate_lookup lookup_for_rules(struct lookup *l, struct catalog_resolver *models, int64_t hub_deadline_ms);
