/* tuning.c: see tuning.h. */
#include "workload/tuning.h"

#include "base/buf.h"
#include "codec/yaml.h"
#include "contract/paths.h"
#include "contract/training_config.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/pod_spec.h"
#include "workload/tuning_workload.h"
#include <string.h>
#include <strings.h>

#define CONFIG_KEY "training_config.yaml"

int tuning_method(const struct workload_plan *p, const char **out, struct err *err)
{
	static const char *const METHODS[] = {"lora", "qlora"};
	for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
		if (strcasecmp(p->w->method, METHODS[i]) == 0) {
			*out = METHODS[i];
			return 0;
		}
	return err_set(err, ERR_INVALID, "tuning method must be lora or qlora, not '%.40s'", p->w->method);
}

int tuning_config_name(const struct workload_plan *p, char **out, struct err *err)
{
	const char *method;
	if (tuning_method(p, &method, err) < 0)
		return -1;
	*out = p->w->config[0] ? mem_strdup(p->w->config) : mem_printf("%s-params-template", method);
	return 0;
}

/* "/mnt/a/../b" is read as it stands: a path with a ".." part is refused. */
static bool below_mnt(const char *path)
{
	size_t len = strlen(path);
	bool up = strstr(path, "/../") || (len >= 3 && strcmp(path + len - 3, "/..") == 0);
	return strncmp(path, PATH_DATASET_ROOT "/", sizeof PATH_DATASET_ROOT) == 0 && path[sizeof PATH_DATASET_ROOT] != 0 && !up && !strchr(path, ':');
}

static int checked_dir(const char *given, char **out, struct err *err)
{
	char *path = given[0] == '/' ? mem_strdup(given) : mem_printf("%s/%s", PATH_DATASET_ROOT, given);
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = 0;
	if (below_mnt(path) && strcmp(path, PATH_DATASET_FOLDER) != 0 && strcmp(path, "/mnt/config") != 0) {
		*out = path;
		return 0;
	}
	free(path);
	return err_set(err, ERR_CONFIG, "TrainingArguments.output_dir must be a folder of its own below " PATH_DATASET_ROOT ", not '%.100s'", given);
}

int tuning_output_dir(const json_t *config_map, char **out, struct err *err)
{
	const char *text = json_text_at(config_map, NULL, "data", CONFIG_KEY, NULL);
	if (!text)
		return err_set(err, ERR_CONFIG, "ConfigMap '%s' has no " CONFIG_KEY, meta_name(config_map));
	struct yaml_doc doc;
	if (yaml_parse(&doc, str_of(text), CONFIG_KEY, err) < 0) {
		err->kind = ERR_CONFIG;
		return err_wrap(err, "ConfigMap '%s'", meta_name(config_map));
	}
	const char *dir = json_text_at(doc.root, PATH_RESULTS, "training_config", "TrainingArguments", "output_dir", NULL);
	int rc = checked_dir(dir, out, err);
	yaml_doc_done(&doc);
	return rc;
}

void tuning_model_name(const struct catalog_model *m, char *out, size_t size)
{
	if (m->alias)
		snprintf(out, size, "%s", m->alias);
	else
		catalog_model_short_name(m, out, size);
}

const json_t *tuning_member(const struct workload_plan *p, const char *part, const char *member)
{
	return json_object_get(json_object_get(p->w->tuning, part), member);
}

const char *tuning_text(const struct workload_plan *p, const char *part, const char *member)
{
	const char *text = json_string_value(tuning_member(p, part, member));
	return text ? text : "";
}

json_t *tuning_volume(const char *name, const json_t *source)
{
	if (json_object_size(source) == 0)
		return pod_volume_empty(name);
	json_t *volume = json_pack("{s:s}", "name", name);
	json_object_update_missing(volume, (json_t *)(uintptr_t)source);
	return volume;
}

json_t *tuning_job_around(const struct workload_plan *p, json_t *spec)
{
	json_t *job = meta_new(&KUBE_JOBS, p->w->namespace_, p->w->name);
	meta_own(job, &KUBE_WORKSPACES, p->w->object);
	meta_set_label(job, LABEL_WORKSPACE, p->w->name);
	meta_set_annotation(job, ANNOTATION_REVISION, p->revision);
	json_object_set_new(job, "spec", json_pack("{s:{s:{s:{s:s}}, s:o}}", "template", "metadata", "labels", LABEL_WORKSPACE, p->w->name, "spec", spec));
	return job;
}

json_t *tuning_config_copy(const struct workload_plan *p, const json_t *source)
{
	CLEANUP(mem_freep) char *name = NULL;
	const char *method;
	struct err err;
	if (tuning_method(p, &method, &err) < 0)
		return NULL;
	name = mem_printf("%s-params-template", method);
	json_t *copy = meta_new(&KUBE_CONFIGMAPS, p->w->namespace_, name), *data = json_object_get(source, "data");
	json_object_set_new(copy, "data", data ? json_deep_copy(data) : json_pack("{s:s}", CONFIG_KEY, tuning_config_default(method)));
	return copy;
}

const char *tuning_config_default(const char *method)
{
	if (method && strcasecmp(method, "lora") == 0)
		return training_config_template(METHOD_LORA).data;
	return method && strcasecmp(method, "qlora") == 0 ? training_config_template(METHOD_QLORA).data : NULL;
}
