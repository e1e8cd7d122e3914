/* inference_set.h: what a revision of an InferenceSet is made of: upstream's hash and recorded data. */
#pragma once
#include <jansson.h>

/* SHA-256 in hex over the spec as a typed client writes it, with a newline. set: the whole InferenceSet. */
void inference_set_hash(const json_t *set, char out[65]);
/* {Spec: ...} as a ControllerRevision's data holds it. New reference. */
json_t *inference_set_revision_data(const json_t *set);
