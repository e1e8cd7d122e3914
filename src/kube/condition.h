/* condition.h: metav1.Condition lists. lastTransitionTime moves only when the status does. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct condition { const char *type; const char *status; /* "True" "False" "Unknown" */ const char *reason, *message; };
const json_t *condition_find(const json_t *conditions, const char *type); /* borrowed or NULL */
bool condition_is(const json_t *conditions, const char *type, const char *status);
/* Adds or replaces in the array; true when something changed. now: RFC 3339. */
bool condition_set(json_t *conditions, const struct condition *c, int64_t observed_generation, const char *now);
bool condition_remove(json_t *conditions, const char *type);
