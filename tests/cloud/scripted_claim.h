/* scripted_claim.h: the NodeClaim of a test of a cloud, and its memo as the controller stores it. */
#pragma once
#include "cloud/cloud.h"

/* One more requirement; values: "a b". */
void scripted_claim_require(json_t *claim, const char *key, const char *operator, const char *values);
const char *scripted_claim_memo(const json_t *claim); /* "" none */
/* Stores the memo (NULL: none); *older becomes the one before, NULL when there was none. */
void scripted_claim_store(json_t *claim, char **older, const char *memo);
