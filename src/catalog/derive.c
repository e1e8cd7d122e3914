/* derive.c: see derive.h. Which keys mean what follows upstream's generator: configurations of different ages and makers name the same
 * number differently, so each number is a list of keys, and the language model's part of a multimodal one (text_config, llm_config) is
 * asked first. */
#include "catalog/derive.h"

#include "base/str.h"
#include "catalog/traits.h"
#include "codec/json.h"
#include <math.h>

#define GIB 1073741824.0
enum { CONSOLIDATED, SAFETENSORS, BIN };
enum { DISK_SPARE_GIB = 80, CONTEXT_DEFAULT = 2048, NUMBER_MAX = INT32_MAX / 2 };

/* In order of preference; to add a spelling: a word. */
static const char *const LAYERS[] = {"num_hidden_layers", "n_layer", "n_layers", "num_layers", NULL};
static const char *const HIDDEN[] = {"hidden_size", "n_embd", "d_model", "dim", NULL};
static const char *const HEADS[] = {"num_attention_heads", "n_head", "n_heads", "num_heads", NULL};
static const char *const KV_HEADS[] = {"num_key_value_heads", "n_head_kv", "n_kv_heads", "num_kv_heads", NULL};
static const char *const HEAD_DIM[] = {"head_dim", NULL};
static const char *const KV_LORA_RANK[] = {"kv_lora_rank", NULL};
static const char *const QK_ROPE_DIM[] = {"qk_rope_head_dim", NULL};
static const char *const CONTEXT[] = {"max_position_embeddings", "n_ctx", "seq_length", "max_seq_len", "max_sequence_length", "model_max_length", NULL};
static const char *const NESTED[] = {"text_config", "llm_config", NULL};

static bool ends(const char *path, const char *suffix) { return str_ends(str_of(path), str_of(suffix)); }

static int weight_kind(const char *path)
{
	const char *name = strrchr(path, '/');
	name = name ? name + 1 : path;
	if (ends(name, ".safetensors"))
		return strncmp(name, "consolidated", 12) == 0 ? CONSOLIDATED : SAFETENSORS;
	return ends(name, ".bin") ? BIN : -1;
}

int derive_tree_add(struct derive_tree *tree, const json_t *page, struct err *err)
{
	if (!json_is_array(page))
		return err_set(err, ERR_PROTOCOL, "the hub's list of files is %s, not an array", json_type_name(page));
	for (size_t i = 0; i < json_array_size(page); i++) {
		const json_t *entry = json_array_get(page, i);
		const char *path = json_string_value(json_object_get(entry, "path")), *type = json_string_value(json_object_get(entry, "type"));
		json_int_t size = json_integer_value(json_object_get(entry, "size"));
		if (!path || (type && strcmp(type, "file") != 0))
			continue;
		int kind = weight_kind(path);
		if (kind >= 0 && size > 0 && size < (json_int_t)1 << 50)
			tree->bytes[kind] += (uint64_t)size;
		tree->has_config |= strcmp(path, "config.json") == 0;
		tree->has_params |= strcmp(path, "params.json") == 0;
		tree->entries++;
	}
	return 0;
}

int derive_tree_files(const struct derive_tree *tree, const char *name, struct derive_files *out, struct err *err)
{
	for (int kind = CONSOLIDATED; kind <= BIN; kind++)
		if (tree->bytes[kind]) {
			*out = (struct derive_files){tree->bytes[kind], kind == CONSOLIDATED, tree->has_config, tree->has_params};
			return 0;
		}
	return err_set(err, ERR_NOT_FOUND, "no .safetensors or .bin files found in %s", name);
}

/* The first of the keys that holds a number, the nested configuration before the outer one. 0: none. */
static int64_t number(const json_t *config, const json_t *nested, const char *const *keys)
{
	const json_t *parts[] = {nested, config};
	for (size_t p = 0; p < 2; p++)
		for (size_t i = 0; parts[p] && keys[i]; i++) {
			const json_t *value = json_object_get(parts[p], keys[i]);
			if (json_is_number(value)) {
				double v = json_number_value(value);
				return v >= 0 && v <= NUMBER_MAX ? (int64_t)v : v < 0 ? -1 : NUMBER_MAX;
			}
		}
	return 0;
}

static const json_t *nested_config(const json_t *config)
{
	for (size_t i = 0; NESTED[i]; i++)
		if (json_is_object(json_object_get(config, NESTED[i])))
			return json_object_get(config, NESTED[i]);
	return NULL;
}

/* Mistral's params.json names no architecture; these are the ones vLLM reads it as. */
static const char *params_architecture(const json_t *config)
{
	if (json_object_get(config, "kv_lora_rank"))
		return "MistralLarge3ForCausalLM";
	return json_object_get(config, "vision_encoder") ? "PixtralForConditionalGeneration" : "MistralForCausalLM";
}

