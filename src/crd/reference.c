/* reference.c: see reference.h. */
#include "crd/reference.h"

#include "base/mem.h"
#include "contract/training_config.h"
#include "crd/schema.h"
#include "crd/yaml_text.h"
#include <string.h>

#define CHART "charts/kaito/workspace"
#define PROVISIONER_CHART "charts/kaito/gpu-provisioner"
#define PAGE "docs/api-fields.md"
#define PROVISIONER_PAGE "docs/node-api-fields.md"

static void put_type(const struct crd_field *f, struct buf *out)
{
	static const char *const NAMES[] = {[CRD_STRING] = "string", [CRD_INTEGER] = "integer", [CRD_BOOLEAN] = "boolean", [CRD_OBJECT] = "object",
		[CRD_OPEN] = "open object", [CRD_MAP] = "map", [CRD_QUANTITIES] = "map of quantities"};
	buf_printf(out, "%s%s", f->list ? "list of " : "", NAMES[f->type]);
	if (f->list && f->type != CRD_OPEN)
		buf_putc(out, 's');
}

static void put_text(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

static void put_constraints(const struct crd_field *f, struct buf *out)
{
	if (f->required)
		buf_puts(out, "required; ");
	if (f->fallback) {
		buf_puts(out, "default `");
		put_text(f->fallback, out);
		buf_puts(out, "`; ");
	}
	if (f->choices)
		buf_printf(out, "one of `%s`; ", f->choices);
	if (f->has_minimum)
		buf_printf(out, "at least %lld; ", (long long)f->minimum);
	if (f->maximum)
		buf_printf(out, "at most %lld; ", (long long)f->maximum);
	if (f->format)
		buf_printf(out, "%s; ", f->format);
	if (f->list && f->max_items)
		buf_printf(out, "at most %u items; ", f->max_items);
	if (f->max_length)
		buf_printf(out, "at most %u characters; ", f->max_length);
}

static void put_shape(const struct crd_shape *shape, enum crd_version v, const char *path, struct buf *out);

static void put_field(const struct crd_field *f, enum crd_version v, const char *path, struct buf *out)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s%s%s", path, path[0] ? "." : "", f->name);
	CLEANUP(mem_freep) char *inner = mem_printf("%s%s", name, f->list ? "[]" : f->type == CRD_MAP ? ".*" : "");
	struct buf constraints = {0};
	put_constraints(f, &constraints);
	buf_printf(out, "| `%s` | ", name);
	put_type(f, out);
	buf_printf(out, " | %.*s | ", constraints.len > 2 ? (int)constraints.len - 2 : 0, constraints.data ? constraints.data : "");
	put_text(f->help, out);
	buf_puts(out, " |\n");
	buf_done(&constraints);
	if (f->shape)
		put_shape(f->shape, v, inner, out);
}

static void put_shape(const struct crd_shape *shape, enum crd_version v, const char *path, struct buf *out)
{
	for (const struct crd_field *f = shape->fields; f->name; f++)
		if (crd_in_version(f->versions, v))
			put_field(f, v, path, out);
}

/* --- rules --------------------------------------------------------------------------------------------------- */

static bool repeats(const struct crd_rule *rules, const struct crd_rule *r)
{
	return r > rules && strcmp(r->message, r[-1].message) == 0 && r->versions == r[-1].versions;
}

static void put_rules(const struct crd_rule *rules, enum crd_version v, const char *path, struct buf *out)
{
	for (const struct crd_rule *r = rules; r && r->rule; r++) {
		if (!crd_in_version(r->versions, v) || repeats(rules, r))
			continue;
		const char *at = r->at ? r->at + (path[0] == 0) : path[0] ? "" : "(object)";
		buf_printf(out, "| `%s%s` | %s | ", path, at, r->create ? "create" : strstr(r->rule, "oldSelf") ? "update" : "both");
		put_text(r->message, out);
		buf_puts(out, " |\n");
	}
}

static void put_shape_rules(const struct crd_shape *shape, enum crd_version v, const char *path, struct buf *out)
{
	put_rules(shape->rules, v, path, out);
	for (const struct crd_field *f = shape->fields; f->name; f++) {
		if (!crd_in_version(f->versions, v))
			continue;
		CLEANUP(mem_freep) char *name = mem_printf("%s%s%s", path, path[0] ? "." : "", f->name);
		CLEANUP(mem_freep) char *inner = mem_printf("%s%s", name, f->list ? "[]" : f->type == CRD_MAP ? ".*" : "");
		put_rules(f->rules, v, name, out);
		if (f->shape)
			put_shape_rules(f->shape, v, inner, out);
	}
}

