/* requantise.c: `qlora` on a base that is not quantised: every linear of every layer becomes NF4 (Dettmers et al. 2023) or
 * I8 in memory; embedding and head stay as they are, as bitsandbytes leaves them. One arena holds all new matrices. */
#include "tune/lora_train.h"

#include "tensor/nf4.h"

struct lora_requantised { struct arena arena; };

/* The whole matrix as floats, rows in logical order. */
static void expand(const struct mat *w, float *out)
{
	for (int64_t r = 0; r < w->rows; r++)
		mat_row_f32(w, r, out + r * w->cols);
}

static void to_nf4(struct arena *a, struct mat *w, const float *x, bool double_quant)
{
	int64_t n = w->rows * w->cols;
	struct mat_side *side = arena_alloc(a, sizeof *side);
	uint8_t *packed = arena_alloc(a, (size_t)(n + 1) / 2);
	float *absmax = mem_array((size_t)nf4_blocks(n), sizeof *absmax);
	nf4_quantise(x, n, packed, absmax);
	if (double_quant) {
		uint8_t *q = arena_alloc(a, (size_t)nf4_blocks(n));
		float *absmax2 = arena_array(a, (size_t)nf4_absmax_blocks(n), sizeof *absmax2);
		nf4_quantise_absmax(absmax, n, q, absmax2, &side->offset);
		side->absmax_q = q;
		side->absmax2 = absmax2;
		side->code = nf4_dynamic_code();
	} else {
		float *kept = arena_array(a, (size_t)nf4_blocks(n), sizeof *kept);
		memcpy(kept, absmax, (size_t)nf4_blocks(n) * sizeof *kept);
		side->absmax = kept;
	}
	free(absmax);
	*w = (struct mat){.type = DT_NF4, .rows = w->rows, .cols = w->cols, .src = packed, .row_bytes = (size_t)w->cols / 2, .side = side};
}

static void to_i8(struct arena *a, struct mat *w, const float *x)
{
	struct mat_side *side = arena_alloc(a, sizeof *side);
	int8_t *rows = arena_alloc(a, (size_t)(w->rows * w->cols));
	float *absmax = arena_array(a, (size_t)w->rows, sizeof *absmax);
	for (int64_t r = 0; r < w->rows; r++)
		i8_quantise_row(x + r * w->cols, w->cols, rows + r * w->cols, &absmax[r]);
	side->absmax = absmax;
	*w = (struct mat){.type = DT_I8, .rows = w->rows, .cols = w->cols, .src = rows, .row_bytes = (size_t)w->cols, .side = side};
}

static int requantise_one(struct arena *a, struct mat *w, enum dtype type, bool double_quant, struct err *err)
{
	float *x = mem_try_alloc((size_t)(w->rows * w->cols), sizeof *x, err);
	if (!x)
		return -1;
	expand(w, x);
	if (type == DT_NF4)
		to_nf4(a, w, x, double_quant);
	else
		to_i8(a, w, x);
	free(x);
	return 0;
}

int lora_requantise(struct model *m, enum dtype type, bool double_quant, struct lora_requantised **owner, struct err *err)
{
	if (type != DT_NF4 && type != DT_I8)
		return err_set(err, ERR_UNSUPPORTED, "cannot requantise to %s: choose nf4 or i8", dtype_traits(type)->name);
	struct lora_requantised *q = mem_alloc(sizeof *q);
	for (int32_t layer = 0; layer < m->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			struct mat *w = &m->layers[layer].linear[slot];
			if (w->rows > 0 && requantise_one(&q->arena, w, type, double_quant, err) < 0) {
				lora_requantised_free(q);
				return err_wrap(err, "requantise layer %d %s", layer, model_linear_traits((enum linear_slot)slot)->module);
			}
		}
	*owner = q;
	return 0;
}

size_t lora_requantised_bytes(const struct lora_requantised *owner) { return owner->arena.used_bytes; }

void lora_requantised_free(struct lora_requantised *owner)
{
	if (!owner)
		return;
	arena_done(&owner->arena);
	free(owner);
}
