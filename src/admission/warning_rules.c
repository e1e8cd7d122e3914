/* warning_rules.c: what a Workspace may have although it will not do what its author expects. Upstream accepts all of it, and so do we;
 * kubectl shows these lines at once. Nothing here refuses. */
#include "admission/rules.h"
#include "catalog/estimate.h"
#include "kube/selector.h"

#include <strings.h>

#define LOOKUPS_MAX 16

/* --- labels -------------------------------------------------------------------------------------------------- */

static bool is_label_char(char c, bool inner)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (inner && strchr("-_.", c));
}

/* The name part of a label's key, or its value. */
static bool label_word(str s)
{
	if (s.len > 63)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_label_char(s.data[i], i > 0 && i + 1 < s.len))
			return false;
	return true;
}

static bool label_key(const char *key)
{
	const char *slash = strrchr(key, '/');
	if (!slash)
		return key[0] && label_word(str_of(key));
	CLEANUP(mem_freep) char *prefix = mem_strndup(key, (size_t)(slash - key));
	return name_is_subdomain(prefix) && slash[1] && label_word(str_of(slash + 1));
}

static void labels(struct admission *a)
{
	const char *key;
	json_t *value;
	const json_t *matched = admission_member(a->w.selector, "matchLabels");
	json_t *kept = workspace_match_labels(&a->w);
	json_object_foreach((json_t *)matched, key, value) {
		const char *text = json_is_string(value) ? json_string_value(value) : "";
		if (!label_key(key) || !label_word(str_of(text)))
			admission_warn(a, "resource.labelSelector: '%.128s: %.128s' is not a possible label, no node can have it", key, text);
		else if (!json_object_get(kept, key))
			admission_warn(a, "resource.labelSelector: label %s is reserved and will be ignored", key);
	}
	json_decref(kept);
}

/* --- references ---------------------------------------------------------------------------------------------- */

struct references { struct admission *a; int asked; };

static void exists(struct references *r, const char *kind, const char *name, const char *path)
{
	json_t *object = NULL;
	struct err err = ERR_INIT;
	if (!name || !name[0] || r->asked++ >= LOOKUPS_MAX)
		return;
	if (admission_get(r->a, kind, r->a->namespace_, name, &object, &err) == ADMISSION_ABSENT)
		admission_warn(r->a, "%s: %s %s does not exist in namespace %s", path, kind, name, r->a->namespace_);
	json_decref(object);
}

static void secrets(struct references *r, const json_t *holder, const char *path)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)admission_member(holder, "imagePullSecrets"), i, item)
		exists(r, "Secret", json_string_value(item), path);
}

static void volume(struct references *r, const json_t *holder, const char *path)
{
	exists(r, "PersistentVolumeClaim", json_text_at(holder, "", "volumeSource", "persistentVolumeClaim", "claimName", NULL), path);
}

static void references(struct admission *a)
{
	struct references r = {.a = a};
	const json_t *in = admission_member(a->w.tuning, "input"), *out = admission_member(a->w.tuning, "output");
	size_t i;
	json_t *item;
	exists(&r, "Secret", a->w.access_secret, a->w.tuning ? "tuning.preset.presetOptions.modelAccessSecret" : "inference.preset.presetOptions.modelAccessSecret");
	exists(&r, "Secret", admission_text(out, "imagePushSecret"), "tuning.output.imagePushSecret");
	secrets(&r, in, "tuning.input.imagePullSecrets");
	volume(&r, in, "tuning.input.volumeSource");
	volume(&r, out, "tuning.output.volumeSource");
	json_array_foreach((json_t *)a->w.adapters, i, item) {
		const json_t *source = admission_member(item, "source");
		secrets(&r, source, "inference.adapters.source.imagePullSecrets");
		volume(&r, source, "inference.adapters.source.volumeSource");
	}
}

/* --- adapters ------------------------------------------------------------------------------------------------ */

