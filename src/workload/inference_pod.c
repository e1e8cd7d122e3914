/* inference_pod.c: see inference_pod.h. One function per concern (weights, CUDA toolkit, roles); each adds its volume, mount, environment
 * and init container. */
#include "workload/inference_pod.h"

#include "base/mem.h"
#include "crd/names.h"
#include "workload/adapters.h"
#include "workload/pod_spec.h"
#include "workload/probes.h"
#include "workload/transformers_command.h"
#include "workload/vllm_command.h"
#include <string.h>

#define CUDA_HOME "/opt/kaito/cuda/129"
#define WEIGHTS_VOLUME "model-weights-volume"

static bool is_vllm(const struct workload_plan *p) { return p->runtime == RUNTIME_VLLM; }
static bool uses_local_weights(const struct workload_plan *p) { return is_vllm(p) && p->w->local_weights; }

static void push_mount(json_t *container, const char *volume, const char *path, bool read_only)
{
	json_t *mount = pod_mount(volume, path);
	if (read_only)
		json_object_set_new(mount, "readOnly", json_true());
	pod_push(container, "volumeMounts", mount);
}

static int set_command(const struct workload_plan *p, json_t *container, struct err *err)
{
	char *line = NULL;
	if (is_vllm(p))
		line = vllm_command(p);
	else if (transformers_command(p, &line, err) < 0)
		return -1;
	json_object_set_new(container, "command", pod_shell(line));
	free(line);
	return 0;
}

static void add_ports(const struct workload_plan *p, json_t *container)
{
	pod_push(container, "ports", pod_port("http", plan_port(p)));
	if (is_vllm(p))
		pod_push(container, "ports", pod_port("kv-events", PORT_KV_EVENTS));
}

static void add_config(const struct workload_plan *p, json_t *spec, json_t *container)
{
	if (!p->w->config[0])
		return;
	pod_push(spec, "volumes", pod_volume_config("config-volume", p->w->config));
	push_mount(container, "config-volume", "/mnt/config", false);
}

static json_t *weights_claim(const struct workload_plan *p)
{
	char size[24];
	plan_storage(p->w, p->model, size, sizeof size);
	return json_pack("[{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:[s], s:s, s:{s:{s:s}}}}]", "apiVersion", "v1", "kind", "PersistentVolumeClaim", "metadata",
			 "name", WEIGHTS_VOLUME, "labels", LABEL_WORKSPACE, p->w->name, "spec", "accessModes", "ReadWriteOnce", "storageClassName",
			 STORAGE_CLASS_NVME, "resources", "requests", "storage", size);
}

/* From the node's own disk, from a claim on its NVMe, or downloaded into the pod's own storage. */
static json_t *add_weights(const struct workload_plan *p, json_t *spec, json_t *container)
{
	if (uses_local_weights(p)) {
		char *path = pod_local_weights_path(p);
		pod_push(spec, "volumes", pod_volume_host("model-weights-hostpath", path, "Directory"));
		push_mount(container, "model-weights-hostpath", path, true);
		free(path);
		return NULL;
	}
	push_mount(container, WEIGHTS_VOLUME, "/workspace/weights", false);
	if (p->weights_volume)
		return weights_claim(p);
	pod_push(spec, "volumes", pod_volume_empty(WEIGHTS_VOLUME));
	return NULL;
}

/* Kernels compiled at run time need a CUDA toolkit, which is kept on the node for the pods after this one. */
static void add_cuda_toolkit(const struct workload_plan *p, const char *image, json_t *spec, json_t *container)
{
	if (!is_vllm(p) || !plan_deep_gemm(p))
		return;
	json_t *init = pod_container("cuda-toolkit-provisioner", image);
	json_object_set_new(init, "command", pod_shell("flock " CUDA_HOME "/.lock /workspace/cuda-provision.sh " CUDA_HOME));
	push_mount(init, "cuda-toolkit-hostpath", CUDA_HOME, false);
	pod_push(spec, "initContainers", init);
	pod_push(spec, "volumes", pod_volume_host("cuda-toolkit-hostpath", CUDA_HOME, "DirectoryOrCreate"));
	push_mount(container, "cuda-toolkit-hostpath", CUDA_HOME, true);
}

