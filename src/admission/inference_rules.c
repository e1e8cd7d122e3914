/* inference_rules.c: the inference section at CREATE: preset or template, runtime fit, access to the model, adapters. */
#include "admission/rules.h"

static bool any_strength(const json_t *adapters)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)adapters, i, item)
		if (admission_member(item, "strength"))
			return true;
	return false;
}

static void runtime(struct admission *a, const char *name)
{
	if (a->w.runtime == RUNTIME_TRANSFORMERS && a->model && !a->model->transformers)
		field_errors_generic(&a->errors, NULL, "Runtime validation: model %s does not support inference with Huggingface Transformers runtime",
				     name);
	if (a->w.runtime == RUNTIME_VLLM && any_strength(a->w.adapters))
		field_errors_generic(&a->errors, NULL, "Runtime validation: vLLM does not support adapter strength");
}

/* Rows of the catalogue never refuse: upstream does not know which of them are gated, we only tell. */
static void access(struct admission *a)
{
	if (!a->model || !a->model->gated || a->w.access_secret[0])
		return;
	if (catalog_model_find(a->w.preset))
		admission_warn(a, "model %s is gated: without inference.preset.presetOptions.modelAccessSecret its download will be refused", a->model->id);
	else
		field_errors_generic(&a->errors, NULL,
				     "This preset requires authentication and needs a modelAccessSecret with HF_TOKEN key under presetOptions to "
				     "download the model");
}

/* v1alpha1 lets an image carry the model: then it must be named. */
static void access_mode(struct admission *a, const json_t *preset)
{
	if (a->v1alpha1 && strcmp(admission_text(preset, "accessMode"), "private") == 0 &&
	    !admission_text(admission_member(preset, "presetOptions"), "image")[0])
		field_errors_generic(&a->errors, NULL, "When AccessMode is private, an image must be provided in PresetOptions");
}

void inference_rules_create(struct admission *a)
{
	const json_t *preset = admission_member(a->w.inference, "preset"), *template_ = admission_member(a->w.inference, "template");
	if (!preset && !template_)
		field_errors_missing(&a->errors, "inference.Preset or Template must be specified");
	if (preset && template_)
		field_errors_generic(&a->errors, NULL, "Preset and Template cannot be set at the same time");
	if (preset) {
		const char *name = admission_text(preset, "name");
		if (!model_rules_name_ok(name)) {
			field_errors_invalid(&a->errors, "inference.presetName", "Unsupported inference preset name %s", name);
			return;
		}
		model_rules_resolve(a, name, a->w.access_secret, "inference.preset");
		if (a->model_failed)
			return;
		runtime(a, name);
		access(a);
		access_mode(a, preset);
	}
	adapter_rules_create(a);
}