static void adapter(struct admission *a, size_t i, const json_t *source)
{
	const char *name = admission_text(source, "name"), *image = admission_text(source, "image");
	char words[512];
	const char *why = image[0] ? image_rule_check(image, words, sizeof words) : NULL;
	if (!name[0])
		admission_warn(a, "inference.adapters[%zu]: without source.name no request can choose it", i);
	else if (!name_is_subdomain(name))
		admission_warn(a, "inference.adapters[%zu]: source.name '%.128s' is not a DNS name in lower case, a later change of the adapters will be refused", i,
			       name);
	if (why)
		admission_warn(a, "inference.adapters[%zu]: source.image cannot be pulled: %s", i, why);
	else if (!image[0] && !admission_member(source, "volumeSource"))
		admission_warn(a, "inference.adapters[%zu]: neither source.image nor source.volumeSource is given, so nothing is loaded", i);
	if (json_array_size(admission_member(source, "urls")) > 0)
		admission_warn(a, "inference.adapters[%zu]: source.urls are not supported and will be ignored", i);
}

static void adapters(struct admission *a)
{
	for (size_t i = 0; i < json_array_size(a->w.adapters) && i < LOOKUPS_MAX; i++) {
		const json_t *source = admission_member(json_array_get(a->w.adapters, i), "source");
		if (source)
			adapter(a, i, source);
	}
}

/* --- the rest ------------------------------------------------------------------------------------------------ */

static void runtime(struct admission *a)
{
	static const char *const KNOWN[] = {"vllm", "transformers", "native"};
	const char *given = admission_annotation(a, ANNOTATION_RUNTIME);
	for (size_t i = 0; given && i < sizeof KNOWN / sizeof KNOWN[0]; i++)
		if (strcmp(given, KNOWN[i]) == 0)
			return;
	if (given)
		admission_warn(a, "annotation %s: '%.64s' is not known, the default is used; choose vllm, transformers or native", ANNOTATION_RUNTIME, given);
}

static void resource(struct admission *a)
{
	const json_t *preset = admission_member(a->w.inference ? a->w.inference : a->w.tuning, "preset");
	if (a->w.count < 1)
		admission_warn(a, "resource.count is %lld: at least one node is always used", (long long)a->w.count);
	if (json_array_size(admission_member(a->w.resource, "preferredNodes")) > 0)
		admission_warn(a, "resource.preferredNodes is deprecated and ignored");
	if (!a->v1alpha1 && strcmp(admission_text(preset, "accessMode"), "private") == 0)
		admission_warn(a, "preset.accessMode and presetOptions.image are ignored: the weights come from the model hub");
}

/* How many nodes vLLM will get, when that is not what count says. */
static void nodes(struct admission *a)
{
	const struct sku *sku = sku_find(a->o->cloud, a->w.instance_type);
	struct estimate e;
	struct err err = ERR_INIT;
	if (!sku || !sku->gpus || !a->model || !a->w.inference || a->w.runtime != RUNTIME_VLLM)
		return;
	struct gpu_config gpu = {.gpus = sku->gpus, .gib = sku->gpu_gib, .model = sku->gpu_model, .nvme = sku->nvme, .compute_capability = sku->compute_capability};
	if (estimate_nodes(a->model, &gpu, 0, &e, &err) < 0)
		admission_warn(a, "resource.instanceType: %s", err.message);
	else if (e.nodes > 1)
		admission_warn(a, "model %s needs %d nodes of type %s", a->w.preset, e.nodes, a->w.instance_type);
}

static void old_gpu(struct admission *a)
{
	const struct sku *sku = sku_find(a->o->cloud, a->w.instance_type);
	if (sku && sku->gpus && sku->compute_capability && sku->compute_capability < 80 && a->w.runtime == RUNTIME_NATIVE && !a->w.runtime_given)
		admission_warn(a, "resource.instanceType: the GPU of %s (compute capability %d.%d) is too old for the current GPU image, the work runs natively on the "
			       "node's CPU", a->w.instance_type, sku->compute_capability / 10, sku->compute_capability % 10);
}

static void changed(struct admission *a, const char *key)
{
	const json_t *now = admission_member(a->w.tuning, key), *old = admission_member(admission_member(a->old, "tuning"), key);
	if (now && old && !json_equal(now, old))
		admission_warn(a, "tuning.%s changed: a Job that is running or done keeps what it was started with", key);
}

void warning_rules_workspace(struct admission *a)
{
	if (a->old) {
		changed(a, "input");
		changed(a, "output");
		return;
	}
	runtime(a);
	resource(a);
	labels(a);
	adapters(a);
	if (a->errors.items.len)
		return; /* the answer is a refusal: no need to ask the cluster for more */
	nodes(a);
	old_gpu(a);
	references(a);
}
