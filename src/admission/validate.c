/* validate.c: from an object to its answer. A row per kind; what all kinds share (names, an object that is being deleted, how errors
 * become text) is here, the rules are in the files named after their topics. */
#include "admission/validate.h"
#include "admission/rules.h"
#include "catalog/sku.h"

#include <stdarg.h>
#include <stdio.h>

/* --- what rules use ------------------------------------------------------------------------------------------ */

static void append_line(struct buf *out, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void append_line(struct buf *out, const char *fmt, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof text, fmt, args);
	size_t len = strlen(text), good = len;
	if (!str_is_utf8((str){text, len}, &good))
		len = good;
	for (size_t i = 0; i < len; i++)
		text[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
	buf_put(out, text, len);
	buf_putc(out, '\n');
}

void admission_warn(struct admission *a, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	append_line(&a->out->warnings, fmt, args);
	va_end(args);
}

void admission_unchecked(struct admission *a, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	append_line(&a->out->unchecked, fmt, args);
	va_end(args);
}

enum admission_found admission_get(struct admission *a, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	if (a->lookup->get && a->lookup->get(a->lookup->context, kind, namespace_, name, out, err) == 0)
		return ADMISSION_FOUND;
	if (!a->lookup->get || err->kind == ERR_UNSUPPORTED) {
		admission_unchecked(a, "%s %s%s%s", kind, namespace_ ? namespace_ : "", namespace_ ? "/" : "", name);
		return ADMISSION_UNCHECKED;
	}
	return err->kind == ERR_NOT_FOUND ? ADMISSION_ABSENT : ADMISSION_FAILED;
}

const json_t *admission_member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_null(value) ? NULL : value;
}

const char *admission_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

bool admission_own_nodes(const struct admission *a)
{
	return a->o->gates[GATE_BYO] || strcmp(a->o->node_provisioner, "byo") == 0;
}

/* --- kinds --------------------------------------------------------------------------------------------------- */

/* Where the user leaves the runtime open, machines without a GPU that vLLM can use run natively. */
static void settle_runtime(struct admission *a)
{
	const struct sku *sku = sku_find(a->o->cloud, a->w.instance_type);
	if (!a->w.runtime_given && sku && (sku->gpus == 0 || (sku->compute_capability && sku->compute_capability < 80 && !a->o->legacy_base_image)))
		a->w.runtime = RUNTIME_NATIVE;
}

void validate_workspace_create(struct admission *a)
{
	settle_runtime(a);
	workspace_rules_create(a);
	if (a->w.inference) {
		inference_rules_create(a);
		resource_rules_inference(a);
		config_rules_inference(a);
		workspace_rules_streaming(a);
	}
	if (a->w.tuning) {
		resource_rules_tuning(a);
		tuning_rules_create(a);
	}
}

static void workspace(struct admission *a)
{
	workspace_view_read(&a->w, a->object, a->o);
	name_rules_check(a);
	if (a->old)
		update_rules_workspace(a);
	else
		validate_workspace_create(a);
	warning_rules_workspace(a);
}

/* To add a kind: a row, and a file with its rules. */
static const struct { const char *kind; void (*rules)(struct admission *a); } KINDS[] = {
	{"InferenceSet", inference_set_rules},
	{"ModelMirror", model_mirror_rules},
	{"MultiRoleInference", multi_role_rules},
	{"RAGEngine", rag_engine_rules},
	{"Workspace", workspace},
};

/* --- the answer ---------------------------------------------------------------------------------------------- */

void validate_object(const struct control_options *o, const struct validate_lookup *lookup, const char *kind, const char *api_version,
		     const json_t *object, const json_t *old, struct validate_errors *out)
{
	static const struct validate_lookup NOTHING = {0};
	struct admission a = {
		.o = o,
		.lookup = lookup ? lookup : &NOTHING,
		.object = object,
		.old = json_is_object(old) ? old : NULL,
		.v1alpha1 = strcmp(api_version, "kaito.sh/v1alpha1") == 0,
		.namespace_ = meta_namespace(object)[0] ? meta_namespace(object) : "default",
		.out = out,
	};
	if (a.old && meta_deleting(object))
		return; /* finalizers must always be removable */
	for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
		if (strcmp(KINDS[i].kind, kind) == 0)
			KINDS[i].rules(&a);
	out->count = field_errors_print(&a.errors, &out->text);
	field_errors_done(&a.errors);
}

void validate_errors_done(struct validate_errors *e)
{
	buf_done(&e->text);
	buf_done(&e->warnings);
	buf_done(&e->unchecked);
	*e = (struct validate_errors){0};
}
