/* lora_train.c: lays out, starts, imports and exports the LoRA parameters. The layout is layer-major, slot order, A before B,
 * each tensor on a 64-byte boundary (the gaps stay zero, so norms and updates may run over them). */
#include "tune/lora_train.h"

#include "base/random.h"
#include <math.h>

#define ALIGN_FLOATS 16

static size_t aligned(size_t n) { return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS; }

static int check_options(const struct lora_options *o, bool from_adapter, struct err *err)
{
	if (!from_adapter && (o->rank < 1 || o->rank > LIMIT_LORA_RANK))
		return err_set(err, ERR_CONFIG, "lora rank %d is out of range 1..%d", o->rank, LIMIT_LORA_RANK);
	if (!(o->dropout >= 0 && o->dropout < 1))
		return err_set(err, ERR_CONFIG, "lora_dropout %g must be at least 0 and less than 1", o->dropout);
	return 0;
}

static void place(struct lora *l, struct lora_slot *s, const struct mat *w, int32_t rank, float scale)
{
	*s = (struct lora_slot){.rank = rank, .scale = scale, .k = w->cols, .n = w->rows, .a = l->n};
	s->b = l->n + aligned((size_t)rank * (size_t)s->k);
	l->n = s->b + aligned((size_t)rank * (size_t)s->n);
	l->max_rank = rank > l->max_rank ? rank : l->max_rank;
}

int lora_layout(struct lora *l, const struct model *m, const struct lora_options *o, const struct adapter *init, struct err *err)
{
	if (check_options(o, init != NULL, err) < 0)
		return -1;
	*l = (struct lora){.layers = m->config.layers, .dropout = (float)o->dropout, .seed = o->seed, .options = *o};
	l->slots = arena_array(&l->arena, (size_t)l->layers * LIN_COUNT, sizeof *l->slots);
	float scale = (float)(o->alpha / (o->rslora ? sqrt((double)o->rank) : (double)o->rank));
	for (int32_t layer = 0; layer < l->layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct mat *w = &m->layers[layer].linear[slot];
			const struct lora_pair *pair = init ? adapter_pair(init, layer, (enum linear_slot)slot) : NULL;
			bool chosen = pair ? pair->rank > 0 : (o->slots >> slot & 1u) != 0;
			if (w->rows > 0 && chosen)
				place(l, &l->slots[layer * LIN_COUNT + slot], w, pair ? pair->rank : o->rank, pair ? pair->scale : scale);
		}
	if (l->n > 0)
		return 0;
	arena_done(&l->arena);
	return err_set(err, ERR_CONFIG, "target_modules: this model has none of the chosen linear layers");
}

size_t lora_bytes(const struct lora *l) { return 4 * aligned(l->n) * sizeof(float); }

void lora_bind(struct lora *l, void *block)
{
	size_t n = aligned(l->n);
	l->p = block;
	l->grad = l->p + n;
	l->m = l->grad + n;
	l->v = l->m + n;
}

void lora_init(struct lora *l)
{
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		const struct lora_slot *s = &l->slots[i];
		size_t count = (size_t)s->rank * (size_t)s->k;
		float bound = count ? 1.0f / sqrtf((float)s->k) : 0.0f;
		for (size_t j = 0; j < count; j++)
			l->p[s->a + j] = bound * (2.0f * random_uniform(l->seed, RANDOM_INIT, (uint64_t)i, j) - 1.0f);
		for (size_t j = 0; j < (size_t)s->rank * (size_t)s->n; j++)
			l->p[s->b + j] = 0.0f;
	}
}

/* out[cols, rows] = in[rows, cols] transposed. */
static void transpose(const float *in, float *out, int64_t rows, int64_t cols)
{
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < cols; c++)
			out[c * rows + r] = in[r * cols + c];
}

void lora_import(struct lora *l, const struct adapter *init)
{
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		const struct lora_slot *s = &l->slots[i];
		const struct lora_pair *pair = &init->pairs[i];
		if (s->rank == 0)
			continue;
		memcpy(l->p + s->a, pair->a, (size_t)s->rank * (size_t)s->k * sizeof(float));
		transpose(pair->b, l->p + s->b, s->n, s->rank);
	}
}

void lora_export(const struct lora *l, struct adapter *out)
{
	out->layers = l->layers;
	out->pairs = arena_array(&out->arena, (size_t)l->layers * LIN_COUNT, sizeof *out->pairs);
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		const struct lora_slot *s = &l->slots[i];
		struct lora_pair *pair = &out->pairs[i];
		if (s->rank == 0)
			continue;
		size_t na = (size_t)s->rank * (size_t)s->k, nb = (size_t)s->rank * (size_t)s->n;
		*pair = (struct lora_pair){.rank = s->rank, .n = (int32_t)s->n, .k = (int32_t)s->k, .scale = s->scale};
		pair->a = arena_array(&out->arena, na, sizeof(float));
		pair->b = arena_array(&out->arena, nb, sizeof(float));
		memcpy(pair->a, l->p + s->a, na * sizeof(float));
		transpose(l->p + s->b, pair->b, s->rank, s->n);
	}
}

void lora_done(struct lora *l) { arena_done(&l->arena); }
