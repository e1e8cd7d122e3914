/* inference_workload.c: the StatefulSet of an inference Workspace. */
#include "workload/inference_workload.h"

#include "base/mem.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/inference_pod.h"
#include "workload/native_workload.h"
#include "workload/pod_spec.h"
#include "workload/template_workload.h"

static json_t *statefulset_spec(const struct workload_plan *p, json_t *pod, json_t *claims)
{
	char *service = mem_printf("%s-headless", p->w->name);
	json_t *labels = pod_labels(p);
	json_t *spec = json_pack("{s:i, s:s, s:s, s:{s:s, s:s}, s:{s:O}, s:{s:{s:o}, s:o}}", "replicas", p->nodes, "podManagementPolicy", "Parallel",
				 "serviceName", service, "persistentVolumeClaimRetentionPolicy", "whenScaled", "Retain", "whenDeleted", "Delete",
				 "selector", "matchLabels", labels, "template", "metadata", "labels", labels, "spec", pod);
	if (claims)
		json_object_set_new(spec, "volumeClaimTemplates", claims);
	free(service);
	return spec;
}

int inference_statefulset(const struct workload_plan *p, json_t **out, struct err *err)
{
	json_t *pod = NULL, *claims = NULL;
	if (p->w->template_)
		return template_statefulset(p, out, err);
	if (!p->model)
		return err_set(err, ERR_INVALID, "workspace %s has neither a known preset nor a template", p->w->name);
	if (p->runtime == RUNTIME_NATIVE ? native_inference_pod(p, &pod, err) : inference_pod(p, &pod, &claims, err))
		return -1;
	json_t *set = meta_new(&KUBE_STATEFULSETS, p->w->namespace_, p->w->name);
	meta_own(set, &KUBE_WORKSPACES, p->w->object);
	meta_set_annotation(set, ANNOTATION_REVISION, p->revision);
	if (p->config_hash && p->config_hash[0])
		meta_set_annotation(set, ANNOTATION_CONFIG_HASH, p->config_hash);
	json_object_set_new(set, "spec", statefulset_spec(p, pod, claims));
	*out = set;
	return 0;
}
