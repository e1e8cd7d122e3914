/* review.h: an AdmissionReview (admission.k8s.io/v1) in, its answer out. */
#pragma once
#include "admission/validate.h"
#include "base/str.h"

/* What a strict decoder says of unknown and mistyped fields: appends "strict decoding error: unknown field \"a.b\"" and returns how many. */
size_t review_decode(const char *kind, const char *api_version, const json_t *object, struct buf *out);
/* *out is the answer, a new reference: allowed or not, with warnings. kind: of the path that was asked; a request about another kind is
 * ERR_INVALID, as is a body that is no review. *allowed (may be NULL) gets the verdict. */
WARN_UNUSED int review_answer(const struct control_options *o, const struct validate_lookup *lookup, const char *kind, str body, json_t **out, bool *allowed,
			      struct err *err);
