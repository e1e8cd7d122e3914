/* native_tuning.c: the tuning Job of the native runtime: `kaito pull` for weights and data, then `kaito tune --push`. It needs no sentinel,
 * no pause container and no shell; how it ended is in its exit code and termination message (contract/termination.h). */
#include "workload/native_workload.h"

#include "base/mem.h"
#include "base/str.h"
#include "contract/paths.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/native_pod.h"
#include "workload/pod_spec.h"
#include "workload/tuning.h"
#include <string.h>

/* The file name that `kaito pull` gives a URL's file. */
static str url_file(const char *url)
{
	str s = str_of(url);
	s.len = strcspn(url, "?#");
	size_t from = s.len;
	while (from > 0 && s.data[from - 1] != '/')
		from--;
	return str_sub(s, from, s.len);
}

static bool same_file_before(const json_t *urls, size_t at)
{
	const char *url = json_string_value(json_array_get(urls, at));
	for (size_t i = 0; i < at; i++) {
		const char *other = json_string_value(json_array_get(urls, i));
		if (url && other && str_eq(url_file(url), url_file(other)))
			return true;
	}
	return false;
}

static void add_puller(const struct workload_plan *p, const char *name, json_t *sources, const char *folder, bool image, json_t *spec)
{
	json_t *c = native_container(p, name, (const char *const[]){"pull", NULL});
	json_array_extend(json_object_get(c, "command"), sources);
	json_decref(sources);
	native_add_word(c, "--output");
	native_add_word(c, folder);
	if (image) {
		native_add_word(c, "--no-store");
		native_mount_docker(spec, c, NATIVE_DOCKER_PULL);
	}
	pod_push(c, "volumeMounts", pod_mount("data-volume", PATH_DATASET_FOLDER));
	pod_push(spec, "initContainers", c);
}

/* Files of one name go to folders of their own, so that none is lost. */
static void add_downloads(const struct workload_plan *p, const json_t *urls, json_t *spec)
{
	json_t *together = json_array(), *url;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)urls, i, url)
		if (!same_file_before(urls, i))
			json_array_append(together, url);
	add_puller(p, "data-downloader", together, PATH_DATASET_FOLDER, false, spec);
	json_array_foreach((json_t *)(uintptr_t)urls, i, url) {
		if (!same_file_before(urls, i))
			continue;
		CLEANUP(mem_freep) char *name = mem_printf("data-downloader-%zu", i), *folder = mem_printf(PATH_DATASET_FOLDER "/%zu", i);
		add_puller(p, name, json_pack("[O]", url), folder, false, spec);
	}
}

static void add_input(const struct workload_plan *p, json_t *spec, json_t *main)
{
	const json_t *urls = tuning_member(p, "input", "urls");
	const char *image = tuning_text(p, "input", "image");
	if (json_array_size(urls) > 0)
		add_downloads(p, urls, spec);
	else if (image[0])
		add_puller(p, "puller", json_pack("[s]", image), PATH_DATASET_FOLDER, true, spec);
	pod_push(spec, "volumes", tuning_volume("data-volume", tuning_member(p, "input", "volumeSource")));
	pod_push(main, "volumeMounts", pod_mount("data-volume", PATH_DATASET_FOLDER));
	pod_push(main, "env", pod_env(ENV_DATASET_FOLDER, PATH_DATASET_FOLDER));
}

/* Evicted pods and those that saved and stopped are not counted; errors of a kind that no try can mend fail the Job at once. */
static json_t *failure_policy(void)
{
	json_t *final = json_array();
	for (int kind = ERR_NONE + 1; kind < ERR_KIND_COUNT; kind++)
		if (err_traits((enum err_kind)kind)->retry == ERR_RETRY_NEVER)
			json_array_append_new(final, json_integer(err_traits((enum err_kind)kind)->exit_code));
	return json_pack("{s:[{s:s, s:[{s:s, s:s}]}, {s:s, s:{s:s, s:[i]}}, {s:s, s:{s:s, s:o}}]}", "rules",
			 "action", "Ignore", "onPodConditions", "type", "DisruptionTarget", "status", "True",
			 "action", "Ignore", "onExitCodes", "operator", "In", "values", err_traits(ERR_SAVED)->exit_code,
			 "action", "FailJob", "onExitCodes", "operator", "In", "values", final);
}

static json_t *tune_container(const struct workload_plan *p, const char *method, const char *output_dir)
{
	json_t *c = native_container(p, p->w->name, (const char *const[]){"tune", "--config", PATH_TRAINING_CONFIG, "--method", method, "--model", PATH_WEIGHTS,
		"--output", output_dir, NULL});
	const char *image = tuning_text(p, "output", "image");
	if (image[0]) {
		native_add_word(c, "--push");
		native_add_word(c, image);
	}
	json_object_set_new(c, "ports", json_pack("[{s:i, s:s}]", "containerPort", METRICS_PORT, "protocol", "TCP"));
	return c;
}

static int fill(const struct workload_plan *p, const char *config, const char *output_dir, bool quantised, json_t *spec, json_t *main, struct err *err)
{
	const char *secret = tuning_text(p, "output", "image")[0] ? tuning_text(p, "output", "imagePushSecret") : "";
	const json_t *const pulls[] = {tuning_member(p, "input", "imagePullSecrets"), json_at(p->w->tuning, "preset", "presetOptions", "imagePullSecrets", NULL)};
	native_add_docker(spec, secret, pulls, 2);
	native_mount_docker(spec, main, NATIVE_DOCKER_PUSH);
	pod_add_shared_memory(spec, main);
	if (native_add_weights(p, spec, main, err) < 0 || native_add_resources(p, native_memory_gib(p->model, true, quantised), main, err) < 0)
		return -1;
	pod_push(spec, "volumes", pod_volume_config("config-volume", config));
	pod_push(main, "volumeMounts", pod_mount("config-volume", "/mnt/config"));
	pod_push(spec, "volumes", tuning_volume("results-volume", tuning_member(p, "output", "volumeSource")));
	pod_push(main, "volumeMounts", pod_mount("results-volume", output_dir));
	add_input(p, spec, main);
	json_object_set_new(spec, "restartPolicy", json_string("Never"));
	json_object_set_new(spec, "terminationGracePeriodSeconds", json_integer(60)); /* to save a checkpoint */
	return 0;
}

int native_tuning_job(const struct workload_plan *p, const json_t *config_map, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *config = NULL;
	CLEANUP(mem_freep) char *output_dir = NULL;
	const char *method;
	if (!p->model)
		return err_set(err, ERR_INVALID, "a tuning workspace needs a preset");
	if (tuning_method(p, &method, err) < 0 || tuning_config_name(p, &config, err) < 0 || tuning_output_dir(config_map, &output_dir, err) < 0)
		return -1;
	json_t *main = tune_container(p, method, output_dir), *spec = native_pod_spec(p);
	json_object_set_new(spec, "containers", json_pack("[O]", main));
	int rc = fill(p, config, output_dir, strcmp(method, "qlora") == 0, spec, main, err);
	json_decref(main);
	if (rc < 0) {
		json_decref(spec);
		return -1;
	}
	*out = tuning_job_around(p, spec);
	json_object_set_new(json_object_get(*out, "spec"), "podFailurePolicy", failure_policy());
	return 0;
}
