/* template_workload.c: see template_workload.h. Only a label, the node affinity (which replaces the template's) and tolerations are
 * added, as upstream does; such a StatefulSet has no governing Service and starts its pods one after the other. */
#include "workload/template_workload.h"

#include "crd/names.h"
#include "kube/meta.h"
#include "workload/pod_spec.h"
#include <string.h>

static json_t *object_in(json_t *parent, const char *key)
{
	json_t *child = json_object_get(parent, key);
	if (!json_is_object(child)) {
		child = json_object();
		json_object_set_new(parent, key, child);
	}
	return child;
}

static void add_tolerations(const struct workload_plan *p, json_t *spec)
{
	json_t *added = pod_tolerations(p), *item;
	size_t i;
	json_array_foreach(added, i, item)
		pod_push(spec, "tolerations", json_incref(item));
	json_decref(added);
}

static json_t *placed_template(const struct workload_plan *p)
{
	json_t *template_ = json_deep_copy(p->w->template_), *spec = object_in(template_, "spec");
	json_object_set_new(object_in(object_in(template_, "metadata"), "labels"), LABEL_WORKSPACE, json_string(p->w->name));
	json_t *affinity = pod_affinity(p, true);
	if (affinity)
		json_object_set_new(spec, "affinity", affinity);
	add_tolerations(p, spec);
	return template_;
}

int template_statefulset(const struct workload_plan *p, json_t **out, struct err *err)
{
	if (!json_is_object(json_object_get(p->w->template_, "spec")))
		return err_set(err, ERR_INVALID, "inference.template of workspace %s has no spec", p->w->name);
	json_t *set = meta_new(&KUBE_STATEFULSETS, p->w->namespace_, p->w->name);
	meta_own(set, &KUBE_WORKSPACES, p->w->object);
	if (strcmp(p->revision, TEMPLATE_FIRST_REVISION) != 0)
		meta_set_annotation(set, ANNOTATION_REVISION, p->revision);
	json_object_set_new(set, "spec", json_pack("{s:i, s:{s:{s:s}}, s:s, s:o}", "replicas", p->nodes, "selector", "matchLabels", LABEL_WORKSPACE,
						   p->w->name, "serviceName", "", "template", placed_template(p)));
	*out = set;
	return 0;
}
