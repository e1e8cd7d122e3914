/* native_pod.c: see native_pod.h. */
#include "workload/native_pod.h"

#include "base/mem.h"
#include "contract/paths.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/native_workload.h"
#include "workload/pod_spec.h"
#include <math.h>
#include <string.h>

#define WEIGHTS_VOLUME "model-weights-volume"
static const char *const DOCKER_VOLUMES[] = {[NATIVE_DOCKER_PUSH] = "docker-config", [NATIVE_DOCKER_PULL] = "docker-config-pull"};

/* What src/model has, by the hub's names. To add one: a row when an architecture is added there. */
static const char *const ARCHITECTURES[] = {"LlamaForCausalLM", "MistralForCausalLM", "Phi3ForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"};

bool native_supports(const struct catalog_model *m)
{
	for (size_t i = 0; i < sizeof ARCHITECTURES / sizeof ARCHITECTURES[0]; i++)
		if (strcmp(m->architecture, ARCHITECTURES[i]) == 0)
			return m->quantization[0] == 0;
	return false;
}

/* Serving: the weights, the keys and values of two full contexts, buffers. Tuning: the weights (4 bits where quantised), what 1024 tokens
 * leave for the backward pass (measured: 12 bytes a hidden unit and layer, 4 a logit), buffers. */
double native_memory_gib(const struct catalog_model *m, bool tuning, bool quantised)
{
	const double gib = 1073741824.0, buffers = 0.5;
	if (!tuning)
		return m->weights_gib * 1.05 + 2 * 4096 * (double)m->kv_bytes_per_token / gib + buffers;
	double token_bytes = 12.0 * m->layers * m->hidden + 4.0 * 150000;
	return m->weights_gib * (quantised ? 0.3 : 1.0) + 1024 * token_bytes / gib + buffers;
}

/* --- containers ------------------------------------------------------------------------------------------------------ */

void native_add_word(json_t *container, const char *word) { pod_push(container, "command", json_string(word)); }

json_t *native_container(const struct workload_plan *p, const char *name, const char *const *words)
{
	json_t *c = pod_container(name, p->o->native_image);
	native_add_word(c, "kaito");
	for (; *words; words++)
		native_add_word(c, *words);
	pod_push(c, "env", pod_env("KAITO_STORE", "/tmp/images"));
	pod_push(c, "volumeMounts", pod_mount("tmp", "/tmp"));
	json_object_set_new(c, "terminationMessagePolicy", json_string("FallbackToLogsOnError"));
	json_object_set_new(c, "securityContext", json_pack("{s:b, s:b, s:{s:s}}", "allowPrivilegeEscalation", 0, "readOnlyRootFilesystem", 1,
							     "seccompProfile", "type", "RuntimeDefault"));
	return c;
}

json_t *native_pod_spec(const struct workload_plan *p)
{
	json_t *spec = json_object(), *affinity = pod_affinity(p, true);
	if (affinity)
		json_object_set_new(spec, "affinity", affinity);
	json_object_set_new(spec, "tolerations", pod_tolerations(p));
	pod_push(spec, "volumes", pod_volume_empty("tmp"));
	return spec;
}

/* --- credentials ----------------------------------------------------------------------------------------------------- */

static void add_source(json_t *sources, const char *secret, const char *path)
{
	json_array_append_new(sources, json_pack("{s:{s:s, s:[{s:s, s:s}]}}", "secret", "name", secret, "items", "key", ".dockerconfigjson", "path", path));
}

static bool has_source(const json_t *sources, const char *secret, const char *path)
{
	const json_t *source;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)sources, i, source)
		if (strcmp(json_text_at(source, "", "secret", "name", NULL), secret) == 0 &&
		    strcmp(json_text_at(source, "", "secret", "items", "#0", "path", NULL), path) == 0)
			return true;
	return false;
}

static void add_pull_secrets(json_t *sources, const json_t *secrets)
{
	const json_t *secret;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)secrets, i, secret) {
		const char *name = json_string_value(secret);
		if (!name || !name[0])
			continue;
		char *path = mem_printf("config.d/%s/config.json", name);
		if (!has_source(sources, name, path))
			add_source(sources, name, path);
		free(path);
	}
}

/* sources is taken. */
static void add_docker_volume(json_t *spec, enum native_docker which, json_t *sources)
{
	if (json_array_size(sources) > 0)
		pod_push(spec, "volumes", json_pack("{s:s, s:{s:O, s:i}}", "name", DOCKER_VOLUMES[which], "projected", "sources", sources, "defaultMode", 0644));
	json_decref(sources);
}

