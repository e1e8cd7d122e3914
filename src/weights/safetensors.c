/* safetensors.c: reader of the safetensors format: u64 header length, JSON header, data.
 * As the reference reader: the header is at most 100 MB, offsets are inside the data, ascending and without holes or
 * overlaps, each size equals shape times type. */
#include "weights/weights_impl.h"

#include "codec/json.h"
#include <inttypes.h>

/* Element types of the format. DT_COUNT: readable, but no weight type. */
static const struct st_type { const char *name; enum dtype type; uint32_t bytes; } TYPES[] = {
	{"F32", DT_F32, 4}, {"F16", DT_F16, 2}, {"BF16", DT_BF16, 2}, {"F64", DT_COUNT, 8}, {"I64", DT_COUNT, 8}, {"I32", DT_COUNT, 4},
	{"I16", DT_COUNT, 2}, {"I8", DT_COUNT, 1}, {"U64", DT_COUNT, 8}, {"U32", DT_COUNT, 4}, {"U16", DT_COUNT, 2}, {"U8", DT_COUNT, 1},
	{"BOOL", DT_COUNT, 1}, {"F8_E4M3", DT_COUNT, 1}, {"F8_E5M2", DT_COUNT, 1},
};

static const struct st_type *find_type(const char *name)
{
	for (size_t i = 0; name && i < sizeof TYPES / sizeof TYPES[0]; i++)
		if (strcmp(TYPES[i].name, name) == 0)
			return &TYPES[i];
	return NULL;
}

static int read_shape(struct weights_tensor *t, const json_t *shape, const char *path, struct err *err)
{
	if (!json_is_array(shape) || json_array_size(shape) > LIMIT_TENSOR_DIMS)
		return err_set(err, ERR_MODEL, "%s: tensor '%.*s' has no shape of at most %d dimensions", path, STR_FMT(t->name), LIMIT_TENSOR_DIMS);
	t->n_dims = (int32_t)json_array_size(shape);
	for (int32_t i = 0; i < t->n_dims; i++) {
		const json_t *n = json_array_get(shape, (size_t)i);
		if (!json_is_integer(n) || json_integer_value(n) < 0)
			return err_set(err, ERR_MODEL, "%s: tensor '%.*s' has a bad dimension %d", path, STR_FMT(t->name), i);
		t->shape[i] = json_integer_value(n);
	}
	return 0;
}

static int read_offsets(const struct weights_tensor *t, const json_t *offsets, size_t room, size_t *from, size_t *to, const char *path, struct err *err)
{
	const json_t *a = json_array_get(offsets, 0), *b = json_array_get(offsets, 1);
	if (json_array_size(offsets) != 2 || !json_is_integer(a) || !json_is_integer(b))
		return err_set(err, ERR_MODEL, "%s: tensor '%.*s' has no data_offsets pair", path, STR_FMT(t->name));
	json_int_t x = json_integer_value(a), y = json_integer_value(b);
	if (x < 0 || y < x || (uint64_t)y > room)
		return err_set(err, ERR_MODEL, "%s: tensor '%.*s' lies at %lld..%lld, outside the %zu data bytes (truncated download?)", path, STR_FMT(t->name),
			       (long long)x, (long long)y, room);
	*from = (size_t)x;
	*to = (size_t)y;
	return 0;
}

static int read_tensor(struct weights *w, const char *name, const json_t *entry, const unsigned char *data, size_t room, const char *path, struct err *err)
{
	struct weights_tensor t = {.name = {name, strlen(name)}};
	const char *type_name = json_string_value(json_object_get(entry, "dtype"));
	const struct st_type *type = find_type(type_name);
	size_t from, to;
	int64_t n;
	if (!type)
		return err_set(err, ERR_MODEL, "%s: tensor '%.100s' has unknown type '%.20s'", path, name, type_name ? type_name : "(none)");
	if (read_shape(&t, json_object_get(entry, "shape"), path, err) < 0 || weights_elements(&t, path, &n, err) < 0 ||
	    read_offsets(&t, json_object_get(entry, "data_offsets"), room, &from, &to, path, err) < 0)
		return -1;
	t.type = type->type;
	t.type_name = type->name;
	t.bytes = (size_t)n * type->bytes;
	if (t.bytes != to - from)
		return err_set(err, ERR_MODEL, "%s: tensor '%.100s' has %zu bytes for a shape of %zu", path, name, to - from, t.bytes);
	t.data = data + from;
	vec_push(&w->tensors, t);
	return 0;
}

/* The reader keeps names as pointers into its own copies, so the JSON header can go. */
static int read_header(struct weights *w, const json_t *header, const unsigned char *data, size_t room, const char *path, struct err *err)
{
	const char *name;
	json_t *entry;
	if (json_object_size(header) > LIMIT_TENSORS)
		return err_set(err, ERR_LIMIT, "%s: %zu tensors are past the limit of %d", path, json_object_size(header), LIMIT_TENSORS);
	json_object_foreach((json_t *)(uintptr_t)header, name, entry) {
		if (strcmp(name, "__metadata__") == 0)
			continue;
		if (read_tensor(w, name, entry, data, room, path, err) < 0)
			return -1;
		struct weights_tensor *t = &w->tensors.data[w->tensors.len - 1];
		t->name.data = mem_strndup(name, t->name.len);
		vec_push(&w->names, (char *)(uintptr_t)t->name.data);
	}
	return 0;
}

static int check_no_holes(const struct weights *w, size_t from, const unsigned char *data, size_t room, const char *path, struct err *err)
{
	const unsigned char *at = data;
	for (size_t i = from; i < w->tensors.len; i++) { /* sorted by weights_check_overlap */
		const struct weights_tensor *t = &w->tensors.data[i];
		if ((const unsigned char *)t->data != at)
			return err_set(err, ERR_MODEL, "%s: bytes before tensor '%.*s' belong to no tensor", path, STR_FMT(t->name));
		at += t->bytes;
	}
	if (at != data + room)
		return err_set(err, ERR_MODEL, "%s: %zu bytes after the last tensor", path, (size_t)(data + room - at));
	return 0;
}

int weights_read_safetensors(struct weights *w, const struct fd_map *map, const char *path, struct err *err)
{
	uint64_t n;
	if (map->len < 8)
		return err_set(err, ERR_MODEL, "%s: truncated: %zu bytes are no safetensors file", path, map->len);
	memcpy(&n, map->data, 8);
	if (n > LIMIT_SAFETENSORS_HEADER)
		return err_set(err, ERR_LIMIT, "%s: header of %" PRIu64 " bytes is past the limit (is this a safetensors file?)", path, n);
	if (n > map->len - 8)
		return err_set(err, ERR_MODEL, "%s: truncated: header of %" PRIu64 " bytes, %zu left", path, n, map->len - 8);
	json_t *header = NULL;
	struct json_rules rules = {.max_bytes = LIMIT_SAFETENSORS_HEADER};
	if (json_parse_with(&header, (str){(const char *)map->data + 8, (size_t)n}, path, &rules, err) < 0)
		return -1;
	size_t first = w->tensors.len, room = map->len - 8 - (size_t)n;
	const unsigned char *data = map->data + 8 + n;
	int rc = json_is_object(header) ? read_header(w, header, data, room, path, err)
					: err_set(err, ERR_MODEL, "%s: the header is not a JSON object", path);
	json_decref(header);
	if (rc < 0 || weights_check_overlap(w, first, path, err) < 0)
		return -1;
	return check_no_holes(w, first, data, room, path, err);
}
