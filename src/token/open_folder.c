/* open_folder.c: a tokenizer from a Hugging Face folder: tokenizer.json, and what the files beside it say about
 * special tokens, the chat template and the ends of a generation. */
#include "token/tokenizer_impl.h"

#include "base/fd.h"
#include "codec/json.h"

/* A file beside tokenizer.json; NULL when there is none. */
static int read_optional(json_t **out, const char *folder, const char *name, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, name);
	*out = NULL;
	if (!fd_exists(path))
		return 0;
	if (json_parse_file(out, path, err) < 0)
		return -1;
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(err, ERR_MODEL, "'%s' is not a JSON object", path);
}

/* "<s>" or {"content": "<s>", ...}. */
static str content_of(const json_t *owner, const char *key)
{
	const json_t *value = json_object_get(owner, key);
	if (json_is_object(value))
		value = json_object_get(value, "content");
	return json_is_string(value) ? (str){json_string_value(value), json_string_length(value)} : STR("");
}

/* Tokens that these files call special are special even where tokenizer.json does not say so. */
static void make_special(struct tokenizer *t, int32_t id)
{
	uint8_t *flags = &t->vocab.flags[id];
	if (!(*flags & (TOKEN_SPECIAL | TOKEN_USER)))
		added_put(&t->added, (struct added_token){.content = vocab_at(&t->vocab, id), .id = id, .special = true});
	*flags |= TOKEN_SPECIAL | TOKEN_UNMERGED;
}

static void read_named(struct tokenizer *t, const json_t *owner)
{
	const struct { const char *key; int32_t *id; } NAMED[] = {{"bos_token", &t->bos}, {"eos_token", &t->eos}, {"pad_token", &t->pad}};
	for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++) {
		str content = content_of(owner, NAMED[i].key);
		int32_t id = content.len ? vocab_find(&t->vocab, content) : -1;
		if (id < 0)
			continue;
		make_special(t, id);
		if (*NAMED[i].id < 0)
			*NAMED[i].id = id;
	}
}

/* bos_token_id, eos_token_id (a number or a list, each of which ends a generation), pad_token_id. */
static void read_ids(struct tokenizer *t, const json_t *owner)
{
	const struct { const char *key; int32_t *id; bool ends; } NAMED[] = {
		{"bos_token_id", &t->bos, false}, {"eos_token_id", &t->eos, true}, {"pad_token_id", &t->pad, false}};
	for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++) {
		const json_t *value = json_object_get(owner, NAMED[i].key);
		size_t n = json_is_array(value) ? json_array_size(value) : 1;
		for (size_t k = 0; k < n; k++) {
			const json_t *one = json_is_array(value) ? json_array_get(value, k) : value;
			if (!json_is_integer(one) || json_integer_value(one) < 0 || json_integer_value(one) >= t->vocab.count)
				continue;
			if (*NAMED[i].id < 0)
				*NAMED[i].id = (int32_t)json_integer_value(one);
			if (NAMED[i].ends)
				tokenizer_mark_eog(t, json_integer_value(one));
		}
	}
}

/* These classes put BOS and EOS by flags of tokenizer_config.json, over what tokenizer.json's post-processor says. */
static int read_add_flags(struct tokenizer *t, const json_t *config, struct err *err)
{
	static const char *const CLASSES[] = {"Llama", "CodeLlama", "Gemma", "Cohere"};
	const char *class = "";
	if (json_get_string(config, "tokenizer_class", "tokenizer_config.json", &class, err) < 0)
		return -1;
	bool applies = false;
	for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++)
		applies = applies || strncmp(class, CLASSES[i], strlen(CLASSES[i])) == 0;
	const json_t *bos = json_object_get(config, "add_bos_token"), *eos = json_object_get(config, "add_eos_token");
	if (!applies)
		return 0;
	if (json_is_boolean(bos)) {
		t->prefix.len = 0;
		if (json_is_true(bos) && t->bos >= 0)
			vec_push(&t->prefix, t->bos);
	}
	if (json_is_boolean(eos)) {
		t->suffix.len = 0;
		if (json_is_true(eos) && t->eos >= 0)
			vec_push(&t->suffix, t->eos);
	}
	return 0;
}

static void keep_template(struct tokenizer *t, str source) { t->chat_template = (str){arena_strdup(&t->arena, source), source.len}; }

/* chat_template.jinja, else chat_template: a text, or a list of {name, template} of which "default" counts. */
static int read_template(struct tokenizer *t, const char *folder, const json_t *config, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, "chat_template.jinja");
	if (fd_exists(path)) {
		struct buf source = {0};
		if (fd_read_file(path, LIMIT_TEMPLATE_BYTES, &source, err) < 0)
			return -1;
		keep_template(t, buf_str(&source));
		buf_done(&source);
		return 0;
	}
	const json_t *value = json_object_get(config, "chat_template");
	if (json_is_string(value))
		keep_template(t, (str){json_string_value(value), json_string_length(value)});
	size_t i;
	const json_t *item;
	json_array_foreach(value, i, item) {
		str source = content_of(item, "template");
		if (str_eqz(content_of(item, "name"), "default"))
			keep_template(t, source);
	}
	return 0;
}

static int read_beside(struct tokenizer *t, const char *folder, struct err *err)
{
	CLEANUP(json_decrefp) json_t *config = NULL;
	CLEANUP(json_decrefp) json_t *map = NULL;
	CLEANUP(json_decrefp) json_t *generation = NULL;
	CLEANUP(json_decrefp) json_t *model = NULL;
	if (read_optional(&config, folder, "tokenizer_config.json", err) < 0 || read_optional(&map, folder, "special_tokens_map.json", err) < 0 ||
	    read_optional(&generation, folder, "generation_config.json", err) < 0 || read_optional(&model, folder, "config.json", err) < 0)
		return -1;
	read_named(t, config);
	read_named(t, map);
	read_ids(t, generation);
	if (!json_object_get(generation, "eos_token_id"))
		read_ids(t, model);
	return read_add_flags(t, config, err) < 0 ? -1 : read_template(t, folder, config, err);
}

static int open_into(struct tokenizer *t, const char *folder, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, "tokenizer.json");
	CLEANUP(json_decrefp) json_t *json = NULL;
	if (!fd_exists(path))
		return err_set(err, ERR_NOT_FOUND, "'%s' does not exist; a tokenizer in another form has to be converted to it", path);
	if (json_parse_file_with(&json, path, &(struct json_rules){.allow_nul = true}, err) < 0)
		return -1;
	if (tokenizer_read_json(t, json, err) < 0 || read_beside(t, folder, err) < 0)
		return -1;
	return tokenizer_finish(t, err);
}

int tokenizer_open_folder(struct tokenizer **out, const char *folder, struct err *err)
{
	struct tokenizer *t = tokenizer_new();
	if (open_into(t, folder, err) < 0) {
		tokenizer_free(t);
		return err_wrap(err, "tokenizer of '%s'", folder);
	}
	*out = t;
	return 0;
}
