/* model_mirror_rules.c: ModelMirror: a copy of a model's weights in the cluster, made by us (Managed) or already there (Static). */
#include "admission/rules.h"
#include "kube/quantity.h"

static void disallowed(struct admission *a, const json_t *spec, const char *key, const char *path)
{
	if (admission_member(spec, key))
		field_errors_generic(&a->errors, path, "must not set the field(s)");
}

static void source(struct admission *a, const json_t *source)
{
	const char *registry = admission_text(source, "registry");
	if (!source) {
		field_errors_missing(&a->errors, "spec.source");
		return;
	}
	if (!registry[0])
		field_errors_missing(&a->errors, "spec.source.registry");
	else if (strcmp(registry, "huggingface") != 0)
		field_errors_invalid(&a->errors, "spec.source.registry", "\"%s\" is not supported, only \"huggingface\" are supported", registry);
	if (!admission_text(source, "modelID")[0])
		field_errors_missing(&a->errors, "spec.source.modelID");
}

static void storage_class(struct admission *a, const char *name)
{
	json_t *object = NULL;
	struct err err = ERR_INIT;
	if (!name[0]) {
		field_errors_missing(&a->errors, "spec.storage.storageClassName");
		return;
	}
	enum admission_found found = admission_get(a, "StorageClass", NULL, name, &object, &err);
	if (found == ADMISSION_ABSENT || found == ADMISSION_FAILED)
		field_errors_invalid(&a->errors, "spec.storage.storageClassName", "%s", name);
	json_decref(object);
}

static void storage(struct admission *a, const json_t *storage)
{
	const char *size = admission_text(storage, "size");
	double bytes;
	struct err err = ERR_INIT;
	if (!storage) {
		field_errors_missing(&a->errors, "spec.storage");
		return;
	}
	if (!size[0])
		field_errors_missing(&a->errors, "spec.storage.size");
	else if (quantity_parse(size, &bytes, &err) < 0)
		field_errors_invalid(&a->errors, "spec.storage.size", "%s", size);
	storage_class(a, admission_text(storage, "storageClassName"));
}

void model_mirror_rules(struct admission *a)
{
	const json_t *spec = admission_member(a->object, "spec");
	if (a->old) {
		const json_t *old = admission_member(a->old, "spec");
		if (spec != old && !(spec && old && json_equal(spec, old)))
			field_errors_generic(&a->errors, "spec", "ModelMirror spec is immutable; delete and recreate to change");
	} else if (strcmp(admission_text(spec, "mode"), "Static") == 0) {
		disallowed(a, spec, "source", "spec.source");
		disallowed(a, spec, "storage", "spec.storage");
	} else {
		source(a, admission_member(spec, "source"));
		storage(a, admission_member(spec, "storage"));
	}
}
