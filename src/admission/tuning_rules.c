/* tuning_rules.c: the tuning section at CREATE: method, input, output, preset. */
#include "admission/rules.h"

#include <strings.h>

static void method(struct admission *a, const char *method)
{
	if (strcasecmp(method, "lora") != 0 && strcasecmp(method, "qlora") != 0)
		field_errors_invalid(&a->errors, "tuning.Method", "%s", method);
	else if (strcmp(method, strcasecmp(method, "lora") == 0 ? "lora" : "qlora") != 0)
		admission_warn(a, "tuning.method '%s' is read as lower case", method);
}

/* --- input --------------------------------------------------------------------------------------------------- */

static void urls(struct admission *a, const json_t *urls)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)urls, i, item) {
		const char *url = json_string_value(item);
		const char *why = url_rule_check(url ? url : "");
		if (why)
			field_errors_invalid(&a->errors, "tuning.Input.URLs", "%s", why);
	}
}

/* The line below an error that tells which words of the example were left in. */
static void tell_placeholders(struct admission *a, const char *first, const char *second)
{
	struct buf list = {.max = 512};
	name_placeholders(str_of(first), &list);
	name_placeholders(str_of(second), &list);
	if (list.len)
		field_errors_detail(&a->errors, "replace the example's placeholders by your own values: %s", list.data);
	buf_done(&list);
}

/* secret: named beside the image, "" when none. */
static bool image(struct admission *a, const char *path, const char *which, const char *image, const char *secret)
{
	char words[512];
	const char *why = image_rule_check(image, words, sizeof words);
	if (!why)
		return true;
	field_errors_invalid(&a->errors, path, "Unable to parse %s image reference: %s", which, why);
	tell_placeholders(a, image, secret);
	return false;
}

static void input(struct admission *a, const json_t *in)
{
	const json_t *list = admission_member(in, "urls");
	const char *name = admission_text(in, "image");
	int given = json_array_size(list) > 0;
	urls(a, list);
	if (name[0]) {
		image(a, "tuning.Input.Image", "input", name, "");
		given++;
	}
	given += admission_member(in, "volumeSource") != NULL;
	if (given != 1) {
		field_errors_generic(&a->errors, "tuning.Input.URLs", "Exactly one of URLs, Volume, or Image must be specified");
		field_errors_also(&a->errors, "tuning.Input.Volume");
		field_errors_also(&a->errors, "tuning.Input.Image");
	}
}

/* --- output -------------------------------------------------------------------------------------------------- */

/* A Secret's name is lower case, so that a placeholder in capitals can never exist. */
static void push_secret(struct admission *a, const char *secret, bool image_ok)
{
	if (secret[0] == 0) {
		field_errors_missing(&a->errors, "tuning.Output.Must specify imagePushSecret with destination image");
	} else if (image_ok && !name_is_subdomain(secret)) {
		struct buf list = {.max = 512};
		name_placeholders(str_of(secret), &list);
		if (list.len) {
			field_errors_invalid(&a->errors, "tuning.Output.ImagePushSecret", "%s", secret);
			tell_placeholders(a, secret, "");
		} else {
			admission_warn(a, "tuning.output.imagePushSecret '%s' is not a possible name of a Secret", secret);
		}
		buf_done(&list);
	}
}

static void output(struct admission *a, const json_t *out)
{
	const char *name = admission_text(out, "image");
	int given = 0;
	if (name[0]) {
		const char *secret = admission_text(out, "imagePushSecret");
		push_secret(a, secret, image(a, "tuning.Output.Image", "output", name, secret));
		given++;
	}
	given += admission_member(out, "volumeSource") != NULL;
	if (given != 1)
		field_errors_missing(&a->errors, "tuning.Output.Exactly one of Volume or Image must be specified");
}

/* --- preset -------------------------------------------------------------------------------------------------- */

static void append_tunable(struct buf *out)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		if (m->tunable)
			buf_printf(out, "%s%s", out->len ? ", " : "", m->alias ? m->alias : m->id);
	}
}

/* Native pods tune whatever this program's engine reads; the others need upstream's tuning image. */
static void tunable(struct admission *a, const char *preset)
{
	const struct catalog_model *m = catalog_model_find(preset);
	if ((m && m->tunable) || a->w.runtime == RUNTIME_NATIVE)
		return;
	struct buf list = {0};
	append_tunable(&list);
	field_errors_invalid(&a->errors, "tuning.presetName", "Unsupported tuning preset name %s", preset);
	field_errors_detail(&a->errors, "it cannot be tuned with this runtime; presets that can: %s", buf_str(&list).data);
	buf_done(&list);
}

static void preset(struct admission *a, const json_t *preset)
{
	const char *name = admission_text(preset, "name");
	if (!preset)
		field_errors_missing(&a->errors, "tuning.Preset");
	else if (!model_rules_name_ok(name))
		field_errors_invalid(&a->errors, "tuning.presetName", "Unsupported tuning preset name %s", name);
	else
		tunable(a, name);
}

void tuning_rules_create(struct admission *a)
{
	const json_t *t = a->w.tuning;
	method(a, admission_text(t, "method"));
	config_rules_tuning(a);
	if (admission_member(t, "input"))
		input(a, admission_member(t, "input"));
	else
		field_errors_missing(&a->errors, "tuning.Input");
	if (admission_member(t, "output"))
		output(a, admission_member(t, "output"));
	else
		field_errors_missing(&a->errors, "tuning.Output");
	preset(a, admission_member(t, "preset"));
}
