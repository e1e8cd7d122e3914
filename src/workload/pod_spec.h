/* pod_spec.h: the small pieces that pods of every runtime are made of. All results are new references; arguments marked "taken" are
 * consumed. Names and values are upstream's (golden/); defaults that the API server fills in are left out, but for
 * imagePullPolicy, which is IfNotPresent for every image so that a preloaded one works without a registry. */
#pragma once
#include "workload/plan.h"

/* Appends item (taken) to object[list], an array that is made when missing: pod_push(spec, "volumes", pod_volume_empty("x")). */
void pod_push(json_t *object, const char *list, json_t *item);

json_t *pod_container(const char *name, const char *image);
/* ["/bin/sh", "-c", script] */
json_t *pod_shell(const char *script);
json_t *pod_port(const char *name, int port);
json_t *pod_env(const char *name, const char *value);
json_t *pod_env_field(const char *name, const char *field_path);
json_t *pod_env_secret(const char *name, const char *secret, const char *key); /* optional: true */
json_t *pod_mount(const char *volume, const char *path);
json_t *pod_volume_empty(const char *name);
json_t *pod_volume_memory(const char *name);
json_t *pod_volume_config(const char *name, const char *config_map);
json_t *pod_volume_host(const char *name, const char *path, const char *type);
/* Every secret's .dockerconfigjson as <secret>.json; secrets: array of names. */
json_t *pod_volume_docker_configs(const char *name, const json_t *secrets);
/* dshm, memory backed, at /dev/shm. */
void pod_add_shared_memory(json_t *spec, json_t *container);

/* requests and limits of the plan's GPUs (or MIG slice); {} on a CPU machine. */
json_t *pod_gpu_resources(const struct workload_plan *p);
json_t *pod_toleration(const char *key, const char *operator_, const char *value /* NULL: none */); /* effect NoSchedule */
/* GPU, sku=gpu, spot (azure), MIG slice: what inference pods tolerate. */
json_t *pod_tolerations(const struct workload_plan *p);
/* Required node affinity: the Workspace's match labels in key order, then (terms: true) the provisioner's. NULL when there is neither. */
json_t *pod_affinity(const struct workload_plan *p, bool terms);
/* kaito.sh/workspace, and the set, role and multi-role labels that the Workspace carries. */
json_t *pod_labels(const struct workload_plan *p);
/* <registry>/kaito-base:<tag>, or the image for old GPUs where the plan says so. Caller frees. */
char *pod_base_image(const struct workload_plan *p);
/* The path with each of / and \ replaced by -, lower case, below /opt/kaito/models. Caller frees. */
char *pod_local_weights_path(const struct workload_plan *p);

/* An init container that copies /data of an image into a folder of a volume, and what its credentials need. */
struct pod_pull {
	const char *container;    /* "puller-adapter-one", "puller" */
	const char *image;        /* what to pull */
	const char *credentials;  /* "adapter-one-inference-adapter": names the volume docker-config-… and its mount */
	const json_t *secrets;    /* names, or NULL */
	const char *folder;       /* "/mnt/adapter/adapter-one" */
	const char *volume, *mount_path; /* "adapter-volume", "/mnt/adapter" */
	const char *needs;        /* a file that must be there afterwards ("adapter_config.json"); NULL: any file */
};
/* Adds the init container, and the credentials' volume and imagePullSecrets when there are secrets. ERR_INVALID: the image or folder
 * cannot be written into a shell script (control characters). */
WARN_UNUSED int pod_add_pull(const struct workload_plan *p, const struct pod_pull *pull, json_t *spec, struct err *err);
