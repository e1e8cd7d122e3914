/* cmd_validate.c: `kaito validate FILE`: what admission would answer to the manifests, without a cluster; what would be created; and what
 * only a cluster can tell. ConfigMaps, Secrets and claims that stand in the same file count as existing. */
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/manifests.h"
#include "cmd/preset_args.h"
#include "cmd/validate_plan.h"

#include "admission/lookup.h"
#include "admission/review.h"
#include "crd/crd.h"
#include "kube/meta.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUB_DEADLINE_MS 10000

struct validation {
	struct control_options control;
	const char *file, *kubeconfig, *context, *gates;
	bool cluster, json;
	manifest_list objects;
	struct kube_client *kube;        /* NULL: offline */
	struct catalog_resolver *models; /* NULL: offline */
	struct lookup *lookup;
	struct validate_lookup in_cluster;
	json_t *report;                  /* array, with -o json */
	size_t checked, bad;
};

/* --- what rules may ask -------------------------------------------------------------------------------------- */

static const char *namespace_of(const struct validation *v, const json_t *object)
{
	const char *given = meta_namespace(object);
	return given[0] ? given : v->kube ? kube_client_namespace(v->kube) : "default";
}

/* The file first, then the cluster; ERR_UNSUPPORTED: nobody to ask. */
static int get(void *context, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	const struct validation *v = context;
	for (size_t i = 0; i < v->objects.len; i++) {
		json_t *object = v->objects.data[i].object;
		if (strcmp(json_text_at(object, "", "kind", NULL), kind) == 0 && strcmp(meta_name(object), name) == 0 &&
		    (!namespace_ || strcmp(namespace_of(v, object), namespace_) == 0)) {
			*out = json_incref(object);
			return 0;
		}
	}
	if (v->kube)
		return v->in_cluster.get(v->in_cluster.context, kind, namespace_, name, out, err);
	return err_set(err, ERR_UNSUPPORTED, "%s %s was not looked up", kind, name);
}

static int nodes(void *context, const json_t *match_labels, json_t **out, struct err *err)
{
	const struct validation *v = context;
	return v->in_cluster.nodes(v->in_cluster.context, match_labels, out, err);
}

/* The object as the cluster has it: then the manifest is an update. New reference or NULL. */
static json_t *existing(struct validation *v, const json_t *object)
{
	json_t *old = NULL;
	struct err err = ERR_INIT;
	const struct kube_resource *r = kube_resource_find(json_text_at(object, "", "apiVersion", NULL), json_text_at(object, "", "kind", NULL));
	if (!v->kube || !r || kube_get(v->kube, r, r->namespaced ? meta_namespace(object) : NULL, meta_name(object), &old, &err) < 0)
		return NULL;
	return old;
}

/* --- one object ---------------------------------------------------------------------------------------------- */

static bool is_ours(const json_t *object)
{
	const char *kind = json_text_at(object, "", "kind", NULL);
	for (size_t i = 0; i < CRD_COUNT; i++)
		if (strcmp(crd_kind(i), kind) == 0)
			return strncmp(json_text_at(object, "", "apiVersion", NULL), "kaito.sh/", 9) == 0;
	return false;
}

static void judge(struct validation *v, json_t *object, struct validate_errors *e, bool *update)
{
	const char *kind = json_text_at(object, "", "kind", NULL), *version = json_text_at(object, "", "apiVersion", NULL);
	const struct validate_lookup lookup = {.context = v, .get = get, .nodes = v->kube ? nodes : NULL, .models = v->models, .hub_deadline_ms = HUB_DEADLINE_MS};
	e->count = review_decode(kind, version, object, &e->text);
	if (e->count)
		return;
	crd_default(kind, version, object);
	json_t *old = existing(v, object);
	*update = old != NULL;
	validate_object(&v->control, &lookup, kind, version, object, old, e);
	json_decref(old);
}

/* repeat: the label stands before each line, else the lines are one text. */
static void print_lines(const char *label, const struct buf *lines, bool repeat)
{
	str all = str_trim(buf_str(lines));
	for (size_t at = 0; all.len && at <= all.len;) {
		size_t end = str_find(all, '\n', at);
		if (repeat || at == 0)
			printf("  %s: %.*s\n", label, (int)(end - at), all.data + at);
		else
			printf("  %*s%.*s\n", (int)strlen(label) + 2, "", (int)(end - at), all.data + at);
		at = end + 1;
	}
}

static json_t *json_lines(const struct buf *lines)
{
	json_t *out = json_array();
	str all = str_trim(buf_str(lines));
	for (size_t at = 0; all.len && at <= all.len;) {
		size_t end = str_find(all, '\n', at);
		json_array_append_new(out, json_stringn(all.data + at, end - at));
		at = end + 1;
	}
	return out;
}

static void tell_person(const struct validation *v, const struct manifest *m, const struct validate_errors *e, const json_t *plan, bool update)
{
	printf("%s document %d, line %ld: %s %s (%s)%s\n", v->file, m->document, m->line, json_text_at(m->object, "", "kind", NULL), meta_name(m->object),
	       json_text_at(m->object, "", "apiVersion", NULL), update ? ", an update" : "");
	print_lines("error", &e->text, false);
	print_lines("warning", &e->warnings, true);
	print_lines("not checked", &e->unchecked, true);
	CLEANUP(mem_freep) char *text = plan ? validate_plan_text(plan) : NULL;
	if (text)
		printf("  plan: %s\n", text);
}

