/* Y[T, N] = X[T, K] W^T. Workers split N in 16-row groups. A chunk of groups is taken (packed on the spot where there is
 * no packed view), then every panel of X rows meets every group of the chunk, so that a panel is read once per chunk. */
#include "tensor/input.h"
#include "tensor/isa.h"
#include "tensor/pack.h"
#include <assert.h>

struct product {
	const struct mat *m;
	const struct mat_input *in;
	const struct kernels *k;
	enum form form;
	size_t group_bytes;
	float *y; /* of row_from */
	int64_t ldy, row_from, row_to;
	bool accumulate;
};

/* One group times the panel that starts at row t. */
static void multiply(const struct product *p, const uint8_t *group, int64_t g, int64_t t)
{
	int64_t left = p->in->rows - t, row = g * GROUP, rows = p->row_to - row;
	int columns = left < p->k->columns ? (int)left : p->k->columns;
	struct tile_out out = {p->y + t * p->ldy + row - p->row_from, p->ldy, rows < GROUP ? (int)rows : GROUP, p->accumulate};
	if (form_is_int8(p->form)) {
		p->k->int8[p->form][columns - 1](group, input_panel(p->in, t), input_blocks(p->m->cols), out);
	} else if (p->form == FORM_BF16) {
		int64_t stride = input_bf16_stride(p->m->cols);
		p->k->bf16[columns - 1]((const uint16_t *)(const void *)group, input_bf16(p->in, t), stride, stride / 2, out);
	} else {
		p->k->f32[columns - 1]((const float *)(const void *)group, p->in->x + t * p->in->cols, p->in->cols, p->m->cols, out);
	}
}

static void multiply_chunk(const struct product *p, const uint8_t *data, int64_t from, int64_t to)
{
	for (int64_t t = 0; t < p->in->rows; t += p->k->columns)
		for (int64_t g = from; g < to; g++)
			multiply(p, data + (size_t)(g - from) * p->group_bytes, g, t);
}

/* Groups whose packed bytes stay in the second-level cache together, 1..8. */
enum { CHUNK_BYTES = 192 << 10 };
static int64_t chunk_groups(const struct product *p)
{
	int64_t n = (int64_t)(CHUNK_BYTES / p->group_bytes);
	return n < 1 ? 1 : n > 8 ? 8 : n;
}

static void forward_packed(const struct product *p, int64_t from, int64_t to)
{
	int64_t chunk = chunk_groups(p);
	for (int64_t g = from; g < to; g += chunk)
		multiply_chunk(p, p->m->pack->data + (size_t)g * p->group_bytes, g, g + chunk < to ? g + chunk : to);
}

static void forward_source(const struct product *p, int64_t from, int64_t to)
{
	int64_t chunk = chunk_groups(p);
	uint8_t *data = pack_scratch((size_t)chunk * p->group_bytes + pack_rows_bytes(p->form, p->m->cols) + 64);
	float *rows = (float *)(void *)(data + (size_t)chunk * p->group_bytes);
	for (int64_t g = from; g < to; g += chunk) {
		int64_t end = g + chunk < to ? g + chunk : to;
		for (int64_t i = g; i < end; i++)
			pack_group(p->m, p->form, i, data + (size_t)(i - g) * p->group_bytes, rows);
		multiply_chunk(p, data, g, end);
	}
}

/* Few rows of X in float32: each row of W is expanded and dotted with them, four at a time; turning it into tiles would
 * cost more than the product. */
enum { DOT_ROWS = 8, DOTS_AT_ONCE = 4 };

static void dot_row(const struct product *p, const float *w, int64_t n)
{
	const struct mat_input *in = p->in;
	float out[DOT_ROWS];
	for (int64_t t = 0; t < in->rows; t += DOTS_AT_ONCE) {
		int64_t left = in->rows - t;
		p->k->dots(w, in->x + t * in->cols, in->cols, left < DOTS_AT_ONCE ? (int)left : DOTS_AT_ONCE, in->cols, out + t);
	}
	for (int64_t t = 0; t < in->rows; t++) {
		float *y = p->y + t * p->ldy + n - p->row_from;
		*y = p->accumulate ? *y + out[t] : out[t];
	}
}

static void forward_dots(const struct product *p, int64_t from, int64_t to)
{
	float *row = pack_scratch((size_t)p->m->cols * sizeof *row);
	for (int64_t n = from; n < to; n++) {
		const char *src = (const char *)p->m->src + (size_t)mat_source_row(p->m, n) * p->m->row_bytes;
		if (p->m->type == DT_F32 && (uintptr_t)src % sizeof *row == 0) { /* a file may place it anywhere */
			dot_row(p, (const float *)(const void *)src, n);
			continue;
		}
		mat_row_f32(p->m, n, row);
		dot_row(p, row, n);
	}
}

void mat_forward_rows(const struct mat *m, int64_t row_from, int64_t row_to, const struct mat_input *in, enum compute compute, float *y,
		      int64_t ldy, bool accumulate, struct worker w)
{
	assert(row_from % GROUP == 0);
	enum form form = pack_form(m, compute);
	bool packed = m->pack && m->pack->form == form;
	struct product p = {m, in, isa_kernels(), form, pack_group_bytes(form, m->cols), y, ldy, row_from, row_to, accumulate};
	int64_t groups = (row_to - row_from + GROUP - 1) / GROUP, from, to;
	worker_range(w, groups, 1, &from, &to);
	from += row_from / GROUP;
	to += row_from / GROUP;
	if (form == FORM_F32 && in->rows <= DOT_ROWS)
		forward_dots(&p, from * GROUP, to * GROUP < row_to ? to * GROUP : row_to);
	else if (packed)
		forward_packed(&p, from, to);
	else
		forward_source(&p, from, to);
}

void mat_forward(const struct mat *m, const struct mat_input *in, enum compute compute, float *y, int64_t ldy, bool accumulate,
		 struct worker w)
{
	mat_forward_rows(m, 0, m->rows, in, compute, y, ldy, accumulate, w);
}
