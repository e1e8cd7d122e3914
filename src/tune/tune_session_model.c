/* tune_session_model.c: the frozen base (quantised if the method asks for it) and the trainable adapter over it. */
#include "tune/tune_session_parts.h"

#include "base/fd.h"
#include "base/random.h"
#include "codec/json.h"
#include "contract/paths.h"
#include "tune/machine.h"
#include <math.h>

static bool is_full_precision(enum dtype type) { return type == DT_F32 || type == DT_F16 || type == DT_BF16; }

static bool base_is_quantised(const struct model *m)
{
	for (int slot = 0; slot < LIN_COUNT; slot++)
		if (m->layers[0].linear[slot].rows && !is_full_precision(m->layers[0].linear[slot].type))
			return true;
	return false;
}

static bool names_float32(const char *dtype) { return dtype && (strstr(dtype, "32") || strcmp(dtype, "float") == 0 || strcmp(dtype, "double") == 0 || strcmp(dtype, "float64") == 0); }

int tune_session_open_model(struct tune_session *s, struct err *err)
{
	const struct config_quantization *q = &s->config.quantization;
	if (pool_new(&s->pool, s->options->threads, err) < 0 || model_open(&s->model, s->model_path, err) < 0)
		return -1;
	/* A 4-bit base computes in bnb_4bit_compute_dtype, everything else in torch_dtype. */
	s->compute = names_float32(q->load_in_4bit ? q->bnb_4bit_compute_dtype : s->config.model.torch_dtype) ? COMPUTE_F32 : COMPUTE_FAST;
	if (s->method != METHOD_QLORA || base_is_quantised(s->model))
		return 0;
	return lora_requantise(s->model, q->load_in_8bit ? DT_I8 : DT_NF4, q->bnb_4bit_use_double_quant, &s->requantised, err);
}

/* --- start values that the training step does not make itself ------------------------------------------------- */

enum start { START_PEFT, START_GAUSSIAN, START_RANDOM };

static int start_of(const struct config_lora *c, enum start *start, struct err *err)
{
	const json_t *v = c->init_lora_weights;
	const char *word = json_string_value(v);
	if (!v || json_is_true(v) || (word && (strcmp(word, "true") == 0 || strcmp(word, "True") == 0)))
		*start = START_PEFT;
	else if (json_is_false(v))
		*start = START_RANDOM;
	else if (word && strcmp(word, "gaussian") == 0)
		*start = START_GAUSSIAN;
	else
		return err_set(err, ERR_CONFIG, "LoraConfig.init_lora_weights: only true, false and gaussian are supported by this build");
	return 0;
}

