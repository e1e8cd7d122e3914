/* tuning_workload.c: the Job of a tuning Workspace as upstream's operator builds it (reference 4.1 and 4.2, golden a-, f-, g-): init
 * containers that fetch weights and data, the training program of the base image, and, for an output image, a pusher and a pause
 * container. What upstream forgets is here too: the toleration of nvidia.com/gpu and the provisioner's node affinity. */
#include "workload/tuning_workload.h"

#include "base/buf.h"
#include "contract/paths.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/native_workload.h"
#include "workload/pod_spec.h"
#include "workload/tuning.h"
#include "workload/tuning_scripts.h"
#include <string.h>

/* Presets whose linear layers PEFT does not know by itself; to add one: a row. */
static const struct { const char *preset, *modules; } TARGET_MODULES[] = {
	{"phi-3", "k_proj,q_proj,v_proj,o_proj,gate_proj,down_proj,up_proj"},
};

static const char *target_modules(const char *model)
{
	for (size_t i = 0; i < sizeof TARGET_MODULES / sizeof TARGET_MODULES[0]; i++)
		if (strncmp(model, TARGET_MODULES[i].preset, strlen(TARGET_MODULES[i].preset)) == 0)
			return TARGET_MODULES[i].modules;
	return NULL;
}

static json_t *main_container(const struct workload_plan *p)
{
	CLEANUP(mem_freep) char *image = pod_base_image(p);
	CLEANUP(mem_freep) char *command = mem_printf("cd /workspace/tfs/ && python3 metrics_server.py & accelerate launch --num_processes=%d "
						      "/workspace/tfs/fine_tuning.py", p->gpu.gpus);
	char model[128];
	tuning_model_name(p->model, model, sizeof model);
	json_t *c = pod_container(p->w->name, image);
	json_object_set_new(c, "command", pod_shell(command));
	if (target_modules(model))
		pod_push(c, "env", pod_env(ENV_TARGET_MODULES, target_modules(model)));
	pod_push(c, "env", pod_env("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"));
	pod_push(c, "ports", json_pack("{s:i, s:s}", "containerPort", PORT_SERVE, "protocol", "TCP"));
	json_object_set_new(c, "resources", pod_gpu_resources(p));
	return c;
}

static void add_weights(const struct workload_plan *p, json_t *spec, json_t *main)
{
	CLEANUP(mem_freep) char *artifact = mem_printf("%s/%s", p->o->registry, p->model->tuning_image);
	json_t *c = pod_container(NATIVE_WEIGHTS_CONTAINER, p->o->image_oras_pull);
	json_object_set_new(c, "command", json_pack("[s, s, s, s, s]", "oras", "pull", artifact, "-o", PATH_WEIGHTS));
	pod_push(c, "volumeMounts", pod_mount("model-weights-volume", PATH_WEIGHTS));
	pod_push(spec, "initContainers", c);
	pod_push(spec, "volumes", pod_volume_empty("model-weights-volume"));
	pod_push(main, "volumeMounts", pod_mount("model-weights-volume", PATH_WEIGHTS));
}

/* Upstream leaves the pull policy of these two to the tag: its own images have none, which means Always; a flag may name one that has. */
static json_t *policy_by_tag(json_t *container)
{
	json_object_del(container, "imagePullPolicy");
	return container;
}

static void add_download(const struct workload_plan *p, const json_t *urls, json_t *spec)
{
	struct buf list = {0};
	const json_t *url;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)urls, i, url)
		buf_printf(&list, "%s%s", i ? " " : "", json_string_value(url) ? json_string_value(url) : "");
	CLEANUP(mem_freep) char *words = buf_take(&list), *script = tuning_download_script();
	json_t *c = policy_by_tag(pod_container("data-downloader", p->o->image_curl));
	json_object_set_new(c, "command", json_pack("[s, s, s]", "sh", "-c", script));
	pod_push(c, "env", pod_env("DATA_URLS", words));
	pod_push(c, "env", pod_env("DATA_VOLUME_PATH", PATH_DATASET_FOLDER));
	pod_push(c, "volumeMounts", pod_mount("data-volume", PATH_DATASET_FOLDER));
	pod_push(spec, "initContainers", c);
}

