/* native_pod.h: the pieces that serving and tuning pods of the native runtime share: a container that runs `kaito`, credentials in docker's
 * format, the weights, requests for CPU and memory. No shell anywhere: a command is a list of words. */
#pragma once
#include "workload/plan.h"

#define NATIVE_ADAPTERS "/mnt/adapter"
#define NATIVE_DOCKER "/root/.docker"

/* A container of the native image whose command is {"kaito", words..., NULL}; read-only root, no new privileges, a writable /tmp (the
 * volume of native_pod_spec) for the image store, the log's end as termination message where the program writes none. */
json_t *native_container(const struct workload_plan *p, const char *name, const char *const *words);
void native_add_word(json_t *container, const char *word);
/* An empty spec with affinity, tolerations and the /tmp volume. */
json_t *native_pod_spec(const struct workload_plan *p);

/* Secrets as files that $DOCKER_CONFIG wants, in two volumes, so that a container gets no more than it needs and a push is never tried
 * with the credentials of a pull. Arguments may be NULL or "". */
void native_add_docker(json_t *spec, const char *push_secret, const json_t *const *pull_secrets, size_t n);
/* Mounts one of them, where the pod has it. */
enum native_docker { NATIVE_DOCKER_PUSH, NATIVE_DOCKER_PULL };
void native_mount_docker(const json_t *spec, json_t *container, enum native_docker which);

/* The weights volume and the init container that fills it. ERR_INVALID: the model cannot run natively. */
WARN_UNUSED int native_add_weights(const struct workload_plan *p, json_t *spec, json_t *main, struct err *err);
/* requests of cpu and memory; ERR_INVALID where the machine's memory is known and too small. */
WARN_UNUSED int native_add_resources(const struct workload_plan *p, double gib, json_t *container, struct err *err);
