/* weights.c: opens a model's file or folder, picks the reader, indexes the tensors by name.
 * A sharded folder is read through model.safetensors.index.json, whose map must agree with the shards. */
#include "weights/weights_impl.h"

#include "codec/json.h"
#include <dirent.h>
#include <inttypes.h>

int weights_elements(const struct weights_tensor *t, const char *path, int64_t *out, struct err *err)
{
	int64_t n = 1;
	for (int32_t i = 0; i < t->n_dims; i++)
		if (__builtin_mul_overflow(n, t->shape[i], &n) || n < 0 || n > ((int64_t)1 << 48))
			return err_set(err, ERR_LIMIT, "%s: tensor '%.*s' has too many elements", path, STR_FMT(t->name));
	*out = n;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct weights_tensor *x = a, *y = b;
	uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
	if (p != q)
		return p < q ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

int weights_check_overlap(const struct weights *w, size_t from, const char *path, struct err *err)
{
	if (w->tensors.len - from < 2)
		return 0;
	struct weights_tensor *t = w->tensors.data + from;
	size_t n = w->tensors.len - from;
	qsort(t, n, sizeof *t, by_address);
	for (size_t i = 1; i < n; i++)
		if ((const unsigned char *)t[i - 1].data + t[i - 1].bytes > (const unsigned char *)t[i].data)
			return err_set(err, ERR_MODEL, "%s: tensors '%.*s' and '%.*s' overlap", path, STR_FMT(t[i - 1].name), STR_FMT(t[i].name));
	return 0;
}

static int index_names(struct weights *w, struct err *err)
{
	for (size_t i = 0; i < w->tensors.len; i++) {
		str name = w->tensors.data[i].name;
		if (map_has(&w->by_name, name))
			return err_set(err, ERR_MODEL, "%s: tensor '%.*s' appears twice", w->path, STR_FMT(name));
		map_put(&w->by_name, name, (void *)(uintptr_t)(i + 1));
	}
	return 0;
}

static int open_file(struct weights *w, const char *path, struct err *err)
{
	struct fd_map map;
	if (fd_map_open(&map, path, err) < 0)
		return -1;
	vec_push(&w->maps, map);
	bool gguf = map.len >= 4 && memcmp(map.data, "GGUF", 4) == 0;
	if (gguf && w->maps.len > 1)
		return err_set(err, ERR_MODEL, "%s: a GGUF file cannot be a shard", path);
	if (!gguf && str_ends(str_of(path), STR(".gguf")))
		return err_set(err, ERR_MODEL, "%s: not a GGUF file (the first four bytes are not 'GGUF')", path);
	w->format = gguf ? WEIGHTS_GGUF : WEIGHTS_SAFETENSORS;
	return gguf ? weights_read_gguf(w, &w->maps.data[0], path, err) : weights_read_safetensors(w, &w->maps.data[w->maps.len - 1], path, err);
}

/* --- sharded folders ---------------------------------------------------------------------------------------- */

static int check_shard_name(const char *name, const char *path, struct err *err)
{
	if (!name || !*name || strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return err_set(err, ERR_MODEL, "%s: weight_map names the file '%.60s'; only plain file names are allowed", path, name ? name : "(none)");
	return 0;
}

static int open_shard(struct weights *w, const char *folder, const char *name, struct map *opened, const char *index, struct err *err)
{
	if (check_shard_name(name, index, err) < 0)
		return -1;
	if (map_has(opened, str_of(name)))
		return 0;
	if (opened->count >= LIMIT_SHARDS)
		return err_set(err, ERR_LIMIT, "%s: more than %d shards", index, LIMIT_SHARDS);
	map_put(opened, str_of(name), w);
	CLEANUP(mem_freep) char *path = fd_join(folder, name);
	return open_file(w, path, err);
}

static int open_shards(struct weights *w, const char *folder, const json_t *index, const char *path, struct err *err)
{
	json_t *weight_map = json_object_get(index, "weight_map"), *file;
	const char *tensor;
	struct map opened = {0};
	int rc = json_object_size(weight_map) ? 0 : err_set(err, ERR_MODEL, "%s: weight_map is missing or empty", path);
	json_object_foreach(weight_map, tensor, file) {
		if (rc == 0)
			rc = open_shard(w, folder, json_string_value(file), &opened, path, err);
	}
	map_done(&opened);
	if (rc < 0 || index_names(w, err) < 0)
		return -1;
	json_object_foreach(weight_map, tensor, file) {
		if (!map_has(&w->by_name, str_of(tensor)))
			return err_set(err, ERR_MODEL, "%s: tensor '%.100s' is in no shard", path, tensor);
	}
	return 0;
}

static int open_index(struct weights *w, const char *folder, const char *path, struct err *err)
{
	json_t *index = NULL;
	if (json_parse_file(&index, path, err) < 0)
		return -1;
	int rc = open_shards(w, folder, index, path, err);
	json_decref(index);
	return rc;
}

/* --- folders ---------------------------------------------------------------------------------------------------- */

/* The only *.gguf of a folder: 1 and *out set (caller frees), 0 when there is none, -1 when there are several. */
static int find_gguf(const char *folder, char **out, struct err *err)
{
	DIR *d = opendir(folder);
	char *found = NULL;
	int count = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && str_ends(str_of(e->d_name), STR(".gguf")) && ++count == 1)
			found = fd_join(folder, e->d_name);
	if (d)
		closedir(d);
	if (count <= 1) {
		*out = found;
		return count;
	}
	free(found);
	return err_set(err, ERR_MODEL, "'%s' holds %d GGUF files; name one of them", folder, count);
}

static int open_folder(struct weights *w, const char *folder, struct err *err)
{
	CLEANUP(mem_freep) char *index = fd_join(folder, "model.safetensors.index.json");
	CLEANUP(mem_freep) char *single = fd_join(folder, "model.safetensors");
	CLEANUP(mem_freep) char *adapter = fd_join(folder, "adapter_model.safetensors");
	if (fd_exists(index))
		return open_index(w, folder, index, err);
	CLEANUP(mem_freep) char *gguf = NULL;
	int found = fd_exists(single) ? 0 : find_gguf(folder, &gguf, err);
	if (found < 0)
		return -1;
	if (found == 0 && !fd_exists(single))
		return err_set(err, ERR_MODEL, fd_exists(adapter) ? "'%s' is an adapter, not a model; pass its base as the model and this as the adapter"
								  : "'%s' holds no model.safetensors, model.safetensors.index.json or .gguf file", folder);
	if (open_file(w, found ? gguf : single, err) < 0)
		return -1;
	return index_names(w, err);
}

static int load_config(struct weights *w, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(w->folder, "config.json");
	if (w->format == WEIGHTS_GGUF || !fd_exists(path))
		return 0;
	if (json_parse_file(&w->config, path, err) < 0)
		return -1;
	return json_is_object(w->config) ? 0 : err_set(err, ERR_MODEL, "%s: not a JSON object", path);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
}

int weights_open(struct weights **out, const char *path, struct err *err)
{
	struct weights *w = mem_alloc(sizeof *w);
	w->meta.free_value = free;
	w->path = mem_strdup(path);
	bool folder = fd_is_dir(path);
	w->folder = folder ? mem_strdup(path) : folder_of(path);
	int rc = folder ? open_folder(w, path, err) : open_file(w, path, err);
	if (rc == 0 && !folder)
		rc = index_names(w, err);
	if (rc == 0)
		rc = load_config(w, err);
	if (rc < 0) {
		weights_close(w);
		return -1;
	}
	*out = w;
	return 0;
}

void weights_close(struct weights *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->maps.len; i++)
		fd_map_close(&w->maps.data[i]);
	for (size_t i = 0; i < w->names.len; i++)
		free(w->names.data[i]);
	vec_done(&w->names);
	vec_done(&w->maps);
	vec_done(&w->tensors);
	map_done(&w->by_name);
	map_done(&w->meta);
	json_decref(w->config);
	free(w->path);
	free(w->folder);
	free(w);
}

enum weights_format weights_format(const struct weights *w) { return w->format; }
const char *weights_path(const struct weights *w) { return w->path; }
const char *weights_folder(const struct weights *w) { return w->folder; }
size_t weights_count(const struct weights *w) { return w->tensors.len; }
const struct weights_tensor *weights_at(const struct weights *w, size_t i) { return &w->tensors.data[i]; }
const json_t *weights_config(const struct weights *w) { return w->config; }

const struct weights_tensor *weights_find(const struct weights *w, const char *name)
{
	uintptr_t i = (uintptr_t)map_get(&w->by_name, str_of(name));
	return i ? &w->tensors.data[i - 1] : NULL;
}
