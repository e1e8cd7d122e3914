/* aws_sim_filter.c: Filter.N.Name and Filter.N.Value.M of the Describe requests: all filters must pass, each by one of its values; * and ?
 * stand for characters, as in EC2. */
#include "simulate/aws_sim.h"

#include <fnmatch.h>

static bool any_value(const struct aws_sim_form *form, int n, const char *have)
{
	const char *want;
	for (int k = 1; (want = aws_sim_form_get(form, "Filter.%d.Value.%d", n, k)); k++)
		if (fnmatch(want, have, 0) == 0)
			return true;
	return false;
}

static bool passes_one(const struct aws_sim_form *form, int n, const char *name, const json_t *tags, const json_t *fields, struct sim_failure *f)
{
	const char *key;
	json_t *value, *field = json_object_get(fields, name);
	if (strncmp(name, "tag:", 4) == 0)
		return (value = json_object_get(tags, name + 4)) && any_value(form, n, json_string_value(value));
	if (field)
		return any_value(form, n, json_string_value(field));
	if (strcmp(name, "tag-key") == 0) {
		json_object_foreach((json_t *)(uintptr_t)tags, key, value)
			if (any_value(form, n, key))
				return true;
		return false;
	}
	sim_errors_set(f, 400, "InvalidParameterValue", "The filter '%.80s' is invalid", name);
	return false;
}

bool aws_sim_filter_passes(const struct aws_sim_form *form, const json_t *tags, const json_t *fields, struct sim_failure *f)
{
	const char *name;
	for (int n = 1; (name = aws_sim_form_get(form, "Filter.%d.Name", n)); n++)
		if (!passes_one(form, n, name, tags, fields, f))
			return false;
	return true;
}
