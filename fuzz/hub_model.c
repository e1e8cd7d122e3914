/* Fuzz target: what a model hub says of a model: an array is a page of files, anything else a configuration. A row that comes of it has
 * all its texts and numbers that the estimator can use. */
#include "catalog/derive.h"
#include "catalog/estimate.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_config(const json_t *config)
{
	const struct derive_files files = {.weight_bytes = (uint64_t)1 << 33, .mistral_format = json_object_get(config, "dim") != NULL};
	const struct gpu_config gpu = {.gpus = 2, .gib = 160};
	struct arena arena = {0};
	struct catalog_model m = {0};
	struct estimate e = {0};
	struct err err = ERR_INIT;
	if (derive_model("org/name", &files, config, false, &arena, &m, &err) == 0) {
		if (!m.architecture || !m.quantization || !m.attention || m.layers <= 0 || m.kv_bytes_per_token < 0 || m.context_tokens <= 0)
			abort();
		if (estimate_nodes(&m, &gpu, 0, &e, &err) == 0 && e.nodes < 1)
			abort();
	}
	arena_done(&arena);
}

static void as_tree(const json_t *page)
{
	struct derive_tree tree = {0};
	struct derive_files files = {0};
	struct err err = ERR_INIT;
	if (derive_tree_add(&tree, page, &err) == 0 && derive_tree_files(&tree, "org/name", &files, &err) == 0 && files.weight_bytes == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	json_t *value = NULL;
	if (json_parse(&value, (str){(const char *)data, size}, "input", &err) < 0)
		return 0;
	if (json_is_array(value))
		as_tree(value);
	else
		as_config(value);
	json_decref(value);
	return 0;
}
