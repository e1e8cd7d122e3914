/* adapter_config.c: the configuration side of a PEFT adapter. PEFT has many variants that reuse the same file names; loading
 * one of them as plain LoRA would give wrong answers without any error, so every key that changes the arithmetic must
 * hold its neutral value here. */
#include "model/adapter_config.h"

#include "base/fd.h"
#include "base/limits.h"
#include <math.h>

/* Keys that must be absent, null, false, zero or empty. To refuse another variant: a row here. */
static const struct { const char *key, *what; } NEUTRAL[] = {
	{"alora_invocation_tokens", "activated LoRA"},
	{"fan_in_fan_out", "transposed weights"},
	{"layer_replication", "replicated layers"},
	{"lora_bias", "a bias on lora_B"},
	{"modules_to_save", "fully trained modules"},
	{"target_parameters", "LoRA on raw parameters"},
	{"trainable_token_indices", "trained token embeddings"},
	{"use_bdlora", "block-diagonal LoRA"},
	{"use_dora", "DoRA"},
	{"use_qalora", "QA-LoRA"},
	{"velora_config", "VeLoRA"},
};

static bool is_neutral(const json_t *j)
{
	if (j == NULL || json_is_null(j) || json_is_false(j))
		return true;
	if (json_is_array(j) || json_is_object(j))
		return json_is_array(j) ? json_array_size(j) == 0 : json_object_size(j) == 0;
	return json_is_number(j) && json_number_value(j) == 0;
}

/* PEFT matches a pattern key as a regular expression against the end of the module path. Plain names and dots are what it
 * writes; anything else is refused rather than misread. */
static int check_patterns(const json_t *patterns, const char *name, struct err *err)
{
	const char *key;
	json_t *value;
	if (patterns == NULL || json_is_null(patterns))
		return 0;
	if (!json_is_object(patterns))
		return err_set(err, ERR_MODEL, "adapter_config.json: '%s' is not an object", name);
	json_object_foreach((json_t *)patterns, key, value)
	{
		if (!json_is_number(value) || !(json_number_value(value) > 0))
			return err_set(err, ERR_MODEL, "adapter_config.json: '%s' of '%.80s' is not a positive number", name, key);
		if (strpbrk(key, "*+?()[]{}|\\$") != NULL)
			return err_set(err, ERR_MODEL, "adapter_config.json: '%s' key '%.80s' is a regular expression; write module names out", name, key);
	}
	return 0;
}

static int check_scale(struct adapter_config *c, struct err *err)
{
	const json_t *rank = json_object_get(c->json, "r"), *alpha = json_object_get(c->json, "lora_alpha");
	if (!json_is_integer(rank) || json_integer_value(rank) < 1 || json_integer_value(rank) > LIMIT_LORA_RANK)
		return err_set(err, ERR_MODEL, "adapter_config.json: 'r' must be a whole number from 1 to %d", LIMIT_LORA_RANK);
	if (!json_is_number(alpha) || !isfinite(json_number_value(alpha)))
		return err_set(err, ERR_MODEL, "adapter_config.json: 'lora_alpha' must be a number");
	c->rank = (int32_t)json_integer_value(rank);
	c->alpha = json_number_value(alpha);
	c->rslora = json_is_true(json_object_get(c->json, "use_rslora"));
	if (check_patterns(json_object_get(c->json, "rank_pattern"), "rank_pattern", err) < 0)
		return -1;
	return check_patterns(json_object_get(c->json, "alpha_pattern"), "alpha_pattern", err);
}

static int check(struct adapter_config *c, struct err *err)
{
	const char *type = json_string_value(json_object_get(c->json, "peft_type"));
	const char *bias = json_string_value(json_object_get(c->json, "bias"));
	if (type == NULL || strcmp(type, "LORA") != 0)
		return err_set(err, ERR_MODEL, "adapter_config.json: peft_type is '%.40s', only LORA is supported", type ? type : "missing");
	if (bias && strcmp(bias, "none") != 0)
		return err_set(err, ERR_MODEL, "adapter_config.json: bias '%.40s' is not supported, only none", bias);
	for (size_t i = 0; i < sizeof NEUTRAL / sizeof NEUTRAL[0]; i++)
		if (!is_neutral(json_object_get(c->json, NEUTRAL[i].key)))
			return err_set(err, ERR_MODEL, "adapter_config.json: '%s' (%s) is not supported", NEUTRAL[i].key, NEUTRAL[i].what);
	return check_scale(c, err);
}

int adapter_config_open(struct adapter_config *c, const char *folder, struct err *err)
{
	char *path CLEANUP(mem_freep) = fd_join(folder, "adapter_config.json");
	struct buf text CLEANUP(buf_done) = {0};
	json_error_t where;
	if (fd_read_file(path, LIMIT_YAML_BYTES, &text, err) < 0)
		return err_wrap(err, "no adapter in '%s'", folder);
	json_t *json = json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(json)) {
		json_decref(json);
		return err_set(err, ERR_MODEL, "%s line %d: %s", path, where.line, json ? "not an object" : where.text);
	}
	c->json = json;
	if (check(c, err) < 0) {
		adapter_config_done(c);
		return -1;
	}
	return 0;
}

void adapter_config_done(struct adapter_config *c)
{
	json_decref(c->json);
	c->json = NULL;
}

static bool matches(const char *pattern, const char *path)
{
	if (pattern[0] == '^')
		return strcmp(pattern + 1, path) == 0;
	return str_ends(str_of(path), str_of(pattern)) && (strlen(path) == strlen(pattern) || path[strlen(path) - strlen(pattern) - 1] == '.');
}

/* The first key that matches wins, as in PEFT. */
static double pattern_value(const struct adapter_config *c, const char *name, const char *path, double fallback)
{
	const char *key;
	json_t *value;
	json_object_foreach(json_object_get(c->json, name), key, value)
	{
		if (matches(key, path))
			return json_number_value(value);
	}
	return fallback;
}

int32_t adapter_config_rank(const struct adapter_config *c, const char *module_path)
{
	double r = pattern_value(c, "rank_pattern", module_path, c->rank);
	return r <= LIMIT_LORA_RANK ? (int32_t)r : 0;
}

double adapter_config_alpha(const struct adapter_config *c, const char *module_path)
{
	return pattern_value(c, "alpha_pattern", module_path, c->alpha);
}
