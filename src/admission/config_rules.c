/* config_rules.c: the ConfigMaps that a Workspace names: they exist, their YAML reads, and the values that decide how pods start are of
 * the right kind. Texts of YAML errors are those of the Go library that clients know. */
#include "admission/rules.h"
#include "codec/yaml.h"

#include <strings.h>

#define INFERENCE_KEY "inference_config.yaml"
#define TRAINING_KEY "training_config.yaml"

/* "'name' line 2 column 1: why" -> "yaml: line 1: why". Go counts the lines of a parser's error from zero, those of its scanner from one. */
static void yaml_words(const char *message, char *out, size_t size)
{
	const char *line = strstr(message, "' line "), *why = line ? strstr(line, ": ") : NULL;
	long n = line ? strtol(line + 7, NULL, 10) : 0;
	if (!why) {
		snprintf(out, size, "yaml: %s", message);
		return;
	}
	n -= strncmp(why + 2, "did not find expected", 21) == 0;
	if (n > 0)
		snprintf(out, size, "yaml: line %ld%s", n, why);
	else
		snprintf(out, size, "yaml%s", why);
}

/* Reads the ConfigMap; false after an error (told with the `shown` name) or when nothing can be looked up. */
static bool read_map(struct admission *a, struct field_errors *errors, const char *namespace_, const char *name, const char *shown, json_t **out)
{
	struct err err = ERR_INIT;
	enum admission_found found = admission_get(a, "ConfigMap", namespace_, name, out, &err);
	if (found == ADMISSION_ABSENT)
		field_errors_generic(errors, "config", "ConfigMap '%s' specified in 'config' not found in namespace '%s'", shown, namespace_);
	else if (found == ADMISSION_FAILED)
		field_errors_generic(errors, "config", "Failed to get ConfigMap '%s' in namespace '%s': %s", shown, namespace_, err.message);
	return found == ADMISSION_FOUND;
}

static const char *map_text(const json_t *map, const char *key) { return json_text_at(map, NULL, "data", key, NULL); }

/* --- inference ----------------------------------------------------------------------------------------------- */

static const char *tag_of(const json_t *value)
{
	return json_is_object(value) ? "!!map" : json_is_array(value) ? "!!seq" : json_is_string(value) ? "!!str" : json_is_boolean(value) ? "!!bool" : "!!int";
}

static void wrong_type(struct admission *a, uint32_t line, const json_t *value, const char *wanted)
{
	const char *text = json_string_value(value);
	field_errors_generic(&a->errors, INFERENCE_KEY, "Failed to parse " INFERENCE_KEY ": yaml: unmarshal errors:\n  line %u: cannot unmarshal %s%s%.64s%s into %s",
			     line, tag_of(value), text ? " `" : "", text ? text : "", text ? "`" : "", wanted);
}

static bool scalars(struct admission *a, const json_t *vllm, const struct yaml_mark *mark)
{
	size_t i = 0;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)vllm, key, value) {
		if (json_is_object(value) || json_is_array(value)) {
			wrong_type(a, yaml_mark_child(mark, i)->line, value, "string");
			return false;
		}
		i++;
	}
	return true;
}

