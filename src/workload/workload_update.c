/* workload_update.c: bringing a StatefulSet up to what its Workspace asks for now.
 *
 * What a pod runs is compared only when the Workspace's revision or its ConfigMap changed since the StatefulSet was last written: so
 * nothing rolls because a new controller would write a pod differently, or because upstream's, whose flags come in random order, made it.
 * Then the members that follow from the Workspace are set (command, environment, mounts, init containers, volumes, pull secrets, replicas);
 * image, resources, probes and everything else stay as they are, as users edit them. A base-image upgrade replaces the template, and so
 * does a new inference.template. */
#include "workload/inference_workload.h"

#include "base/mem.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/pod_spec.h"
#include "workload/shell_word.h"
#include "workload/template_workload.h"
#include <string.h>

/* Whether everything in `wanted` is in `there`: the API server adds defaults. Lists must be as long. */
static bool is_covered(const json_t *wanted, const json_t *there)
{
	if (json_is_object(wanted)) {
		const char *key;
		json_t *value;
		json_object_foreach((json_t *)wanted, key, value)
			if (!is_covered(value, json_object_get(there, key)))
				return false;
		return json_is_object(there);
	}
	if (!json_is_array(wanted))
		return json_equal(wanted, there);
	if (json_array_size(wanted) != json_array_size(there))
		return false;
	for (size_t i = 0; i < json_array_size(wanted); i++)
		if (!is_covered(json_array_get(wanted, i), json_array_get(there, i)))
			return false;
	return true;
}

static bool is_line(const json_t *command)
{
	return json_array_size(command) == 3 && json_string_value(json_array_get(command, 2));
}

/* The same command but for the order of its flags. */
static bool is_same_command(const json_t *a, const json_t *b)
{
	if (!is_line(a) || !is_line(b))
		return json_equal(a, b);
	return shell_words_equal(str_of(json_string_value(json_array_get(a, 2))), str_of(json_string_value(json_array_get(b, 2))));
}

/* Sets or removes current[key] unless it already says what wanted[key] says. */
static void take_member(json_t *current, const json_t *wanted, const char *key)
{
	json_t *value = json_object_get(wanted, key), *there = json_object_get(current, key);
	bool same = strcmp(key, "command") == 0 && value && there ? is_same_command(value, there) : value ? is_covered(value, there) : json_array_size(there) == 0;
	if (same)
		return;
	if (value)
		json_object_set(current, key, value);
	else
		json_object_del(current, key);
}

static void take_members(json_t *current, const json_t *wanted, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		take_member(current, wanted, keys[i]);
}

/* Pull secrets are only added: users name their own too. */
static void add_pull_secrets(json_t *current, const json_t *wanted)
{
	const json_t *item, *there;
	size_t i, j;
	json_array_foreach(json_object_get(wanted, "imagePullSecrets"), i, item) {
		bool found = false;
		json_array_foreach(json_object_get(current, "imagePullSecrets"), j, there)
			found |= json_equal(item, there);
		if (!found)
			pod_push(current, "imagePullSecrets", json_incref((json_t *)item));
	}
}

static void take_pod(json_t *current, const json_t *wanted)
{
	static const char *const CONTAINER[] = {"command", "args", "env", "volumeMounts"}, *const POD[] = {"initContainers", "volumes"};
	json_t *container = json_at(current, "containers", "#0", NULL);
	take_members(current, wanted, POD, sizeof POD / sizeof POD[0]);
	if (container)
		take_members(container, json_at(wanted, "containers", "#0", NULL), CONTAINER, sizeof CONTAINER / sizeof CONTAINER[0]);
	add_pull_secrets(current, wanted);
}

/* Over how many nodes a running command spreads its model. */
static int64_t nodes_of(const json_t *set)
{
	static const char FLAG[] = "--ray_cluster_size=";
	const char *line = json_text_at(set, "", "spec", "template", "spec", "containers", "#0", "command", "#2", NULL), *at = strstr(line, FLAG);
	int64_t nodes = 1;
	if (at) {
		str rest = str_of(at + sizeof FLAG - 1);
		(void)str_to_i64(str_sub(rest, 0, strspn(rest.data, "0123456789")), &nodes);
	}
	return nodes;
}

/* Pods follow when the number of nodes of the model changed; a user's own scaling is left alone. */
static void take_replicas(json_t *current, const json_t *wanted, int64_t nodes_before)
{
	if (nodes_of(wanted) != nodes_before)
		json_object_set(json_object_get(current, "spec"), "replicas", json_at(wanted, "spec", "replicas", NULL));
}

