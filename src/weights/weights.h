/* weights.h: a model's tensors and metadata behind one interface, whatever the file format.
 * Immutable after open; everything it returns is borrowed and lives until weights_close. */
#pragma once
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "tensor/dtype.h"
#include <jansson.h>
#include <stdbool.h>

struct weights_tensor {
	str name;                 /* as in the file */
	enum dtype type;          /* DT_COUNT: valid in the format but no weight type of ours (I64, U8 …); refuse it when used as a weight */
	const char *type_name;    /* the format's own spelling, for messages */
	int32_t n_dims;
	int64_t shape[LIMIT_TENSOR_DIMS]; /* row-major order, slowest first: a Linear weight is [out, in] (GGUF's ne is reversed) */
	const void *data;         /* into the mapping, aligned as the file gives it (maybe not at all) */
	size_t bytes;
};

enum weights_format { WEIGHTS_GGUF, WEIGHTS_SAFETENSORS };
struct weights;

/* path: a .gguf file, a .safetensors file, or a folder with model.safetensors, model.safetensors.index.json
 * (+ config.json) or exactly one .gguf file. Everything is validated before return: offsets, overlaps, sizes, types, counts. */
WARN_UNUSED int weights_open(struct weights **out, const char *path, struct err *err);
void weights_close(struct weights *w);
enum weights_format weights_format(const struct weights *w);
const char *weights_path(const struct weights *w);       /* as given to weights_open */
const char *weights_folder(const struct weights *w);     /* folder that holds config.json, tokenizer.json … */
size_t weights_count(const struct weights *w);
const struct weights_tensor *weights_at(const struct weights *w, size_t i);    /* file order */
const struct weights_tensor *weights_find(const struct weights *w, const char *name); /* NULL when absent */

/* Metadata. Safetensors: the parsed config.json of the folder (NULL for a bare file). GGUF: NULL; use weights_meta. */
const json_t *weights_config(const struct weights *w);

/* GGUF metadata, typed. Getters return false when the key is absent or of another kind; integers widen, f32 widens. */
enum weights_meta_kind { META_U64, META_I64, META_F64, META_BOOL, META_STRING, META_ARRAY };
struct weights_meta {
	enum weights_meta_kind kind;
	union { uint64_t u; int64_t i; double f; bool b; str s; struct { enum weights_meta_kind of; uint64_t len; const void *raw; uint32_t gguf_type; } array; };
};
const struct weights_meta *weights_meta(const struct weights *w, const char *key); /* NULL when absent */
bool weights_meta_u64(const struct weights *w, const char *key, uint64_t *out);
bool weights_meta_f64(const struct weights *w, const char *key, double *out);
bool weights_meta_bool(const struct weights *w, const char *key, bool *out);
bool weights_meta_str(const struct weights *w, const char *key, str *out);
/* Array iteration without copying: strings are visited in order; numeric arrays are read by index. */
bool weights_meta_strings(const struct weights_meta *array, bool (*visit)(void *arg, uint64_t i, str s), void *arg);
bool weights_meta_number(const struct weights_meta *array, uint64_t i, double *out);