void native_add_docker(json_t *spec, const char *push_secret, const json_t *const *pull_secrets, size_t n)
{
	json_t *push = json_array(), *pull = json_array();
	if (push_secret && push_secret[0])
		add_source(push, push_secret, "config.json");
	for (size_t i = 0; i < n; i++)
		add_pull_secrets(pull, pull_secrets[i]);
	add_docker_volume(spec, NATIVE_DOCKER_PUSH, push);
	add_docker_volume(spec, NATIVE_DOCKER_PULL, pull);
}

void native_mount_docker(const json_t *spec, json_t *container, enum native_docker which)
{
	const json_t *volume;
	size_t i;
	json_array_foreach(json_object_get(spec, "volumes"), i, volume) {
		if (strcmp(json_text_at(volume, "", "name", NULL), DOCKER_VOLUMES[which]) != 0)
			continue;
		pod_push(container, "volumeMounts", json_pack("{s:s, s:s, s:b}", "name", DOCKER_VOLUMES[which], "mountPath", NATIVE_DOCKER, "readOnly", 1));
		pod_push(container, "env", pod_env("DOCKER_CONFIG", NATIVE_DOCKER));
	}
}

/* --- weights and requests --------------------------------------------------------------------------------------------- */

/* An own image of the preset, upstream's artifact of a tunable one, else the model hub at the catalogue's revision. */
static char *weights_source(const struct workload_plan *p)
{
	const json_t *payload = p->w->inference ? p->w->inference : p->w->tuning;
	const char *image = json_text_at(payload, "", "preset", "presetOptions", "image", NULL);
	if (image[0])
		return mem_strdup(image);
	if (p->w->tuning && p->model->tuning_image[0])
		return mem_printf("%s/%s", p->o->registry, p->model->tuning_image);
	return mem_printf("hf://%s%s%s", p->model->id, p->model->revision[0] ? "@" : "", p->model->revision);
}

static bool is_hub(const char *source) { return strncmp(source, "hf://", 5) == 0; }

int native_add_weights(const struct workload_plan *p, json_t *spec, json_t *main, struct err *err)
{
	if (!p->model || !native_supports(p->model))
		return err_set(err, ERR_INVALID, "preset %s cannot run natively: kaito has no %s", p->w->preset,
			       p->model ? p->model->architecture : "pod template for it");
	CLEANUP(mem_freep) char *source = weights_source(p);
	json_t *c = native_container(p, NATIVE_WEIGHTS_CONTAINER, (const char *const[]){"pull", source, "--output", PATH_WEIGHTS, NULL});
	if (!is_hub(source))
		native_add_word(c, "--no-store");
	if (is_hub(source) && p->w->access_secret[0])
		pod_push(c, "env", pod_env_secret("HF_TOKEN", p->w->access_secret, "HF_TOKEN"));
	if (is_hub(source) && p->o->hub_url)
		pod_push(c, "env", pod_env("HF_ENDPOINT", p->o->hub_url));
	native_mount_docker(spec, c, NATIVE_DOCKER_PULL);
	pod_push(c, "volumeMounts", pod_mount(WEIGHTS_VOLUME, PATH_WEIGHTS));
	pod_push(spec, "initContainers", c);
	pod_push(spec, "volumes", pod_volume_empty(WEIGHTS_VOLUME));
	pod_push(main, "volumeMounts", json_pack("{s:s, s:s, s:b}", "name", WEIGHTS_VOLUME, "mountPath", PATH_WEIGHTS, "readOnly", 1));
	return 0;
}

/* Room is left for the node's own pods: three quarters of a known machine's CPUs, and of its memory at most. */
int native_add_resources(const struct workload_plan *p, double gib, json_t *container, struct err *err)
{
	const struct sku *sku = sku_find(p->o->cloud, p->w->instance_type);
	int cpus = sku && sku->cpus > 1 ? sku->cpus * 3 / 4 : 1;
	if (sku && sku->memory_gib > 0 && gib > sku->memory_gib * 0.95)
		return err_set(err, ERR_INVALID, "%s needs about %.0f GiB of memory on a CPU and %s has %.0f; choose a larger instance type or one with a newer GPU",
			       p->w->preset, ceil(gib), sku->name, sku->memory_gib);
	if (sku && sku->memory_gib > 0 && gib > sku->memory_gib * 0.75)
		gib = sku->memory_gib * 0.75;
	char cpu[16], memory[32];
	snprintf(cpu, sizeof cpu, "%d", cpus);
	snprintf(memory, sizeof memory, "%.0fGi", fmax(1, ceil(gib)));
	json_object_set_new(container, "resources", json_pack("{s:{s:s, s:s}}", "requests", "cpu", cpu, "memory", memory));
	return 0;
}
