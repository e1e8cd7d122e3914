/* root_condition.c: see root_condition.h. */
#include "nodes/root_condition.h"

#include "base/buf.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

#define AWAITING "AwaitingReconciliation"

static json_t *conditions_of(json_t *status)
{
	json_t *list = json_object_get(status, "conditions");
	if (!json_is_array(list))
		json_object_set_new(status, "conditions", list = json_array());
	return list;
}

void root_condition_put(json_t *status, const char *type, const char *value, const char *reason, const char *message, int64_t generation, const char *now)
{
	const struct condition c = {type, value, reason[0] ? reason : type, message};
	condition_set(conditions_of(status), &c, generation, now);
}

void root_condition_set(json_t *status, const char *const *dependents, int64_t generation, const char *now)
{
	CLEANUP(buf_done) struct buf message = {0};
	bool failed = false, ready = true;
	for (; *dependents; dependents++) {
		const json_t *c = condition_find(conditions_of(status), *dependents);
		if (!c) {
			root_condition_put(status, *dependents, "Unknown", AWAITING, "object is awaiting reconciliation", generation, now);
			c = condition_find(conditions_of(status), *dependents);
		}
		const char *value = json_text_at(c, "", "status", NULL);
		if (strcmp(value, "True") == 0)
			continue;
		ready = false;
		failed |= strcmp(value, "False") == 0;
		buf_printf(&message, "%s%s=%s", message.len ? ", " : "", *dependents, value);
	}
	root_condition_put(status, "Ready", ready ? "True" : failed ? "False" : "Unknown", ready ? "" : failed ? "UnhealthyDependents" : "ReconcilingDependents",
			   buf_str(&message).data, generation, now);
}
