/* dX[T, K] = dY[T, N] W. Workers split K; each expands its columns of W, SLAB_ROWS rows at a time, to strips of 16
 * columns in the layout of the forward tiles (rows of W take the place of inputs), once for all T rows, and adds
 * slab after slab into dX. The order of additions depends on N alone. */
#include "tensor/isa.h"
#include "tensor/pack.h"
#include <assert.h>

enum { SLAB_ROWS = 256, STRIP_CHUNK = 4 };

struct backward {
	const struct mat *m;
	const struct kernels *k;
	const float *dy;
	int64_t lddy, rows;
	float *dx;
	int64_t lddx, from, to; /* this worker's columns of dX */
	bool bf16, accumulate;
	float *segments;   /* two rows of W, columns [from, to) */
	uint32_t *line;    /* one interleaved pair of rows */
	uint8_t *strips;   /* [strip][SLAB_ROWS][16] f32, or [strip][SLAB_ROWS / 2][16] bf16 pairs */
	uint16_t *dy_bf16; /* [rows][SLAB_ROWS] */
};

static size_t worker_bytes(int64_t cols, int64_t rows)
{
	int64_t padded = (cols + 255) / 256 * 256;
	return (size_t)padded * 3 * 4 + (size_t)padded * SLAB_ROWS * 4 + (size_t)rows * SLAB_ROWS * 2 + 256;
}

size_t mat_backward_bytes(const struct mat *m, int64_t rows, struct pool *pool)
{
	return worker_bytes(m->cols, rows) * (size_t)(pool ? pool_threads(pool) : 1);
}

static size_t strip_bytes(const struct backward *b) { return (size_t)SLAB_ROWS * GROUP * (b->bf16 ? 2 : 4); }

/* Rows row and row + 1 of W into the strips at pair `pair`; a missing second row counts as zero. */
static void expand_pair(struct backward *b, int64_t row, bool second, int64_t pair)
{
	int64_t n = b->to - b->from;
	float *low = b->segments, *high = b->segments + (n + 15) / 16 * 16;
	mat_segment_f32(b->m, row, b->from, n, low);
	if (second)
		mat_segment_f32(b->m, row + 1, b->from, n, high);
	else
		memset(high, 0, (size_t)n * sizeof *high);
	b->k->interleave_bf16(low, high, b->line, n);
	for (int64_t s = 0; s * GROUP < n; s++) {
		size_t bytes = (size_t)(n - s * GROUP < GROUP ? n - s * GROUP : GROUP) * 4;
		memcpy(b->strips + (size_t)s * strip_bytes(b) + pair * GROUP * 4, b->line + s * GROUP, bytes);
	}
}

static void expand_row(struct backward *b, int64_t row, int64_t at)
{
	int64_t n = b->to - b->from;
	mat_segment_f32(b->m, row, b->from, n, b->segments);
	for (int64_t s = 0; s * GROUP < n; s++) {
		size_t bytes = (size_t)(n - s * GROUP < GROUP ? n - s * GROUP : GROUP) * 4;
		memcpy(b->strips + (size_t)s * strip_bytes(b) + at * GROUP * 4, b->segments + s * GROUP, bytes);
	}
}

static void multiply_strip(const struct backward *b, int64_t strip, int64_t t, int64_t slab, int64_t slab_rows)
{
	int64_t column = b->from + strip * GROUP, wide = b->to - column, left = b->rows - t;
	int columns = left < b->k->columns ? (int)left : b->k->columns;
	struct tile_out out = {b->dx + t * b->lddx + column, b->lddx, wide < GROUP ? (int)wide : GROUP, b->accumulate || slab > 0};
	const void *w = b->strips + (size_t)strip * strip_bytes(b);
	if (b->bf16)
		b->k->bf16[columns - 1](w, b->dy_bf16 + t * SLAB_ROWS, SLAB_ROWS, (slab_rows + 1) / 2, out);
	else
		b->k->f32[columns - 1](w, b->dy + t * b->lddy + slab, b->lddy, slab_rows, out);
}

static void prepare_slab(struct backward *b, int64_t first_row, int64_t slab, int64_t slab_rows)
{
	for (int64_t i = 0; i < slab_rows; i += b->bf16 ? 2 : 1) {
		if (b->bf16)
			expand_pair(b, first_row + slab + i, i + 1 < slab_rows, i / 2);
		else
			expand_row(b, first_row + slab + i, i);
	}
	for (int64_t t = 0; t < b->rows && b->bf16; t++) {
		uint16_t *row = b->dy_bf16 + t * SLAB_ROWS;
		b->k->to_bf16(b->dy + t * b->lddy + slab, row, slab_rows);
		if (slab_rows % 2 != 0)
			row[slab_rows] = 0;
	}
}

static void multiply_slab(const struct backward *b, int64_t slab, int64_t slab_rows)
{
	int64_t strips = (b->to - b->from + GROUP - 1) / GROUP;
	for (int64_t first = 0; first < strips; first += STRIP_CHUNK)
		for (int64_t t = 0; t < b->rows; t += b->k->columns)
			for (int64_t s = first; s < first + STRIP_CHUNK && s < strips; s++)
				multiply_strip(b, s, t, slab, slab_rows);
}

void mat_backward_rows(const struct mat *m, int64_t row_from, int64_t row_to, const float *dy, int64_t lddy, int64_t rows,
		       enum compute compute, float *dx, int64_t lddx, bool accumulate, void *scratch, struct worker w)
{
	const struct kernels *k = isa_kernels();
	int64_t unit = dtype_traits(m->type)->block_elements;
	struct backward b = {.m = m,
			     .k = k,
			     .dy = dy,
			     .lddy = lddy,
			     .rows = rows,
			     .dx = dx,
			     .lddx = lddx,
			     .accumulate = accumulate,
			     .bf16 = compute == COMPUTE_FAST && k->bf16[0] && m->type != DT_F32};
	worker_range(w, m->cols, unit < 32 ? 32 : unit, &b.from, &b.to);
	if (b.from == b.to)
		return;
	int64_t padded = (m->cols + 255) / 256 * 256;
	uint8_t *mine = (uint8_t *)scratch + worker_bytes(m->cols, rows) * (size_t)w.index;
	b.segments = (float *)(void *)mine;
	b.line = (uint32_t *)(void *)(mine + padded * 2 * 4);
	b.strips = mine + padded * 3 * 4;
	b.dy_bf16 = (uint16_t *)(void *)(b.strips + padded * SLAB_ROWS * 4);
	for (int64_t slab = 0; slab < row_to - row_from; slab += SLAB_ROWS) {
		int64_t left = row_to - row_from - slab, slab_rows = left < SLAB_ROWS ? left : SLAB_ROWS;
		prepare_slab(&b, row_from, slab, slab_rows);
		multiply_slab(&b, slab, slab_rows);
	}
}

void mat_backward(const struct mat *m, const float *dy, int64_t lddy, int64_t rows, enum compute compute, float *dx, int64_t lddx,
		  bool accumulate, void *scratch, struct worker w)
{
	mat_backward_rows(m, 0, m->rows, dy, lddy, rows, compute, dx, lddx, accumulate, scratch, w);
}
