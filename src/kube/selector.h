/* selector.h: metav1.LabelSelector. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

/* Whether labels (object or NULL) match matchLabels and matchExpressions. An empty selector matches all, NULL none. */
bool selector_matches(const json_t *selector, const json_t *labels);
/* matchLabels plus `In` expressions with one value, as apimachinery's LabelSelectorAsMap: other operators and several values are
 * errors with its text. New object. */
WARN_UNUSED int selector_as_map(const json_t *selector, json_t **out, struct err *err);
/* "a=b,c in (d,e)". */
void selector_print(const json_t *selector, struct buf *out);