/* As upstream: one known architecture suffices, an absent list passes. */
static int find_architecture(const char *name, const struct derive_files *files, const json_t *config, struct arena *arena, const char **out,
			     struct err *err)
{
	const json_t *list = json_object_get(config, "architectures");
	const char *first = json_string_value(json_array_get(list, 0));
	if (!first) {
		*out = files->mistral_format ? params_architecture(config) : "";
		return 0;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *architecture = json_string_value(json_array_get(list, i));
		if (architecture && catalog_architecture_supported(architecture)) {
			*out = arena_strdup(arena, str_of(architecture));
			return 0;
		}
	}
	return err_set(err, ERR_UNSUPPORTED, "unsupported model architecture for %s: %.60s", name, first);
}

/* "awq/4", "fp8"; what the generic methods leave open is in a second member. */
static const char *find_quantization(const json_t *config, const json_t *nested, struct arena *arena)
{
	static const char *const DETAIL[][2] = {{"compressed-tensors", "format"}, {"modelopt", "quant_algo"}};
	const json_t *q = json_object_get(config, "quantization_config");
	if (!json_is_object(q))
		q = json_object_get(nested, "quantization_config");
	const char *method = json_string_value(json_object_get(q, "quant_method"));
	if (!method)
		return "";
	for (size_t i = 0; i < sizeof DETAIL / sizeof DETAIL[0]; i++) {
		const char *detail = json_string_value(json_object_get(q, DETAIL[i][1]));
		if (strcmp(method, DETAIL[i][0]) == 0 && detail)
			method = detail;
	}
	json_int_t bits = json_integer_value(json_object_get(q, "bits"));
	if (bits > 0 && bits <= 32)
		return arena_printf(arena, "%.40s/%d", method, (int)bits);
	return arena_printf(arena, "%.40s", method);
}

static int find_sizes(const char *name, const json_t *config, const json_t *nested, struct catalog_model *m, struct err *err)
{
	int64_t hidden = number(config, nested, HIDDEN), heads = number(config, nested, HEADS), layers = number(config, nested, LAYERS);
	int64_t kv_heads = number(config, nested, KV_HEADS), head_dim = number(config, nested, HEAD_DIM);
	int64_t rank = number(config, nested, KV_LORA_RANK), rope = number(config, nested, QK_ROPE_DIM), context = number(config, nested, CONTEXT);
	if (layers <= 0 || layers > 10000 || heads <= 0 || heads > 100000 || (hidden <= 0 && head_dim <= 0))
		return err_set(err, ERR_MODEL, "the configuration of %s has no usable layers, heads and hidden size", name);
	if (kv_heads == 0)
		kv_heads = json_is_true(json_object_get(config, "multi_query")) ? 1 : heads;
	if (head_dim == 0)
		head_dim = hidden / heads;
	if (kv_heads < 0 || kv_heads > 100000 || head_dim < 0 || head_dim > 100000 || hidden < 0 || rank < 0 || rank > 1000000 || rope < 0 ||
	    rope > 1000000 || context < 0)
		return err_set(err, ERR_MODEL, "the configuration of %s has a number out of range", name);
	int64_t elements = rank > 0 ? rank + rope : 2 * kv_heads * head_dim;
	m->layers = (int)layers;
	m->hidden = (int)hidden;
	m->heads = (int)heads;
	m->kv_heads = (int)kv_heads;
	m->head_dim = (int)head_dim;
	m->kv_lora_rank = (int)rank;
	m->qk_rope_dim = (int)rope;
	m->context_tokens = context ? context : CONTEXT_DEFAULT;
	m->kv_bytes_per_token = layers * elements * 2;
	m->attention = rank > 0 ? "MLA" : kv_heads == heads ? "MHA" : kv_heads == 1 ? "MQA" : "GQA";
	return 0;
}

static void find_flags(const struct derive_files *files, struct catalog_model *m)
{
	char short_name[128];
	catalog_model_short_name(m, short_name, sizeof short_name);
	struct traits t = traits_of(short_name, m->architecture, files->mistral_format);
	m->dtype = m->quantization[0] ? "auto" : "bfloat16";
	m->load_format = m->config_format = files->mistral_format ? "mistral" : "auto";
	m->tokenizer_mode = t.tokenizer_mode;
	m->tool_parser = t.tool_parser;
	m->reasoning_parser = t.reasoning_parser;
	m->chat_template = t.chat_template;
	m->extra_args = t.extra_args;
}

int derive_model(const char *name, const struct derive_files *files, const json_t *config, bool gated, struct arena *arena,
		 struct catalog_model *out, struct err *err)
{
	if (!json_is_object(config))
		return err_set(err, ERR_PROTOCOL, "the configuration of %s is %s, not an object", name, json_type_name(config));
	const json_t *nested = nested_config(config);
	struct catalog_model m = {.license = "", .pipeline = "", .base_model = "", .revision = "", .tuning_image = "", .gated = gated};
	if (find_architecture(name, files, config, arena, &m.architecture, err) < 0 || find_sizes(name, config, nested, &m, err) < 0)
		return -1;
	m.id = arena_strdup(arena, str_of(name));
	m.quantization = find_quantization(config, nested, arena);
	m.weights_gib = round((double)files->weight_bytes / GIB * 100) / 100;
	m.disk_gib = (int)(m.weights_gib + DISK_SPARE_GIB);
	m.startup_minutes = (int)fmin(fmax(round(15 + 0.3 * m.weights_gib), 30), 180);
	find_flags(files, &m);
	*out = m;
	return 0;
}
