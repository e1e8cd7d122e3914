/* select.c: see select.h. Model repositories often hold the same weights several times (safetensors, pickles, ONNX, the
 * authors' own format in a sub-folder); only what our loader reads is fetched, from the top folder. */
#include "hub/select.h"

#include "base/limits.h"
#include "codec/json.h"
#include "hub/source.h"

/* To want another kind of file: a row. */
static const char *const MODEL_SUFFIXES[] = {".json", ".jinja", ".model", ".txt", ".tiktoken"};
static const char *const DATA_SUFFIXES[] = {".parquet", ".arrow", ".feather", ".json", ".jsonl", ".csv"};
static const char *const PICKLES[] = {".bin", ".pth", ".pt", ".ckpt", ".h5", ".msgpack", ".onnx"};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

void name_list_done(name_list *names)
{
	for (size_t i = 0; i < names->len; i++)
		free(names->data[i]);
	vec_done(names);
}

static bool ends_with(const char *name, const char *suffix) { return str_ends(str_of(name), str_of(suffix)); }

static bool ends_with_any(const char *name, const char *const *suffixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ends_with(name, suffixes[i]))
			return true;
	return false;
}

static bool is_top(const char *name) { return !strchr(name, '/') && name[0] != '.'; }

static bool has(const name_list *names, const char *name)
{
	for (size_t i = 0; i < names->len; i++)
		if (strcmp(names->data[i], name) == 0)
			return true;
	return false;
}

static void add(name_list *out, const char *name) { vec_push(out, mem_strdup(name)); }

bool select_needs_index(const name_list *all) { return has(all, SELECT_INDEX); }

static void add_small_files(const name_list *all, name_list *out)
{
	for (size_t i = 0; i < all->len; i++)
		if (is_top(all->data[i]) && ends_with_any(all->data[i], MODEL_SUFFIXES, COUNT(MODEL_SUFFIXES)))
			add(out, all->data[i]);
}

/* Returns how many were added. */
static size_t add_safetensors(const name_list *all, name_list *out)
{
	size_t before = out->len;
	if (has(all, "model.safetensors")) { /* others beside it hold the same weights in another form */
		add(out, "model.safetensors");
		return 1;
	}
	for (size_t i = 0; i < all->len; i++)
		if (is_top(all->data[i]) && ends_with(all->data[i], ".safetensors"))
			add(out, all->data[i]);
	return out->len - before;
}

static int add_gguf(const name_list *all, name_list *out, struct err *err)
{
	const char *only = NULL;
	size_t n = 0, pickles = 0;
	for (size_t i = 0; i < all->len; i++) {
		pickles += ends_with_any(all->data[i], PICKLES, COUNT(PICKLES));
		if (!ends_with(all->data[i], ".gguf"))
			continue;
		only = only ? only : all->data[i];
		n++;
	}
	if (n > 1)
		return err_set(err, ERR_USAGE, "the repository has %zu GGUF files; name one, as in hf://ORG/NAME/%.100s", n, only);
	if (n == 0 && pickles)
		return err_set(err, ERR_UNSUPPORTED, "the repository has neither safetensors nor GGUF, only formats that are not read here (.bin, .pth, .onnx …)");
	if (n == 0)
		return err_set(err, ERR_NOT_FOUND, "the repository has no model files (safetensors or GGUF)");
	add(out, only);
	return 0;
}

int select_model(const name_list *all, const name_list *shards, name_list *out, struct err *err)
{
	size_t weights = 0;
	if (shards) {
		for (size_t i = 0; i < shards->len; i++) {
			if (!has(all, shards->data[i]))
				return err_set(err, ERR_MODEL, "%s names '%.100s', which the repository does not have", SELECT_INDEX, shards->data[i]);
			add(out, shards->data[i]);
		}
		weights = shards->len;
	} else {
		weights = add_safetensors(all, out);
	}
	if (weights == 0)
		return add_gguf(all, out, err);
	add_small_files(all, out);
	return 0;
}

int select_dataset(const name_list *all, name_list *out, struct err *err)
{
	for (size_t i = 0; i < all->len; i++)
		if (all->data[i][0] != '.' && ends_with_any(all->data[i], DATA_SUFFIXES, COUNT(DATA_SUFFIXES)))
			add(out, all->data[i]);
	if (out->len == 0)
		return err_set(err, ERR_NOT_FOUND, "the data set has no parquet, Arrow, JSON, JSON Lines or CSV files");
	return 0;
}

static void decref(json_t **value) { json_decref(*value); }

int select_read_index(str text, name_list *out, struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	const json_t *map = NULL;
	if (json_parse(&root, text, SELECT_INDEX, err) < 0)
		return -1;
	if (!json_is_object(root))
		return err_set(err, ERR_MODEL, "%s is not a JSON object", SELECT_INDEX);
	if (json_require(root, "weight_map", "", err) < 0 || json_get_object(root, "weight_map", "", &map, err) < 0)
		return err_wrap(err, "%s", SELECT_INDEX);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)map, key, value) {
		const char *name = json_string_value(value);
		if (!name || !source_path_is_safe(name) || !ends_with(name, ".safetensors"))
			return err_set(err, ERR_MODEL, "%s: weight_map.%.80s is not the name of a safetensors file", SELECT_INDEX, key);
		if (out->len && strcmp(out->data[out->len - 1], name) == 0)
			continue;
		if (has(out, name))
			continue;
		if (out->len >= LIMIT_SHARDS)
			return err_set(err, ERR_LIMIT, "%s names more than %d files", SELECT_INDEX, LIMIT_SHARDS);
		add(out, name);
	}
	return 0;
}
