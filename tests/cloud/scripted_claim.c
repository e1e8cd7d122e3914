/* scripted_claim.c: see scripted_claim.h. */
#include "scripted_claim.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

void scripted_claim_require(json_t *claim, const char *key, const char *operator, const char *values)
{
	json_t *list = json_array();
	char copy[600], *rest = copy;
	snprintf(copy, sizeof copy, "%s", values);
	for (const char *value; (value = strsep(&rest, " "));)
		if (value[0])
			json_array_append_new(list, json_string(value));
	json_array_append_new(json_at(claim, "spec", "requirements", NULL), json_pack("{s:s,s:s,s:o}", "key", key, "operator", operator, "values", list));
}

const char *scripted_claim_memo(const json_t *claim)
{
	const char *memo = meta_annotation(claim, ANNOTATION_OPERATION);
	return memo ? memo : "";
}

void scripted_claim_store(json_t *claim, char **older, const char *memo)
{
	free(*older);
	*older = scripted_claim_memo(claim)[0] ? mem_strdup(scripted_claim_memo(claim)) : NULL;
	if (memo)
		meta_set_annotation(claim, ANNOTATION_OPERATION, memo);
	else
		json_object_del(json_at(claim, "metadata", "annotations", NULL), ANNOTATION_OPERATION);
}