static void max_model_len(struct admission *a, const json_t *value)
{
	char text[64] = "";
	int64_t n;
	if (json_is_integer(value))
		snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
	else if (json_is_string(value)) {
		str trimmed = str_trim(str_of(json_string_value(value)));
		snprintf(text, sizeof text, "%.*s", (int)(trimmed.len > 60 ? 60 : trimmed.len), trimmed.data);
	} else if (json_is_real(value))
		snprintf(text, sizeof text, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
	if (!text[0] || !a->model)
		return;
	if (!str_to_i64(str_of(text), &n))
		field_errors_invalid(&a->errors, "max-model-len", "max-model-len must be an integer: strconv.Atoi: parsing \"%s\": invalid syntax", text);
	else if (a->model->context_tokens > 0 && n > a->model->context_tokens)
		field_errors_invalid(&a->errors, "max-model-len", "max-model-len %lld exceeds model's maximum supported context window %lld (ModelTokenLimit)",
				     (long long)n, (long long)a->model->context_tokens);
}

static void inference_document(struct admission *a, const struct yaml_doc *doc)
{
	if (json_is_null(doc->root))
		return;
	if (!json_is_object(doc->root)) {
		wrong_type(a, doc->mark.line, doc->root, "v1beta1.InferenceConfig");
		return;
	}
	size_t i = 0;
	const char *key;
	json_t *value;
	json_object_foreach(doc->root, key, value) {
		if (strcmp(key, "vllm") == 0 && !json_is_null(value)) {
			if (!json_is_object(value))
				wrong_type(a, yaml_mark_child(&doc->mark, i)->line, value, "map[string]string");
			else if (scalars(a, value, yaml_mark_child(&doc->mark, i)))
				max_model_len(a, json_object_get(value, "max-model-len"));
		}
		i++;
	}
}

void config_rules_inference(struct admission *a)
{
	if (!a->w.config[0] || a->w.runtime != RUNTIME_VLLM)
		return;
	json_t *map = NULL;
	if (!read_map(a, &a->errors, a->namespace_, a->w.config, a->w.config, &map))
		return;
	const char *text = map_text(map, INFERENCE_KEY);
	struct yaml_doc doc;
	struct err err = ERR_INIT;
	if (!text) {
		field_errors_missing(&a->errors, INFERENCE_KEY " in ConfigMap");
	} else if (yaml_parse(&doc, str_of(text), INFERENCE_KEY, &err) < 0) {
		char words[ERR_MESSAGE_MAX + 16];
		yaml_words(err.message, words, sizeof words);
		field_errors_generic(&a->errors, INFERENCE_KEY, "Failed to parse " INFERENCE_KEY ": %s", words);
	} else {
		inference_document(a, &doc);
		yaml_doc_done(&doc);
	}
	json_decref(map);
}

/* --- tuning -------------------------------------------------------------------------------------------------- */

/* What the three checks of a training config share. */
struct training { struct field_errors *errors; const char *name, *namespace_; bool lora, qlora; };

static void sections(const struct training *t, const json_t *config)
{
	static const char *const KNOWN[] = {"ModelConfig", "QuantizationConfig", "LoraConfig", "TrainingArguments", "DatasetConfig", "DataCollator"};
	const char *key;
	json_t *value;
	if (!json_is_object(config)) {
		field_errors_invalid(t->errors, TRAINING_KEY, "Expected 'training_config' key to contain a map");
		return;
	}
	json_object_foreach((json_t *)config, key, value) {
		bool known = false;
		for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
			known = known || strcmp(KNOWN[i], key) == 0;
		if (!known) {
			field_errors_invalid(t->errors, TRAINING_KEY, "Unrecognized section: %s", key);
			return;
		}
	}
}

static const char *go_type(const json_t *value)
{
	return json_is_string(value) ? "string" : json_is_integer(value) ? "int" : json_is_real(value) ? "float64" : json_is_array(value) ? "[]interface {}" : "map[string]interface {}";
}

/* -1 not a boolean (told), 0 absent, null or false, 1 true. */
static int nil_or_bool(const struct training *t, const json_t *section, const char *key)
{
	const json_t *value = json_object_get(section, key);
	if (!value || json_is_null(value) || json_is_boolean(value))
		return json_is_true(value);
	field_errors_invalid(t->errors, key, "value must be either nil or a boolean, got type %s", go_type(value));
	return -1;
}

static void quantization(const struct training *t, const json_t *config)
{
	const json_t *section = json_object_get(config, "QuantizationConfig");
	int bits4 = nil_or_bool(t, section, "load_in_4bit"), bits8 = bits4 < 0 ? -1 : nil_or_bool(t, section, "load_in_8bit");
	if (bits4 < 0 || bits8 < 0)
		return;
	if (bits4 && bits8) {
		field_errors_generic(t->errors, "QuantizationConfig", "Cannot set both 'load_in_4bit' and 'load_in_8bit' to true in ConfigMap '%s'", t->name);
	} else if (t->lora && (bits4 || bits8)) {
		field_errors_generic(t->errors, "QuantizationConfig", "For method 'lora', 'load_in_4bit' or 'load_in_8bit' in ConfigMap '%s' must not be true",
				     t->name);
	} else if (t->qlora && !bits4 && !bits8) {
		char path[512];
		snprintf(path, sizeof path, "For method 'qlora', either 'load_in_4bit' or 'load_in_8bit' must be true in ConfigMap '%.256s'", t->name);
		field_errors_missing(t->errors, path);
		field_errors_also(t->errors, "QuantizationConfig");
	}
}

/* Whether /mnt/dir, cleaned as a path, lies strictly below /mnt: no step may lead above it, and something must remain. */
static bool below_mount(const char *dir)
{
	str s = str_of(dir);
	size_t depth = 1; /* "/mnt" */
	bool inside = true;
	for (size_t at = 0; at <= s.len; at++) {
		size_t end = str_find(s, '/', at);
		str part = str_sub(s, at, end);
		if (str_eqz(part, ".."))
			depth -= depth > 0;
		else if (part.len && !str_eqz(part, "."))
			depth++;
		inside = inside && depth >= 1;
		at = end;
	}
	return inside && depth > 1;
}

static void output_dir(const struct training *t, const json_t *config)
{
	const json_t *value = json_object_get(json_object_get(config, "TrainingArguments"), "output_dir");
	if (!value || json_is_null(value))
		return;
	if (!json_is_string(value))
		field_errors_invalid(t->errors, "output_dir", "output_dir is not a string in ConfigMap '%s' in namespace '%s'", t->name, t->namespace_);
	else if (!below_mount(json_string_value(value)))
		field_errors_invalid(t->errors, "output_dir", "Invalid output_dir specified: '%s', must be a directory", json_string_value(value));
}

static void training_text(const struct training *t, const char *text)
{
	struct yaml_doc doc;
	struct err err = ERR_INIT;
	if (!text) {
		field_errors_generic(t->errors, "config", "ConfigMap '%s' does not contain '" TRAINING_KEY "' in namespace '%s'", t->name, t->namespace_);
		field_errors_missing(t->errors, TRAINING_KEY " in ConfigMap");
	} else if (yaml_parse(&doc, str_of(text), TRAINING_KEY, &err) < 0) {
		char words[ERR_MESSAGE_MAX + 16];
		yaml_words(err.message, words, sizeof words);
		field_errors_generic(t->errors, "config", "Failed to parse '" TRAINING_KEY "' in ConfigMap '%s' in namespace '%s': %s", t->name, t->namespace_, words);
		field_errors_invalid(t->errors, TRAINING_KEY, "%s", words);
	} else {
		const json_t *config = json_object_get(doc.root, "training_config");
		sections(t, config);
		quantization(t, config);
		output_dir(t, config);
		yaml_doc_done(&doc);
	}
}

/* The template that a tuning without an own config uses. A lost one is no error: the controller has its text built in. */
static bool read_template(struct admission *a, struct field_errors *errors, const char *name, json_t **out)
{
	struct err err = ERR_INIT;
	enum admission_found found = admission_get(a, "ConfigMap", a->o->release_namespace, name, out, &err);
	if (found == ADMISSION_ABSENT)
		admission_warn(a, "ConfigMap %s is missing in namespace %s: the built-in values are used", name, a->o->release_namespace);
	else if (found == ADMISSION_FAILED)
		field_errors_generic(errors, "config", "Failed to get ConfigMap '' in namespace '%s': %s", a->o->release_namespace, err.message);
	return found == ADMISSION_FOUND;
}

/* Without an own config: the template of the method in the release namespace. The errors become one error of tuning.Config. */
void config_rules_tuning(struct admission *a)
{
	const char *own = a->w.config, *method = a->w.method;
	bool lora = strcasecmp(method, "lora") == 0, qlora = strcasecmp(method, "qlora") == 0;
	const char *name = own[0] ? own : lora ? "lora-params-template" : qlora ? "qlora-params-template" : "";
	const char *namespace_ = own[0] ? a->namespace_ : a->o->release_namespace;
	struct field_errors inner = {0};
	struct training t = {.errors = &inner, .name = name, .namespace_ = namespace_, .lora = lora, .qlora = qlora};
	json_t *map = NULL;
	if (!name[0])
		field_errors_generic(&inner, "config", "ConfigMap '' specified in 'config' not found in namespace '%s'", namespace_);
	else if (own[0] ? read_map(a, &inner, namespace_, name, own, &map) : read_template(a, &inner, name, &map))
		training_text(&t, map_text(map, TRAINING_KEY));
	struct buf text = {.max = 2048};
	if (field_errors_print(&inner, &text))
		field_errors_generic(&a->errors, "tuning.Config", "Failed to evaluate validateConfigMap: %s", text.data);
	buf_done(&text);
	field_errors_done(&inner);
	json_decref(map);
}
