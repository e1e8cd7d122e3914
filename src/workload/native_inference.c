/* native_inference.c: the serving pod of the native runtime: `kaito serve` with the weights and adapters that init containers pulled. */
#include "workload/native_workload.h"

#include "base/mem.h"
#include "contract/paths.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/adapters.h"
#include "workload/native_pod.h"
#include "workload/pod_spec.h"
#include "workload/tuning.h"
#include <string.h>

static json_t *probe(int initial_s, int period_s, int failures)
{
	json_t *probe = json_pack("{s:{s:s, s:i}, s:i, s:i, s:i}", "httpGet", "path", "/health", "port", PORT_SERVE, "periodSeconds", period_s,
				  "failureThreshold", failures, "timeoutSeconds", 5);
	if (initial_s)
		json_object_set_new(probe, "initialDelaySeconds", json_integer(initial_s));
	return probe;
}

static json_t *serve_container(const struct workload_plan *p)
{
	char name[256];
	plan_served_name(p, name, sizeof name);
	json_t *c = native_container(p, p->w->name, (const char *const[]){"serve", "--model", PATH_WEIGHTS, "--served-model-name", name, "--port", "5000", NULL});
	pod_push(c, "ports", pod_port("http", PORT_SERVE));
	json_object_set_new(c, "startupProbe", probe(0, 2, 300));
	json_object_set_new(c, "livenessProbe", probe(0, 10, 3));
	json_object_set_new(c, "readinessProbe", probe(0, 5, 3));
	return c;
}

static void add_config(const struct workload_plan *p, json_t *spec, json_t *main)
{
	if (!p->has_config || p->w->tuning)
		return;
	pod_push(spec, "volumes", pod_volume_config("config-volume", p->w->config));
	pod_push(main, "volumeMounts", pod_mount("config-volume", "/mnt/config"));
	native_add_word(main, "--kaito-config-file");
	native_add_word(main, "/mnt/config/inference_config.yaml");
}

static void pull_adapter(const struct workload_plan *p, const struct native_adapter *a, const char *folder, json_t *spec)
{
	CLEANUP(mem_freep) char *name = adapters_label("puller-", a->name, "");
	json_t *c = native_container(p, name, (const char *const[]){"pull", a->image, "--output", folder, "--no-store", NULL});
	native_mount_docker(spec, c, NATIVE_DOCKER_PULL);
	pod_push(c, "volumeMounts", pod_mount("adapter-volume", NATIVE_ADAPTERS));
	pod_push(spec, "initContainers", c);
}

static void add_adapter(const struct workload_plan *p, const struct native_adapter *a, json_t *spec, json_t *main)
{
	CLEANUP(mem_freep) char *folder = mem_printf(NATIVE_ADAPTERS "/%s", a->name);
	CLEANUP(mem_freep) char *word = mem_printf("%s=%s%s%s", a->name, folder, a->strength[0] ? "@" : "", a->strength);
	if (a->image[0]) {
		pull_adapter(p, a, folder, spec);
	} else {
		CLEANUP(mem_freep) char *volume = adapters_label("adapter-volume-", a->name, "");
		pod_push(spec, "volumes", tuning_volume(volume, a->volume));
		pod_push(main, "volumeMounts", json_pack("{s:s, s:s, s:b}", "name", volume, "mountPath", folder, "readOnly", 1));
	}
	native_add_word(main, "--adapter");
	native_add_word(main, word);
}

static bool any_image(const struct native_adapter *adapters, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (adapters[i].image[0])
			return true;
	return false;
}

/* Secrets of the preset's own image and of every adapter. */
static void add_credentials(const struct workload_plan *p, const struct native_adapter *adapters, size_t n, json_t *spec)
{
	const json_t *payload = p->w->inference ? p->w->inference : p->w->tuning;
	const json_t **secrets = mem_array(n + 1, sizeof *secrets);
	secrets[0] = json_at(payload, "preset", "presetOptions", "imagePullSecrets", NULL);
	for (size_t i = 0; i < n; i++)
		secrets[i + 1] = adapters[i].secrets;
	native_add_docker(spec, "", secrets, n + 1);
	free(secrets);
}

int native_serving_pod(const struct workload_plan *p, const struct native_adapter *adapters, size_t n, json_t **out, struct err *err)
{
	if (!p->model)
		return err_set(err, ERR_INVALID, "a native pod needs a preset");
	json_t *spec = native_pod_spec(p), *main = serve_container(p);
	json_object_set_new(spec, "containers", json_pack("[O]", main));
	add_credentials(p, adapters, n, spec);
	int rc = native_add_weights(p, spec, main, err);
	if (rc == 0)
		rc = native_add_resources(p, native_memory_gib(p->model, false, false), main, err);
	add_config(p, spec, main);
	if (any_image(adapters, n)) {
		pod_push(spec, "volumes", pod_volume_empty("adapter-volume"));
		pod_push(main, "volumeMounts", pod_mount("adapter-volume", NATIVE_ADAPTERS));
	}
	for (size_t i = 0; i < n; i++)
		add_adapter(p, &adapters[i], spec, main);
	json_decref(main);
	if (rc < 0)
		json_decref(spec);
	else
		*out = spec;
	return rc;
}

int native_inference_pod(const struct workload_plan *p, json_t **out, struct err *err)
{
	size_t n = json_array_size(p->w->adapters), i;
	struct native_adapter *adapters = mem_array(n, sizeof *adapters);
	const json_t *item;
	json_array_foreach((json_t *)(uintptr_t)p->w->adapters, i, item)
		adapters[i] = (struct native_adapter){.name = json_text_at(item, "", "source", "name", NULL), .image = json_text_at(item, "", "source", "image", NULL),
			.volume = json_at(item, "source", "volumeSource", NULL), .secrets = json_at(item, "source", "imagePullSecrets", NULL),
			.strength = json_text_at(item, "", "strength", NULL)};
	int rc = native_serving_pod(p, adapters, n, out, err);
	free(adapters);
	return rc;
}
