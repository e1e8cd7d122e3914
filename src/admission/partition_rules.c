/* partition_rules.c: a part of a GPU (MIG) or whole GPUs (accelerator) on own nodes. */
#include "admission/rules.h"
#include "catalog/sku.h"

/* "1g.10gb" */
static bool profile_shape(const char *profile)
{
	size_t g = strspn(profile, "0123456789");
	if (g == 0 || strncmp(profile + g, "g.", 2) != 0)
		return false;
	const char *rest = profile + g + 2;
	size_t n = strspn(rest, "0123456789");
	return n > 0 && strcmp(rest + n, "gb") == 0;
}

static bool profile(struct admission *a, const char *name)
{
	if (!profile_shape(name)) {
		field_errors_invalid(&a->errors, "resource.partition.profile", "invalid MIG profile format \"%s\": expected format like '1g.10gb'", name);
		return false;
	}
	if (mig_profile_find(name))
		return true;
	struct buf list = {0};
	for (size_t i = 0; i < MIG_PROFILE_COUNT; i++)
		buf_printf(&list, "%s%s", i ? " " : "", MIG_PROFILES[i].name);
	field_errors_invalid(&a->errors, "resource.partition.profile", "unknown MIG profile \"%s\": must be one of [%s]", name, buf_str(&list).data);
	buf_done(&list);
	return false;
}

static void fits(struct admission *a, const struct mig_profile *slice)
{
	if (!a->model || a->model->weights_gib <= slice->gib)
		return;
	if (admission_annotation(a, ANNOTATION_BYPASS_CHECKS))
		admission_warn(a, "model %s needs %.2fGi for its weights, the slice %s has %dGi; accepted because of the annotation %s", a->w.preset,
			       a->model->weights_gib, slice->name, slice->gib, ANNOTATION_BYPASS_CHECKS);
	else
		field_errors_invalid(&a->errors, "resource.partition",
				     "Model %s requires at least %.2fGi for weights, which exceeds the %s MIG slice capacity of %dGi", a->w.preset,
				     a->model->weights_gib, slice->name, slice->gib);
}

static void mig(struct admission *a)
{
	const json_t *p = admission_member(a->w.resource, "partition");
	const char *name = admission_text(p, "profile");
	if (!a->o->gates[GATE_MIG])
		field_errors_generic(&a->errors, "resource.partition", "MIG support is not enabled, set feature gate enableMIG=true");
	else if (admission_member(p, "count"))
		field_errors_invalid(&a->errors, "resource.partition.count", "count is only valid for accelerator mode");
	else if (profile(a, name))
		fits(a, mig_profile_find(name));
}

static void accelerator(struct admission *a)
{
	const json_t *p = admission_member(a->w.resource, "partition");
	if (!a->o->gates[GATE_ACCELERATOR]) {
		field_errors_generic(&a->errors, "resource.partition", "accelerator partition support is not enabled, set feature gate enableAccelerator=true");
		return;
	}
	if (admission_text(p, "profile")[0])
		field_errors_invalid(&a->errors, "resource.partition.profile", "profile is not valid for accelerator mode");
	if (!admission_member(p, "count"))
		field_errors_missing(&a->errors, "resource.partition.count");
}

void partition_rules_create(struct admission *a)
{
	static const struct { const char *mode; void (*check)(struct admission *a); } MODES[] = {{"mig", mig}, {"accelerator", accelerator}};
	const char *mode = admission_text(admission_member(a->w.resource, "partition"), "mode");
	for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++)
		if (strcmp(MODES[i].mode, mode) == 0) {
			MODES[i].check(a);
			return;
		}
	field_errors_invalid(&a->errors, "resource.partition.mode", "unsupported partition mode \"%s\", supported modes are \"mig\" and \"accelerator\"",
			     mode);
}