static float *random_matrix(struct arena *arena, uint64_t seed, uint64_t key, size_t n, bool normal, float scale)
{
	float *out = arena_array(arena, n, sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = scale * (normal ? random_normal(seed, RANDOM_INIT, key, i) : 2 * random_uniform(seed, RANDOM_INIT, key, i) - 1);
	return out;
}

static void start_pair(struct tune_session *s, struct lora_pair *pair, size_t at, enum start start)
{
	const struct config_lora *c = &s->config.lora;
	const struct mat *w = &s->model->layers[at / LIN_COUNT].linear[at % LIN_COUNT];
	uint64_t seed = (uint64_t)s->config.training.seed;
	int32_t r = s->targets.ranks[at];
	if (r == 0)
		return;
	double alpha = s->targets.alphas[at];
	*pair = (struct lora_pair){.rank = r, .n = (int32_t)w->rows, .k = (int32_t)w->cols, .scale = (float)(c->use_rslora ? alpha / sqrt(r) : alpha / r)};
	size_t na = (size_t)r * (size_t)w->cols, nb = (size_t)r * (size_t)w->rows;
	/* kaiming_uniform with a = sqrt(5) is uniform within 1/sqrt(inputs); gaussian has deviation 1/r (PEFT). */
	pair->a = random_matrix(&s->init_arena, seed, 2 * at, na, start == START_GAUSSIAN, start == START_GAUSSIAN ? 1.0f / (float)r : 1.0f / sqrtf((float)w->cols));
	pair->b = start == START_RANDOM ? random_matrix(&s->init_arena, seed, 2 * at + 1, nb, false, 1.0f / sqrtf((float)r))
					: arena_array(&s->init_arena, nb, sizeof(float));
}

static json_t *strings(const struct field_strings *list)
{
	json_t *out = json_array();
	for (size_t i = 0; i < list->len; i++)
		json_array_append_new(out, json_string(list->items[i]));
	return out;
}

/* What a reader of the adapter needs to know beyond one rank and alpha. */
static json_t *pattern_keys(const struct config_lora *c)
{
	json_t *extra = json_object();
	if (c->rank_pattern)
		json_object_set(extra, "rank_pattern", (json_t *)(uintptr_t)c->rank_pattern);
	if (c->alpha_pattern)
		json_object_set(extra, "alpha_pattern", (json_t *)(uintptr_t)c->alpha_pattern);
	if (c->layers_to_transform)
		json_object_set(extra, "layers_to_transform", (json_t *)(uintptr_t)c->layers_to_transform);
	if (c->layers_pattern.len)
		json_object_set_new(extra, "layers_pattern", strings(&c->layers_pattern));
	return extra;
}

static int make_init(struct tune_session *s, struct err *err)
{
	enum start start;
	size_t pairs = (size_t)s->targets.layers * LIN_COUNT;
	if (start_of(&s->config.lora, &start, err) < 0)
		return -1;
	if (!s->targets.uniform)
		s->adapter_extra = pattern_keys(&s->config.lora);
	if (s->targets.uniform && start == START_PEFT)
		return 0;
	s->init = arena_alloc(&s->init_arena, sizeof *s->init);
	s->init->layers = s->targets.layers;
	s->init->pairs = arena_array(&s->init_arena, pairs, sizeof *s->init->pairs);
	for (size_t at = 0; at < pairs; at++)
		start_pair(s, &s->init->pairs[at], at, start);
	return 0;
}

/* An adapter to start from keeps its own configuration, but for the base's name and the dropout of this run. */
static int open_init(struct tune_session *s, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(s->options->init_adapter, FILE_ADAPTER_CONFIG);
	if (adapter_open(&s->init, s->options->init_adapter, s->model, err) < 0)
		return -1;
	s->init_is_file = true;
	if (json_parse_file(&s->adapter_extra, path, err) < 0)
		return -1;
	json_object_del(s->adapter_extra, "base_model_name_or_path");
	json_object_del(s->adapter_extra, "lora_dropout");
	return 0;
}

int tune_session_open_step(struct tune_session *s, struct err *err)
{
	const struct config_training *t = &s->config.training;
	const struct config_lora *c = &s->config.lora;
	if (s->options->init_adapter ? open_init(s, err) < 0 : targets_choose(&s->targets, s->model, c, err) < 0 || make_init(s, err) < 0)
		return -1;
	struct lora_options lora = {.slots = s->targets.slots, .rank = (int32_t)c->r, .alpha = c->lora_alpha, .dropout = c->lora_dropout, .rslora = c->use_rslora,
				    .seed = (uint64_t)t->seed};
	int32_t longest = s->train.longest_sequence > s->eval.longest_sequence ? s->train.longest_sequence : s->eval.longest_sequence;
	/* The budget must not depend on what else runs: a resumed run has to make the same plan. */
	struct trainstep_options o = {.compute = s->compute, .max_rows = s->max_rows, .max_length = longest, .checkpoint_all = t->gradient_checkpointing == 1,
				      .memory_budget_bytes = (size_t)(machine_memory_bytes() / 10 * 6)};
	return trainstep_new(&s->step, s->model, s->pool, &o, &lora, s->init, err);
}
