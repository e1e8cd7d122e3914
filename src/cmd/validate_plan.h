/* validate_plan.h: what the controller would make of an object that is valid, in words for `kaito validate`. */
#pragma once
#include "catalog/model.h"
#include "crd/options.h"
#include <jansson.h>

/* {work, model?, runtime?, nodes, instanceType?, machine?, objects: []}; NULL when nothing is made of this kind. models may be NULL: catalogue only. New
 * reference. */
json_t *validate_plan(const struct control_options *o, struct catalog_resolver *models, const json_t *object);
/* One line for a person. Caller frees. */
char *validate_plan_text(const json_t *plan);
