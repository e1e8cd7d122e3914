/* claims.h: requesting and giving back the claims of one Workspace; used by both ways that have claims. */
#pragma once
#include "provision/claim.h"

/* The claims labelled kaito.sh/workspace for the request, from the cache; new array sorted by name. Those being deleted are included. */
json_t *claims_of(const struct node_context *c, const struct node_request *r);
/* Creates what `claims` lacks of `needed` and appends it. Claims being deleted count: a replacement comes once they are gone.
 * A failed creation is told in an event and the others are still tried; the first error is returned. */
WARN_UNUSED int claims_request(const struct node_context *c, const struct node_request *r, int needed, json_t *claims, struct err *err);
/* Deletes the claims that the cache knows and those among the first r->count slots that it does not know yet. A cluster without the
 * CRD has none. */
WARN_UNUSED int claims_release(const struct node_context *c, const struct node_request *r, struct err *err);
