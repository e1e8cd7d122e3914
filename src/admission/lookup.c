/* lookup.c: see lookup.h. */
#include "admission/lookup.h"

#include "kube/selector.h"
#include <string.h>

/* To let a rule ask for another kind: a row. */
static const struct kube_resource *const KINDS[] = {&KUBE_CONFIGMAPS, &KUBE_SECRETS, &KUBE_PVCS, &KUBE_STORAGE_CLASSES, &KUBE_CSI_DRIVERS};

static int get(void *context, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
		if (strcmp(KINDS[i]->kind, kind) == 0)
			return kube_get(context, KINDS[i], KINDS[i]->namespaced ? namespace_ : NULL, name, out, err);
	return err_set(err, ERR_INTERNAL, "no lookup for objects of kind %s", kind);
}

static int nodes(void *context, const json_t *match_labels, json_t **out, struct err *err)
{
	json_t *selector = json_object();
	json_object_set(selector, "matchLabels", (json_t *)match_labels);
	struct buf text = {0};
	selector_print(selector, &text);
	json_decref(selector);
	int rc = kube_list_array(context, &KUBE_NODES, NULL, buf_str(&text).data, out, err);
	buf_done(&text);
	return rc;
}

struct validate_lookup lookup_of_cluster(struct kube_client *kube, struct catalog_resolver *models, int64_t hub_deadline_ms)
{
	return (struct validate_lookup){.context = kube, .get = get, .nodes = nodes, .models = models, .hub_deadline_ms = hub_deadline_ms};
}