static void tell_machine(struct validation *v, const struct manifest *m, const struct validate_errors *e, const json_t *plan, bool update)
{
	json_t *row = json_pack("{s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:b, s:b}", "file", v->file, "document", m->document, "line", (json_int_t)m->line, "apiVersion",
				json_text_at(m->object, "", "apiVersion", NULL), "kind", json_text_at(m->object, "", "kind", NULL), "namespace",
				meta_namespace(m->object), "name", meta_name(m->object), "valid", e->count == 0, "update", update);
	json_object_set_new(row, "errors", json_lines(&e->text));
	json_object_set_new(row, "warnings", json_lines(&e->warnings));
	json_object_set_new(row, "notChecked", json_lines(&e->unchecked));
	if (plan)
		json_object_set(row, "plan", (json_t *)(uintptr_t)plan);
	json_array_append_new(v->report, row);
}

static void check_one(struct validation *v, struct manifest *m)
{
	struct validate_errors e = {0};
	bool update = false;
	json_t *metadata = json_object_get(m->object, "metadata");
	if (json_is_object(metadata) && strcmp(json_text_at(m->object, "", "kind", NULL), "ModelMirror") != 0)
		json_object_set_new(metadata, "namespace", json_string(namespace_of(v, m->object)));
	judge(v, m->object, &e, &update);
	json_t *plan = e.count ? NULL : validate_plan(&v->control, v->models, m->object);
	if (v->json)
		tell_machine(v, m, &e, plan, update);
	else
		tell_person(v, m, &e, plan, update);
	v->checked++;
	v->bad += e.count > 0;
	json_decref(plan);
	validate_errors_done(&e);
}

/* --- the command --------------------------------------------------------------------------------------------- */

static int connect(struct validation *v, struct err *err)
{
	const struct kube_options o = {.kubeconfig = v->kubeconfig, .context = v->context, .user_agent = "kaito-validate"};
	if (!v->cluster)
		return 0;
	if (kube_client_open(&v->kube, &o, err) < 0)
		return -1;
	v->models = catalog_resolver_new(v->control.hub_url, NULL);
	v->lookup = lookup_new(v->kube);
	v->in_cluster = lookup_for_rules(v->lookup, v->models, HUB_DEADLINE_MS);
	return 0;
}

static int settle(struct validation *v, const struct preset_args *p, struct err *err)
{
	v->control.cloud = p->cloud;
	v->json = p->json;
	if (v->gates && control_gates_parse(&v->control, v->gates, err) < 0)
		return -1;
	v->control.gates[GATE_BYO] = v->control.gates[GATE_BYO] || strcmp(v->control.node_provisioner, "byo") == 0;
	return 0;
}

static int check_all(struct validation *v, struct err *err)
{
	if (manifests_read(v->file, &v->objects, err) < 0 || connect(v, err) < 0)
		return -1;
	v->report = json_array();
	for (size_t i = 0; i < v->objects.len; i++)
		if (is_ours(v->objects.data[i].object))
			check_one(v, &v->objects.data[i]);
	if (v->json)
		preset_args_print(json_incref(v->report));
	if (v->checked == 0)
		return err_set(err, ERR_INVALID, "%s has no object of kaito.sh", v->file);
	return v->bad ? err_set(err, ERR_INVALID, "%zu of %zu objects would be refused", v->bad, v->checked) : 0;
}

static void validation_done(struct validation *v)
{
	manifests_done(&v->objects);
	json_decref(v->report);
	lookup_free(v->lookup);
	catalog_resolver_free(v->models);
	kube_client_close(v->kube);
}

int cmd_validate(int argc, char **argv, struct err *err)
{
	struct validation v = {.control = control_options_default()};
	struct preset_args p = {0};
	const struct flag flags[] = {
		{"cluster", NULL, FLAG_BOOL, &v.cluster, "ask the cluster for what manifests refer to, and the hub for models outside the catalogue", false, 0, 0},
		{"kubeconfig", "PATH", FLAG_STRING, &v.kubeconfig, "of that cluster ($KUBECONFIG, else the pod's own, else ~/.kube/config)", false, 0, 0},
		{"context", "NAME", FLAG_STRING, &v.context, "context of the kubeconfig (the current one)", false, 0, 0},
		{"cloud", "NAME", FLAG_STRING, &p.cloud, "azure, aws or arc ($CLOUD_PROVIDER, else azure)", false, 0, 0},
		{"node-provisioner", "NAME", FLAG_STRING, &v.control.node_provisioner, "as the controller's (azure-gpu-provisioner)", false, 0, 0},
		{"feature-gates", "LIST", FLAG_STRING, &v.gates, "as the controller's", false, 0, 0},
		{"release-namespace", "NAME", FLAG_STRING, &v.control.release_namespace, "as the controller's (kaito-workspace)", false, 0, 0},
		{"output", "FORMAT", FLAG_STRING, &p.output, "table or json; also -o", false, 0, 0},
	};
	size_t n = 0;
	CLEANUP(mem_freep) char **words = preset_args_words(argc, argv);
	int rc = flags_parse("validate FILE|-", flags, sizeof flags / sizeof flags[0], argc, words, &v.file, 1, &n, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	if (n == 0)
		return err_set(err, ERR_USAGE, "which manifests? kaito validate FILE, or - for standard input");
	rc = preset_args_check(&p, err) < 0 || settle(&v, &p, err) < 0 || check_all(&v, err) < 0 ? -1 : 0;
	validation_done(&v);
	return rc;
}
