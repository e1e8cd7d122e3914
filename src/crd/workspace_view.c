/* workspace_view.c: decoding of a Workspace for the controller and for admission. Nothing is copied, nothing can fail: a member of the
 * wrong type reads as an absent one (the schema refuses those, but foreign writers may go around it). */
#include "crd/workspace_view.h"

#include "crd/names.h"
#include "kube/meta.h"
#include <string.h>

static const json_t *object_at(const json_t *parent, const char *key)
{
	const json_t *v = json_object_get(parent, key);
	return json_is_object(v) ? v : NULL;
}

static const char *text_at(const json_t *parent, const char *key)
{
	const char *v = json_string_value(json_object_get(parent, key));
	return v ? v : "";
}

static bool annotated(const json_t *object, const char *key, const char *value)
{
	const char *given = meta_annotation(object, key);
	return given && strcmp(given, value) == 0;
}

static const char *label_or_empty(const json_t *object, const char *key)
{
	const char *v = meta_label(object, key);
	return v ? v : "";
}

static void read_resource(struct workspace_view *w)
{
	const json_t *r = w->resource, *count = json_object_get(r, "count"), *partition = object_at(r, "partition");
	w->instance_type = text_at(r, "instanceType");
	w->count = json_is_integer(count) ? json_integer_value(count) : 1;
	w->selector = object_at(r, "labelSelector");
	w->partition_mode = text_at(partition, "mode");
	w->partition_profile = text_at(partition, "profile");
	w->partition_count = json_integer_value(json_object_get(partition, "count"));
}

static void read_payload(struct workspace_view *w)
{
	const json_t *payload = w->inference ? w->inference : w->tuning, *preset = object_at(payload, "preset");
	const json_t *adapters = json_object_get(w->inference, "adapters");
	w->preset = text_at(preset, "name");
	w->access_secret = text_at(object_at(preset, "presetOptions"), "modelAccessSecret");
	w->config = text_at(payload, "config");
	w->template_ = object_at(w->inference, "template");
	w->adapters = json_is_array(adapters) ? adapters : NULL;
	w->method = text_at(w->tuning, "method");
}

/* Words other than these mean vLLM, as upstream reads them; without the vLLM gate everything upstream knows is transformers. */
static enum runtime runtime_of(const char *annotation, const struct control_options *o)
{
	if (annotation && strcmp(annotation, "native") == 0)
		return RUNTIME_NATIVE;
	if (!o->gates[GATE_VLLM] || (annotation && strcmp(annotation, "transformers") == 0))
		return RUNTIME_TRANSFORMERS;
	return RUNTIME_VLLM;
}

/* The schema fills the field in; an object that never went through it gets its version's default here. */
static enum after_success after_success_of(const struct workspace_view *w)
{
	static const struct { const char *word; enum after_success value; } WORDS[] = {{"Serve", AFTER_SERVE}, {"Release", AFTER_RELEASE}, {"Keep", AFTER_KEEP}};
	const char *given = text_at(w->tuning, "afterSuccess");
	for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
		if (strcmp(given, WORDS[i].word) == 0)
			return WORDS[i].value;
	return w->tuning && strcmp(text_at(w->object, "apiVersion"), "kaito.sh/v1alpha1") == 0 ? AFTER_SERVE : AFTER_KEEP;
}

static void read_metadata(struct workspace_view *w, const struct control_options *o)
{
	const json_t *object = w->object;
	const char *runtime = meta_annotation(object, ANNOTATION_RUNTIME), *mode = meta_annotation(object, ANNOTATION_PERFORMANCE);
	w->name = meta_name(object);
	w->namespace_ = meta_namespace(object);
	w->uid = meta_uid(object);
	w->generation = meta_generation(object);
	w->deleting = meta_deleting(object);
	w->runtime = runtime_of(runtime, o);
	w->runtime_given = runtime != NULL;
	w->inference_set = label_or_empty(object, LABEL_CREATED_BY_SET);
	w->role = label_or_empty(object, LABEL_ROLE);
	w->load_balancer = annotated(object, ANNOTATION_ENABLE_LB, "True");
	w->local_weights = annotated(object, ANNOTATION_LOCAL_WEIGHTS, "true");
	w->benchmark = w->inference && !w->template_ && !annotated(object, ANNOTATION_NO_BENCHMARK, "true");
	w->performance_mode = mode && mode[0] ? mode : "balanced";
}

void workspace_view_read(struct workspace_view *out, const json_t *object, const struct control_options *o)
{
	*out = (struct workspace_view){
		.object = object,
		.resource = object_at(object, "resource"),
		.inference = object_at(object, "inference"),
		.tuning = object_at(object, "tuning"),
		.status = object_at(object, "status"),
	};
	read_resource(out);
	read_payload(out);
	read_metadata(out, o);
	out->after_success = after_success_of(out);
}

/* Labels that KAITO itself puts on nodes: a selector may name them, but they select nothing. */
static const char *const RESERVED[] = {
	"kaito.sh/workspace", "kaito.sh/ragengine", "kaito.sh/workspacenamespace", "kaito.sh/ragenginenamespace",
	"karpenter.kaito.sh/workspace-name", "karpenter.kaito.sh/workspace-namespace",
	"karpenter.kaito.sh/inferenceset", "karpenter.kaito.sh/inferenceset-namespace",
};

static void add_label(json_t *labels, const char *key, const json_t *value)
{
	for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
		if (strcmp(key, RESERVED[i]) == 0)
			return;
	if (json_is_string(value))
		json_object_set_new(labels, key, json_string(json_string_value(value)));
}

json_t *workspace_match_labels(const struct workspace_view *w)
{
	json_t *labels = json_object();
	const json_t *expressions = json_object_get(w->selector, "matchExpressions"), *e;
	json_t *value;
	const char *key;
	size_t i;
	json_object_foreach(json_object_get(w->selector, "matchLabels"), key, value)
		add_label(labels, key, value);
	json_array_foreach(expressions, i, e) {
		const json_t *values = json_object_get(e, "values");
		const char *name = json_string_value(json_object_get(e, "key"));
		if (name && strcmp(text_at(e, "operator"), "In") == 0 && json_array_size(values) == 1)
			add_label(labels, name, json_array_get(values, 0));
	}
	return labels;
}
