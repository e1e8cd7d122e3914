/* config_file.c: see config_file.h. vLLM writes its flags with dashes, its Python fields with underscores: both are read. */
#include "serve/config_file.h"

#include "codec/json.h"
#include "codec/yaml.h"
#include <stddef.h>

enum kind { TEXT, WHOLE, SECONDS, SWITCH };
struct key { const char *name; enum kind kind; size_t offset; double min, max; };
#define AT(member) offsetof(struct serve_settings, member)
/* To honour another key: a row. */
static const struct key KEYS[] = {
	{"chat-template", TEXT, AT(chat_template), 0, 0},
	{"dtype", TEXT, AT(dtype), 0, 0},
	{"host", TEXT, AT(host), 0, 0},
	{"kaito-adapters-dir", TEXT, AT(adapters_dir), 0, 0},
	{"kaito-disable-rate-limit", SWITCH, AT(no_rate_limit), 0, 0},
	{"max-model-len", WHOLE, AT(max_model_len), 0, 1e9},
	{"max-num-seqs", WHOLE, AT(max_num_seqs), 1, 256},
	{"port", WHOLE, AT(port), 0, 65535},
	{"request-timeout", SECONDS, AT(request_timeout_s), 0, 1e6},
	{"served-model-name", TEXT, AT(served_model_name), 0, 0},
	{"threads", WHOLE, AT(threads), 0, 4096},
};

static bool same_key(const char *given, const char *name)
{
	for (; *given && *name; given++, name++)
		if (*given != *name && !(*given == '_' && *name == '-'))
			return false;
	return *given == *name;
}

static const struct key *find(const char *given)
{
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		if (same_key(given, KEYS[i].name))
			return &KEYS[i];
	return NULL;
}

/* Numbers may be quoted; "auto" is vLLM's word for its own choice, 0 is ours. */
static bool as_number(const json_t *v, double *out)
{
	if (json_is_number(v)) {
		*out = json_number_value(v);
		return true;
	}
	*out = 0;
	return json_is_string(v) && (strcmp(json_string_value(v), "auto") == 0 || str_to_f64(str_of(json_string_value(v)), out));
}

static int wrong(const char *path, uint32_t line, const struct key *k, const char *want, const json_t *v, struct err *err)
{
	return err_set(err, ERR_CONFIG, "'%s' line %u: vllm.%s must be %s, not %s", path, line, k->name, want, json_type_name(v));
}

static int read_key(const char *path, uint32_t line, const struct key *k, const json_t *v, struct serve_settings *out, struct err *err)
{
	void *at = (char *)out + k->offset;
	double number;
	switch (k->kind) {
	case TEXT:
		if (!json_is_string(v))
			return wrong(path, line, k, "text", v, err);
		*(const char **)at = mem_strdup(json_string_value(v));
		return 0;
	case SWITCH:
		if (!json_is_boolean(v))
			return wrong(path, line, k, "true or false", v, err);
		*(bool *)at = json_is_true(v);
		return 0;
	case WHOLE:
	case SECONDS:
		if (!as_number(v, &number))
			return wrong(path, line, k, "a number", v, err);
		if (number < k->min || number > k->max)
			return err_set(err, ERR_CONFIG, "'%s' line %u: vllm.%s must be between %g and %g", path, line, k->name, k->min, k->max);
		if (k->kind == WHOLE)
			*(int64_t *)at = (int64_t)number;
		else
			*(double *)at = number;
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "configuration key '%s' has no kind", k->name);
}

static void note_ignored(struct buf *ignored, const char *prefix, const char *key)
{
	buf_printf(ignored, "%s%s%s", ignored->len ? ", " : "", prefix, key);
}

static int read_map(const char *path, json_t *map, const struct yaml_mark *mark, struct serve_settings *out, struct buf *ignored, struct err *err)
{
	const char *name;
	json_t *v;
	size_t i = 0;
	json_object_foreach(map, name, v) {
		const struct key *k = find(name);
		uint32_t line = yaml_mark_child(mark, i++)->line;
		if (!k)
			note_ignored(ignored, "vllm.", name);
		else if (read_key(path, line, k, v, out, err) < 0)
			return -1;
	}
	return 0;
}

int serve_config_read(const char *path, struct serve_settings *out, struct buf *ignored, struct err *err)
{
	CLEANUP(yaml_doc_done) struct yaml_doc doc = {0};
	struct serve_settings read = *out;
	const char *name;
	json_t *v;
	size_t i = 0;
	if (yaml_parse_file(&doc, path, err) < 0)
		return -1;
	if (!json_is_object(doc.root) && !json_is_null(doc.root))
		return err_set(err, ERR_CONFIG, "'%s': must be a mapping, not %s", path, json_type_name(doc.root));
	json_object_foreach(doc.root, name, v) {
		const struct yaml_mark *mark = yaml_mark_child(&doc.mark, i++);
		if (strcmp(name, "vllm") != 0) {
			note_ignored(ignored, "", name);
			continue;
		}
		if (!json_is_object(v) && !json_is_null(v))
			return err_set(err, ERR_CONFIG, "'%s' line %u: vllm must be a mapping, not %s", path, mark->line, json_type_name(v));
		if (read_map(path, v, mark, &read, ignored, err) < 0)
			return -1;
	}
	*out = read;
	return 0;
}
