/* tuned_workload.c: the endpoint of a tuning Workspace (design: "Serve after tune"): what an inference Workspace of the same name, preset
 * and nodes with the fresh adapter would get. It is made by writing down that Workspace and building its StatefulSet, so that both kinds
 * of Workspaces can never differ; what is added here is the /chat sidecar for upstream's servers and the quick start's Service ports. */
#include "workload/tuning_workload.h"

#include "base/mem.h"
#include "codec/yaml.h"
#include "contract/paths.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/inference_workload.h"
#include "workload/native_pod.h"
#include "workload/pod_spec.h"
#include "workload/services.h"
#include "workload/tuning.h"
#include <string.h>

#define PORT_GATEWAY 5080
#define PORT_TORCH 29500

/* {name, image or volumeSource, imagePullSecrets} of the output. */
static json_t *adapter_source(const struct workload_plan *p)
{
	const char *image = tuning_text(p, "output", "image"), *secret = tuning_text(p, "output", "imagePushSecret");
	json_t *source = json_pack("{s:s}", "name", p->w->name);
	if (!image[0]) {
		json_object_set(source, "volumeSource", (json_t *)(uintptr_t)tuning_member(p, "output", "volumeSource"));
		return source;
	}
	json_object_set_new(source, "image", json_string(image));
	if (secret[0])
		json_object_set_new(source, "imagePullSecrets", json_pack("[s]", secret));
	return source;
}

/* A native pod takes the weights that were tuned on, which may be an artifact of the registry. */
static json_t *preset_of(const struct workload_plan *p)
{
	json_t *preset = json_deep_copy(json_object_get(p->w->tuning, "preset")), *options = json_object_get(preset, "presetOptions");
	if (p->runtime != RUNTIME_NATIVE || !p->model || !p->model->tuning_image[0] || json_text_at(options, "", "image", NULL)[0])
		return preset;
	CLEANUP(mem_freep) char *image = mem_printf("%s/%s", p->o->registry, p->model->tuning_image);
	if (!options)
		json_object_set_new(preset, "presetOptions", options = json_object());
	json_object_set_new(options, "image", json_string(image));
	return preset;
}

static json_t *as_inference(const struct workload_plan *p)
{
	json_t *object = json_copy((json_t *)(uintptr_t)p->w->object);
	json_object_del(object, "tuning");
	json_object_set_new(object, "inference", json_pack("{s:o, s:[{s:o}]}", "preset", preset_of(p), "adapters", "source", adapter_source(p)));
	return object;
}

/* vLLM refuses adapters of a rank past 16 unless told; it takes these. */
static int lora_rank(const json_t *config_map)
{
	static const int RANKS[] = {32, 64, 128, 256, 320, 512};
	const char *text = json_text_at(config_map, "", "data", "training_config.yaml", NULL);
	struct yaml_doc doc;
	struct err err;
	if (yaml_parse(&doc, str_of(text), "training_config.yaml", &err) < 0)
		return 0;
	int64_t rank = json_int_at(doc.root, 8, "training_config", "LoraConfig", "r", NULL);
	yaml_doc_done(&doc);
	for (size_t i = 0; rank > 16 && i < sizeof RANKS / sizeof RANKS[0]; i++)
		if (rank <= RANKS[i])
			return RANKS[i];
	return 0;
}

static void allow_rank(json_t *container, int rank)
{
	json_t *command = json_object_get(container, "command");
	size_t last = json_array_size(command) - 1;
	const char *line = json_string_value(json_array_get(command, last));
	if (!line || rank == 0)
		return;
	CLEANUP(mem_freep) char *longer = mem_printf("%s --max-lora-rank=%d", line, rank);
	json_array_set_new(command, last, json_string(longer));
}

/* Every request that names no model means the tuned one; the transformers server has it merged into the only one. */
static json_t *gateway(const struct workload_plan *p)
{
	char upstream[48], port[8];
	snprintf(upstream, sizeof upstream, "http://127.0.0.1:%d", PORT_SERVE);
	snprintf(port, sizeof port, "%d", PORT_GATEWAY);
	json_t *c = native_container(p, "gateway", (const char *const[]){"gateway", "--upstream", upstream, "--port", port, NULL});
	if (p->runtime == RUNTIME_VLLM) {
		native_add_word(c, "--model");
		native_add_word(c, p->w->name);
	}
	pod_push(c, "ports", pod_port("chat", PORT_GATEWAY));
	json_object_set_new(c, "resources", json_pack("{s:{s:s, s:s}}", "requests", "cpu", "10m", "memory", "16Mi"));
	json_object_set_new(c, "readinessProbe", json_pack("{s:{s:s, s:i}, s:i, s:i}", "httpGet", "path", "/health", "port", PORT_GATEWAY, "periodSeconds", 10,
							   "timeoutSeconds", 5));
	return c;
}

static void finish(const struct workload_plan *p, const json_t *config_map, json_t *set)
{
	json_t *spec = json_object_get(set, "spec"), *pod = json_at(spec, "template", "spec", NULL);
	json_object_set_new(spec, "serviceName", json_string(p->w->name));
	json_object_set_new(json_at(spec, "template", "metadata", NULL), "annotations", json_pack("{s:s}", ANNOTATION_REVISION, p->revision));
	if (p->runtime == RUNTIME_NATIVE)
		return;
	if (p->runtime == RUNTIME_VLLM)
		allow_rank(json_at(pod, "containers", "#0", NULL), lora_rank(config_map));
	pod_push(pod, "volumes", pod_volume_empty("tmp"));
	pod_push(pod, "containers", gateway(p));
}

int tuned_statefulset(const struct workload_plan *p, const json_t *config_map, json_t **out, struct err *err)
{
	struct workload_plan plan = *p;
	struct workspace_view view;
	json_t *object = as_inference(p), *set = NULL;
	workspace_view_read(&view, object, p->o);
	view.benchmark = false;
	plan.w = &view;
	plan.nodes = 1;
	plan.has_config = false;
	plan.config_hash = "";
	int rc = inference_statefulset(&plan, &set, err);
	json_decref(object);
	if (rc < 0)
		return -1;
	finish(p, config_map, set);
	*out = set;
	return 0;
}

int tuned_service(const struct workload_plan *p, json_t **out, struct err *err)
{
	(void)err;
	json_t *ports = json_array();
	json_array_append_new(ports, service_port("http", 80, p->runtime == RUNTIME_NATIVE ? PORT_SERVE : PORT_GATEWAY));
	json_array_append_new(ports, service_port("torch", PORT_TORCH, PORT_TORCH));
	*out = service_new(p, p->w->name, p->w->load_balancer ? "LoadBalancer" : "ClusterIP", ports, service_leader_selector(p));
	return 0;
}