static void put_kind(const struct crd_definition *d, struct buf *out)
{
	buf_printf(out, "\n## %s\n\n%s\n", d->kind, d->help);
	buf_printf(out, "%s; `kubectl get %s`", d->namespaced ? "Namespaced" : "Cluster-wide", d->plural);
	if (d->short_names)
		buf_printf(out, " (short: `%s`)", d->short_names);
	buf_printf(out, "; stored as %s.\n", crd_version_name(d, (enum crd_version)d->storage));
	for (unsigned v = CRD_V1BETA1; v >= CRD_V1ALPHA1; v >>= 1) {
		if (!(d->versions & v))
			continue;
		enum crd_version version = (enum crd_version)v;
		buf_printf(out, "\n### %s %s%s\n\n| field | type | constraints | meaning |\n| --- | --- | --- | --- |\n", d->kind, crd_version_name(d, version),
			   d->deprecated & v ? " (deprecated)" : "");
		put_shape(d->shape, version, "", out);
		buf_puts(out, "\n| checked by the API server at | on | answer |\n| --- | --- | --- |\n");
		put_shape_rules(d->shape, version, "", out);
	}
}

static void put_page(struct buf *out)
{
	buf_puts(out, "# Fields of the API\n\n<!-- Printed from the tables by kaito-crds; do not edit. -->\n\n"
		      "The kinds of the group `kaito.sh`. An open object is kept as it is written. The rules below the fields are evaluated by the API\n"
		      "server itself (Kubernetes 1.31 or newer), also while the webhook is down; what needs a look at other objects, at the catalogue or\n"
		      "at annotations is checked by the webhook only.\n");
	for (size_t i = 0; i < CRD_COUNT; i++)
		put_kind(&CRD_DEFINITIONS[i], out);
}

static void put_provisioner_page(struct buf *out)
{
	buf_puts(out, "# Fields of the node provisioner's API\n\n<!-- Printed from the tables by kaito-crds; do not edit. -->\n\n"
		      "Karpenter's kinds as this project's definitions have them, and the node class `KaitoNodeClass`. A cluster that has Karpenter's own\n"
		      "definitions keeps them; they work as they are. [provisioner.md](provisioner.md) says what the node provisioner makes of the fields.\n");
	for (size_t i = 0; i < CRD_PROVISIONER_COUNT; i++)
		put_kind(&CRD_PROVISIONER_DEFINITIONS[i], out);
}

static void put_manifest(json_t *manifest, struct buf *out)
{
	yaml_text(manifest, out);
	json_decref(manifest);
}

void crd_manifest_text(size_t i, struct buf *out) { put_manifest(crd_manifest(i), out); }
void crd_provisioner_manifest_text(size_t i, struct buf *out) { put_manifest(crd_provisioner_manifest(i), out); }

#define PRINTED "# Printed from the tables by kaito-crds; do not edit.\n"

static char *definition(size_t i, struct buf *out)
{
	buf_puts(out, PRINTED);
	crd_manifest_text(i, out);
	return mem_printf(CHART "/templates/crds/kaito.sh_%s.yaml", CRD_DEFINITIONS[i].plural);
}

/* In Helm's folder crds/: installed where they are missing, and never in the way of Karpenter's own. */
static char *provisioner_definition(size_t i, struct buf *out)
{
	const struct crd_definition *d = &CRD_PROVISIONER_DEFINITIONS[i];
	buf_puts(out, PRINTED);
	crd_provisioner_manifest_text(i, out);
	return mem_printf(PROVISIONER_CHART "/crds/%s_%s.yaml", crd_group(d), d->plural);
}

char *crd_page(size_t i, struct buf *out)
{
	static const struct { void (*print)(struct buf *out); const char *path; } PAGES[] = {
		{put_page, PAGE},
		{put_provisioner_page, PROVISIONER_PAGE},
	};
	static const struct { enum training_method method; const char *path; } CONFIGURATIONS[] = {
		{METHOD_LORA, CHART "/files/lora-training_config.yaml"},
		{METHOD_QLORA, CHART "/files/qlora-training_config.yaml"},
	};
	enum { N_PAGES = sizeof PAGES / sizeof PAGES[0] };
	if (i < CRD_COUNT)
		return definition(i, out);
	i -= CRD_COUNT;
	if (i < CRD_PROVISIONER_COUNT)
		return provisioner_definition(i, out);
	i -= CRD_PROVISIONER_COUNT;
	if (i < N_PAGES) {
		PAGES[i].print(out);
		return mem_strdup(PAGES[i].path);
	}
	i -= N_PAGES;
	buf_put_str(out, training_config_template(CONFIGURATIONS[i].method));
	return mem_strdup(CONFIGURATIONS[i].path);
}