/* A name that cannot be part of a volume's name is left out, as an empty one is (upstream then makes "docker-config--tuning-input"). */
static char *credentials_of(const char *input)
{
	size_t len = strlen(input), good = strspn(input, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return len > 0 && len == good && len <= 36 && input[0] != '-' ? mem_printf("%s-tuning-input", input) : mem_strdup("tuning-input");
}

static int add_data_image(const struct workload_plan *p, const char *image, json_t *spec, json_t *main, struct err *err)
{
	CLEANUP(mem_freep) char *credentials = credentials_of(tuning_text(p, "input", "name"));
	const json_t *secrets = tuning_member(p, "input", "imagePullSecrets");
	const struct pod_pull pull = {.container = "puller", .image = image, .credentials = credentials, .secrets = secrets, .folder = PATH_DATASET_FOLDER,
		.volume = "data-volume", .mount_path = PATH_DATASET_FOLDER};
	if (pod_add_pull(p, &pull, spec, err) < 0)
		return -1;
	if (json_array_size(secrets) > 0) {
		CLEANUP(mem_freep) char *volume = mem_printf("docker-config-%s", credentials), *path = mem_printf("/root/.docker/config.d/%s", credentials);
		pod_push(main, "volumeMounts", pod_mount(volume, path));
	}
	return 0;
}

static int add_input(const struct workload_plan *p, json_t *spec, json_t *main, struct err *err)
{
	const json_t *urls = tuning_member(p, "input", "urls");
	const char *image = tuning_text(p, "input", "image");
	if (json_array_size(urls) > 0)
		add_download(p, urls, spec);
	else if (image[0] && add_data_image(p, image, spec, main, err) < 0)
		return -1;
	pod_push(spec, "volumes", tuning_volume("data-volume", tuning_member(p, "input", "volumeSource")));
	pod_push(main, "volumeMounts", pod_mount("data-volume", PATH_DATASET_FOLDER));
	return 0;
}

static int pusher_container(const struct workload_plan *p, const char *output_dir, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *script = NULL;
	char model[128];
	tuning_model_name(p->model, model, sizeof model);
	if (pusher_script(output_dir, tuning_text(p, "output", "image"), model, &script, err) < 0)
		return -1;
	json_t *c = pod_container("pusher", p->o->image_oras_push);
	json_object_set_new(c, "command", json_pack("[s, s]", "/bin/sh", "-c"));
	json_object_set_new(c, "args", json_pack("[s]", script));
	if (tuning_text(p, "output", "imagePushSecret")[0])
		pod_push(c, "volumeMounts", pod_mount("docker-config", "/root/.docker"));
	pod_push(c, "volumeMounts", pod_mount("results-volume", output_dir));
	*out = c;
	return 0;
}

/* The pusher waits for the result, packs and pushes it; the pause container ends with it, so that the pod completes as a whole. */
static int add_push(const struct workload_plan *p, const char *output_dir, json_t *spec, struct err *err)
{
	const char *secret = tuning_text(p, "output", "imagePushSecret");
	json_t *pusher = NULL;
	if (pusher_container(p, output_dir, &pusher, err) < 0)
		return -1;
	pod_push(spec, "containers", pusher);
	pod_push(spec, "containers", policy_by_tag(pod_container("pause", p->o->image_pause)));
	json_object_set_new(spec, "shareProcessNamespace", json_true());
	if (secret[0])
		pod_push(spec, "volumes", json_pack("{s:s, s:{s:[{s:{s:s, s:[{s:s, s:s}]}}], s:i}}", "name", "docker-config", "projected", "sources", "secret",
						    "name", secret, "items", "key", ".dockerconfigjson", "path", "config.json", "defaultMode", 0644));
	return 0;
}

static json_t *tolerations(const struct workload_plan *p)
{
	json_t *list = json_array();
	json_array_append_new(list, pod_toleration("gpu", "Equal", NULL));
	json_t *rest = pod_tolerations(p);
	json_array_extend(list, rest);
	json_decref(rest);
	return list;
}

static int fill(const struct workload_plan *p, const char *config, const char *output_dir, json_t *spec, json_t *main, struct err *err)
{
	const char *image = tuning_text(p, "output", "image"), *secret = tuning_text(p, "output", "imagePushSecret");
	pod_add_shared_memory(spec, main);
	add_weights(p, spec, main);
	pod_push(spec, "volumes", pod_volume_config("config-volume", config));
	pod_push(main, "volumeMounts", pod_mount("config-volume", "/mnt/config"));
	pod_push(spec, "volumes", tuning_volume("results-volume", tuning_member(p, "output", "volumeSource")));
	pod_push(main, "volumeMounts", pod_mount("results-volume", output_dir));
	if (image[0] && secret[0])
		pod_push(spec, "imagePullSecrets", json_pack("{s:s}", "name", secret));
	if (add_input(p, spec, main, err) < 0 || (image[0] && add_push(p, output_dir, spec, err) < 0))
		return -1;
	json_t *affinity = pod_affinity(p, true);
	if (affinity)
		json_object_set_new(spec, "affinity", affinity);
	json_object_set_new(spec, "tolerations", tolerations(p));
	json_object_set_new(spec, "restartPolicy", json_string("Never"));
	return 0;
}

/* What upstream finds out by a nil pointer. */
static int check(const struct workload_plan *p, struct err *err)
{
	if (!p->model)
		return err_set(err, ERR_INVALID, "a tuning workspace needs a preset");
	if (!p->model->tunable)
		return err_set(err, ERR_INVALID, "preset %s cannot be tuned with this runtime; kaito models shows which can",
			       p->w->preset);
	if (p->gpu.gpus <= 0)
		return err_set(err, ERR_INVALID, "no GPU is known on the nodes of this workspace, and this runtime tunes on GPUs only; annotation " ANNOTATION_RUNTIME
			       ": native tunes on CPUs");
	return 0;
}

int tuning_job(const struct workload_plan *p, const json_t *config_map, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *config = NULL;
	CLEANUP(mem_freep) char *output_dir = NULL;
	if (p->runtime == RUNTIME_NATIVE)
		return native_tuning_job(p, config_map, out, err);
	if (check(p, err) < 0 || tuning_config_name(p, &config, err) < 0 || tuning_output_dir(config_map, &output_dir, err) < 0)
		return -1;
	json_t *main = main_container(p), *spec = json_pack("{s:[O]}", "containers", main);
	int rc = fill(p, config, output_dir, spec, main, err);
	json_decref(main);
	if (rc < 0) {
		json_decref(spec);
		return -1;
	}
	*out = tuning_job_around(p, spec);
	return 0;
}