static void add_vllm_env(const struct workload_plan *p, json_t *container)
{
	bool deep_gemm = plan_deep_gemm(p);
	pod_push(container, "env", pod_env("VLLM_USE_FLASHINFER_SAMPLER", "0"));
	pod_push(container, "env", pod_env("VLLM_USE_DEEP_GEMM", deep_gemm ? "1" : "0"));
	if (deep_gemm)
		pod_push(container, "env", pod_env("CUDA_HOME", CUDA_HOME));
	if (uses_local_weights(p)) {
		char *path = pod_local_weights_path(p);
		pod_push(container, "env", pod_env("KAITO_PROCESSOR", path));
		free(path);
	}
}

static void add_env(const struct workload_plan *p, json_t *container)
{
	if (is_vllm(p))
		add_vllm_env(p, container);
	if (p->w->access_secret[0])
		pod_push(container, "env", pod_env_secret("HF_TOKEN", p->w->access_secret, "HF_TOKEN"));
	if (plan_multi_node(p))
		pod_push(container, "env", pod_env_field("POD_INDEX", "metadata.labels['apps.kubernetes.io/pod-index']"));
	adapters_add_env(p, container);
	if (is_vllm(p) && p->w->role[0]) {
		pod_push(container, "env", pod_env("KAITO_INFERENCE_ROLE", p->w->role));
		pod_push(container, "env", pod_env_field("VLLM_NIXL_SIDE_CHANNEL_HOST", "status.podIP"));
	}
}

/* Answers on the server's usual port and fetches the prefilled cache from the prefill pod before it passes a request on. */
static json_t *routing_sidecar(const struct workload_plan *p)
{
	json_t *sidecar = pod_container("llm-d-routing-sidecar", p->o->image_routing_sidecar);
	char *own = mem_printf("--port=%d", PORT_SERVE), *behind = mem_printf("--vllm-port=%d", PORT_DECODE);
	json_object_set_new(sidecar, "args", json_pack("[s, s, s]", own, behind, "--secure-proxy=false"));
	pod_push(sidecar, "ports", pod_port("sidecar", PORT_SERVE));
	pod_push(sidecar, "env", pod_env_field("POD_IP", "status.podIP"));
	pod_push(sidecar, "env", pod_env_field("VLLM_NIXL_SIDE_CHANNEL_HOST", "status.podIP"));
	free(own);
	free(behind);
	return sidecar;
}

static void set_placement(const struct workload_plan *p, json_t *spec)
{
	json_t *affinity = pod_affinity(p, true);
	if (affinity)
		json_object_set_new(spec, "affinity", affinity);
	json_object_set_new(spec, "tolerations", pod_tolerations(p));
}

int inference_pod(const struct workload_plan *p, json_t **spec_out, json_t **claims, struct err *err)
{
	char *image = pod_base_image(p);
	json_t *spec = json_object(), *container = pod_container(p->w->name, image);
	pod_push(spec, "containers", container);
	json_object_set_new(container, "resources", pod_gpu_resources(p));
	add_ports(p, container);
	add_env(p, container);
	probes_add(p, container);
	add_config(p, spec, container);
	/* Volumes keep upstream's order (shared memory, weights), mounts theirs (weights, shared memory). */
	pod_push(spec, "volumes", pod_volume_memory("dshm"));
	json_t *claim = add_weights(p, spec, container);
	push_mount(container, "dshm", "/dev/shm", false);
	add_cuda_toolkit(p, image, spec, container);
	free(image);
	if (set_command(p, container, err) < 0 || adapters_add(p, spec, container, err) < 0) {
		json_decref(claim);
		json_decref(spec);
		return -1;
	}
	if (plan_decode(p))
		pod_push(spec, "containers", routing_sidecar(p));
	set_placement(p, spec);
	*spec_out = spec;
	*claims = claim;
	return 0;
}