static bool wants_upgrade(const struct workload_plan *p, const json_t *current, const json_t *wanted)
{
	const char *label = meta_label(p->w->object, LABEL_UPGRADE_TO);
	if (!label || !label[0] || strcmp(label, p->o->base_tag) != 0)
		return false;
	const char *image = json_text_at(wanted, "", "spec", "template", "spec", "containers", "#0", "image", NULL);
	return strcmp(image, json_text_at(current, "", "spec", "template", "spec", "containers", "#0", "image", NULL)) != 0;
}

static void upgrade(json_t *current, const json_t *wanted)
{
	static const char *const KEYS[] = {"template", "replicas", "ordinals", "updateStrategy", "minReadySeconds", "persistentVolumeClaimRetentionPolicy"};
	json_t *spec = json_object_get(current, "spec"), *from = json_object_get(wanted, "spec");
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		if (json_object_get(from, KEYS[i]))
			json_object_set(spec, KEYS[i], json_object_get(from, KEYS[i]));
}

static const char *text_or_empty(const char *text) { return text ? text : ""; }

/* A hash that is not there yet was not needed so far: it is written down, but the pods mount that ConfigMap already. Native pods name
 * only ConfigMaps that exist, so there it is a change. */
struct staleness { bool revision, config, config_unknown; };

static struct staleness compare(const struct workload_plan *p, const json_t *current)
{
	const char *hash = text_or_empty(p->config_hash), *known = text_or_empty(meta_annotation(current, ANNOTATION_CONFIG_HASH));
	bool mounted = p->runtime != RUNTIME_NATIVE;
	return (struct staleness){
		.revision = strcmp(p->revision, text_or_empty(meta_annotation(current, ANNOTATION_REVISION))) != 0,
		.config = hash[0] && (known[0] || !mounted) && strcmp(hash, known) != 0,
		.config_unknown = hash[0] && !known[0] && mounted,
	};
}

static void set_template_hash(json_t *current, const char *hash)
{
	json_t *template_ = json_at(current, "spec", "template", NULL), *metadata = json_object_get(template_, "metadata");
	if (template_ && !metadata)
		json_object_set_new(template_, "metadata", json_object());
	if (template_)
		meta_set_annotation(template_, ANNOTATION_CONFIG_HASH, hash);
}

static void apply(const struct workload_plan *p, struct staleness stale, json_t *current, const json_t *wanted)
{
	json_t *pod = json_at(current, "spec", "template", "spec", NULL);
	if ((stale.revision || stale.config) && pod) {
		int64_t nodes_before = nodes_of(current);
		take_pod(pod, json_at(wanted, "spec", "template", "spec", NULL));
		take_replicas(current, wanted, nodes_before);
	}
	if (stale.config)
		set_template_hash(current, p->config_hash);
	meta_set_annotation(current, ANNOTATION_REVISION, p->revision);
	if (stale.config || stale.config_unknown)
		meta_set_annotation(current, ANNOTATION_CONFIG_HASH, p->config_hash);
}

/* A changed pod template replaces the old one; what a user edited in the StatefulSet stays until then. Sets of revision 1 do not name it. */
static int update_template(const struct workload_plan *p, const json_t *current, json_t **out, struct err *err)
{
	const char *known = meta_annotation(current, ANNOTATION_REVISION);
	if (strcmp(p->revision, known ? known : TEMPLATE_FIRST_REVISION) == 0)
		return 0;
	json_t *wanted = NULL;
	if (inference_statefulset(p, &wanted, err) < 0)
		return -1;
	*out = json_deep_copy(current);
	json_object_del(*out, "status");
	take_member(json_object_get(*out, "spec"), json_object_get(wanted, "spec"), "template");
	meta_set_annotation(*out, ANNOTATION_REVISION, p->revision);
	json_decref(wanted);
	return 0;
}

int inference_statefulset_update(const struct workload_plan *p, const json_t *current, json_t **out, bool *upgraded, struct err *err)
{
	*out = NULL;
	*upgraded = false;
	if (p->w->template_)
		return update_template(p, current, out, err);
	struct staleness stale = compare(p, current);
	const char *label = meta_label(p->w->object, LABEL_UPGRADE_TO);
	if (!stale.revision && !stale.config && !stale.config_unknown && !(label && label[0]))
		return 0;
	json_t *wanted = NULL;
	if (inference_statefulset(p, &wanted, err) < 0)
		return -1;
	bool needs_upgrade = wants_upgrade(p, current, wanted);
	if (needs_upgrade || stale.revision || stale.config || stale.config_unknown) {
		*out = json_deep_copy(current);
		json_object_del(*out, "status");
		apply(p, stale, *out, wanted);
		if (needs_upgrade)
			upgrade(*out, wanted);
		*upgraded = needs_upgrade;
	}
	json_decref(wanted);
	return 0;
}
