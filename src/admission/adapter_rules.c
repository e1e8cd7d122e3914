/* adapter_rules.c: LoRA adapters of an inference. At CREATE their number and names; at UPDATE, where upstream looks closer, each adapter
 * that is new or changed: an object that was accepted before must stay changeable elsewhere. */
#include "admission/rules.h"

#define ADAPTERS_MAX 10

static void duplicates(struct admission *a, const json_t *adapters)
{
	for (size_t i = 0; i < json_array_size(adapters); i++) {
		const json_t *source = admission_member(json_array_get(adapters, i), "source");
		for (size_t k = 0; source && k < i; k++) {
			const json_t *other = admission_member(json_array_get(adapters, k), "source");
			const char *name = admission_text(source, "name");
			if (other && strcmp(name, admission_text(other, "name")) == 0) {
				field_errors_generic(&a->errors, NULL, "Duplicate adapter source name found: %s", name);
				break;
			}
		}
	}
}

void adapter_rules_create(struct admission *a)
{
	const json_t *adapters = a->w.adapters;
	size_t n = json_array_size(adapters);
	if (n > ADAPTERS_MAX) {
		field_errors_generic(&a->errors, NULL, "Number of Adapters exceeds the maximum limit, maximum of %d allowed", ADAPTERS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!admission_member(json_array_get(adapters, i), "source"))
			field_errors_missing(&a->errors, "inference.Source");
	duplicates(a, adapters);
}

/* --- update -------------------------------------------------------------------------------------------------- */

static void source_name(struct admission *a, const char *name)
{
	if (!name[0])
		field_errors_missing(&a->errors, "inference.Name of Adapter field must be specified");
	else if (strlen(name) > 253)
		field_errors_invalid(&a->errors, "inference.adapters.source.name", "must be no more than 253 characters");
	else if (!name_is_subdomain(name))
		field_errors_invalid(&a->errors, "inference.adapters.source.name", "%s", NAME_SUBDOMAIN_WORDS);
}

static void source_place(struct admission *a, const json_t *source)
{
	const char *image = admission_text(source, "image");
	bool volume = admission_member(source, "volumeSource") != NULL, urls = json_array_size(admission_member(source, "urls")) > 0;
	char words[512];
	const char *why = image[0] ? image_rule_check(image, words, sizeof words) : NULL;
	if (why)
		field_errors_invalid(&a->errors, "inference.Adapters.Image", "Unable to parse input image reference: %s", why);
	if (!image[0] && !volume)
		field_errors_generic(&a->errors, "inference.adapters.source", "Either Image or Volume must be specified for adapter source");
	if (urls)
		field_errors_generic(&a->errors, "inference.adapters.source.urls", "URLs are not supported as adapter source");
	if ((image[0] != 0) + volume + urls != 1) {
		field_errors_generic(&a->errors, "inference.Adapters.URLs", "Exactly one of URLs, Volume, or Image must be specified");
		field_errors_also(&a->errors, "inference.Adapters.Volume");
		field_errors_also(&a->errors, "inference.Adapters.Image");
	}
}

static void strength(struct admission *a, const char *name, const json_t *value)
{
	const char *text = json_string_value(value);
	double v;
	if (!text)
		return;
	if (!str_to_f64(str_of(text), &v))
		field_errors_generic(&a->errors, "inference.adapter",
				     "Invalid strength value for Adapter '%s': strconv.ParseFloat: parsing \"%s\": invalid syntax", name, text);
	else if (!(v >= 0 && v <= 1))
		field_errors_generic(&a->errors, "inference.adapter", "Strength value for Adapter '%s' must be between 0 and 1", name);
}

static bool is_in(const json_t *list, const json_t *item)
{
	size_t i;
	json_t *other;
	json_array_foreach((json_t *)list, i, other)
		if (json_equal(other, item))
			return true;
	return false;
}

void adapter_rules_update(struct admission *a, const json_t *old_adapters)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)a->w.adapters, i, item) {
		const json_t *source = admission_member(item, "source");
		if (is_in(old_adapters, item))
			continue;
		if (!source) {
			field_errors_missing(&a->errors, "inference.Source");
			continue;
		}
		source_name(a, admission_text(source, "name"));
		source_place(a, source);
		strength(a, admission_text(source, "name"), admission_member(item, "strength"));
	}
	if (!json_equal(a->w.adapters, old_adapters)) {
		if (json_array_size(a->w.adapters) > ADAPTERS_MAX)
			field_errors_generic(&a->errors, NULL, "Number of Adapters exceeds the maximum limit, maximum of %d allowed", ADAPTERS_MAX);
		else
			duplicates(a, a->w.adapters);
	}
}
