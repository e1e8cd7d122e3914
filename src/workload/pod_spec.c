/* pod_spec.c: see pod_spec.h. */
#include "workload/pod_spec.h"

#include "base/mem.h"
#include "crd/names.h"
#include "kube/meta.h"
#include <ctype.h>
#include <string.h>

void pod_push(json_t *object, const char *list, json_t *item)
{
	json_t *items = json_object_get(object, list);
	if (!json_is_array(items)) {
		items = json_array();
		json_object_set_new(object, list, items);
	}
	json_array_append_new(items, item);
}

json_t *pod_container(const char *name, const char *image)
{
	return json_pack("{s:s, s:s, s:s}", "name", name, "image", image, "imagePullPolicy", "IfNotPresent");
}

json_t *pod_shell(const char *script) { return json_pack("[s, s, s]", "/bin/sh", "-c", script); }

json_t *pod_port(const char *name, int port)
{
	return json_pack("{s:s, s:i, s:s}", "name", name, "containerPort", port, "protocol", "TCP");
}

json_t *pod_env(const char *name, const char *value) { return json_pack("{s:s, s:s}", "name", name, "value", value); }

json_t *pod_env_field(const char *name, const char *field_path)
{
	return json_pack("{s:s, s:{s:{s:s, s:s}}}", "name", name, "valueFrom", "fieldRef", "apiVersion", "v1", "fieldPath", field_path);
}

json_t *pod_env_secret(const char *name, const char *secret, const char *key)
{
	return json_pack("{s:s, s:{s:{s:s, s:s, s:b}}}", "name", name, "valueFrom", "secretKeyRef", "name", secret, "key", key, "optional", 1);
}

json_t *pod_mount(const char *volume, const char *path) { return json_pack("{s:s, s:s}", "name", volume, "mountPath", path); }
json_t *pod_volume_empty(const char *name) { return json_pack("{s:s, s:{}}", "name", name, "emptyDir"); }
json_t *pod_volume_memory(const char *name) { return json_pack("{s:s, s:{s:s}}", "name", name, "emptyDir", "medium", "Memory"); }

json_t *pod_volume_config(const char *name, const char *config_map)
{
	return json_pack("{s:s, s:{s:s, s:i}}", "name", name, "configMap", "name", config_map, "defaultMode", 0644);
}

json_t *pod_volume_host(const char *name, const char *path, const char *type)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "name", name, "hostPath", "path", path, "type", type);
}

json_t *pod_volume_docker_configs(const char *name, const json_t *secrets)
{
	json_t *sources = json_array(), *secret;
	size_t i;
	json_array_foreach((json_t *)secrets, i, secret) {
		const char *text = json_string_value(secret);
		if (!text)
			continue;
		char *path = mem_printf("%s.json", text);
		json_array_append_new(sources, json_pack("{s:{s:s, s:[{s:s, s:s}]}}", "secret", "name", text, "items", "key", ".dockerconfigjson",
							 "path", path));
		free(path);
	}
	return json_pack("{s:s, s:{s:o, s:i}}", "name", name, "projected", "sources", sources, "defaultMode", 0644);
}

void pod_add_shared_memory(json_t *spec, json_t *container)
{
	pod_push(spec, "volumes", pod_volume_memory("dshm"));
	pod_push(container, "volumeMounts", pod_mount("dshm", "/dev/shm"));
}

static char *mig_resource(const struct workload_plan *p) { return mem_printf("nvidia.com/mig-%s", p->w->partition_profile); }

json_t *pod_gpu_resources(const struct workload_plan *p)
{
	if (p->gpu.gpus <= 0)
		return json_object();
	if (!p->gpu.mig) {
		char count[16];
		snprintf(count, sizeof count, "%d", p->gpu.gpus);
		return json_pack("{s:{s:s}, s:{s:s}}", "limits", "nvidia.com/gpu", count, "requests", "nvidia.com/gpu", count);
	}
	char *name = mig_resource(p);
	json_t *resources = json_pack("{s:{s:s}, s:{s:s}}", "limits", name, "1", "requests", name, "1");
	free(name);
	return resources;
}

json_t *pod_toleration(const char *key, const char *operator_, const char *value)
{
	json_t *toleration = json_pack("{s:s, s:s, s:s}", "key", key, "operator", operator_, "effect", "NoSchedule");
	if (value)
		json_object_set_new(toleration, "value", json_string(value));
	return toleration;
}

json_t *pod_tolerations(const struct workload_plan *p)
{
	json_t *list = json_array();
	json_array_append_new(list, pod_toleration("nvidia.com/gpu", "Exists", NULL));
	json_array_append_new(list, pod_toleration("sku", "Equal", "gpu"));
	if (strcmp(p->o->cloud ? p->o->cloud : "", "azure") == 0)
		json_array_append_new(list, pod_toleration("kubernetes.azure.com/scalesetpriority", "Equal", "spot"));
	if (p->gpu.mig) {
		char *name = mig_resource(p);
		json_array_append_new(list, pod_toleration(name, "Exists", NULL));
		free(name);
	}
	return list;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void add_match_terms(json_t *expressions, const json_t *labels)
{
	size_t n = json_object_size(labels), i = 0;
	const char **keys = mem_array(n, sizeof *keys), *key;
	json_t *value;
	json_object_foreach((json_t *)labels, key, value)
		keys[i++] = key;
	if (n)
		qsort(keys, n, sizeof *keys, by_name);
	for (i = 0; i < n; i++)
		json_array_append_new(expressions, json_pack("{s:s, s:s, s:[O]}", "key", keys[i], "operator", "In", "values",
							     json_object_get(labels, keys[i])));
	free(keys);
}

json_t *pod_affinity(const struct workload_plan *p, bool terms)
{
	json_t *expressions = json_array(), *labels = workspace_match_labels(p->w);
	add_match_terms(expressions, labels);
	json_decref(labels);
	if (terms)
		json_array_extend(expressions, p->node_terms);
	if (json_array_size(expressions) == 0) {
		json_decref(expressions);
		return NULL;
	}
	return json_pack("{s:{s:{s:[{s:o}]}}}", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms",
			 "matchExpressions", expressions);
}

json_t *pod_labels(const struct workload_plan *p)
{
	static const char *const COPIED[] = {LABEL_CREATED_BY_SET, LABEL_CREATED_BY_ROLES, LABEL_ROLE};
	json_t *labels = json_pack("{s:s}", LABEL_WORKSPACE, p->w->name);
	for (size_t i = 0; i < sizeof COPIED / sizeof COPIED[0]; i++) {
		const char *value = meta_label(p->w->object, COPIED[i]);
		if (value && value[0])
			json_object_set_new(labels, COPIED[i], json_string(value));
	}
	return labels;
}

char *pod_base_image(const struct workload_plan *p)
{
	if (p->legacy_gpu && p->o->legacy_base_image)
		return mem_strdup(p->o->legacy_base_image);
	return mem_printf("%s/kaito-base:%s", p->o->registry, p->o->base_tag);
}

char *pod_local_weights_path(const struct workload_plan *p)
{
	static const char ROOT[] = "/opt/kaito/models/";
	char *path = mem_printf("%s%s", ROOT, p->model->id);
	for (char *c = path + sizeof ROOT - 1; *c; c++)
		*c = *c == '/' || *c == '\\' ? '-' : (char)tolower((unsigned char)*c);
	return path;
}
