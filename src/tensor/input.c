/* Activations in the forms that products want: int8 panels (split by block among workers) and bf16 rows. */
#include "tensor/input.h"
#include "tensor/isa.h"

size_t mat_input_bytes(int64_t rows, int64_t cols)
{
	return input_int8_bytes(rows, cols) + (size_t)(rows * input_bf16_stride(cols)) * sizeof(uint16_t) + 64;
}

/* Items are (panel, block) pairs in order; this worker does [from, to). */
static void prepare_int8(struct mat_input *in, struct worker w)
{
	const struct kernels *k = isa_kernels();
	int64_t blocks = input_blocks(in->cols), panels = (in->rows + k->columns - 1) / k->columns, from, to;
	worker_range(w, panels * blocks, 1, &from, &to);
	while (from < to) {
		int64_t t = from / blocks * k->columns, block = from % blocks, left = blocks - block;
		int64_t count = to - from < left ? to - from : left;
		int columns = in->rows - t < k->columns ? (int)(in->rows - t) : k->columns;
		uint8_t *panel = (uint8_t *)in->scratch + (size_t)(t * blocks) * PANEL_BLOCK_BYTES;
		k->quantise(in->x + t * in->cols, in->cols, columns, in->cols, block, block + count, panel);
		from += count;
	}
}

static void prepare_bf16(struct mat_input *in, struct worker w)
{
	const struct kernels *k = isa_kernels();
	int64_t stride = input_bf16_stride(in->cols), from, to;
	uint16_t *base = (uint16_t *)(void *)((uint8_t *)in->scratch + input_int8_bytes(in->rows, in->cols));
	worker_range(w, in->rows, 1, &from, &to);
	for (int64_t t = from; t < to; t++) {
		uint16_t *row = base + t * stride;
		row[stride - 1] = 0;
		k->to_bf16(in->x + t * in->cols, row, in->cols);
	}
}

void mat_input_prepare(struct mat_input *in, const struct mat *like, enum compute compute, struct worker w)
{
	enum form form = pack_form(like, compute);
	if (form_is_int8(form))
		prepare_int8(in, w);
	else if (form == FORM_BF16)
		prepare_bf16(in, w);
}

bool mat_input_same(const struct mat *a, const struct mat *b, enum compute compute)
{
	enum form fa = pack_form(a, compute), fb = pack_form(b, compute);
	return fa == fb || (form_is_int8(fa) && form_is_int8(fb));
}
