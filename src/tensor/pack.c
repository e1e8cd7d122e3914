/* Packing: source rows to interleaved 16-row groups, whole matrices for serving or one group at a time for training. */
#include "tensor/pack.h"
#include "tensor/blocks.h"
#include "tensor/forms.h"
#include "tensor/isa.h"
#include "tensor/nf4.h"
#include "base/mem.h"
#include <math.h>
#include <stdlib.h>

static int block_bytes(enum form form) { return FORMS[form].quant_bytes + FORMS[form].scale_bytes; }

/* Of all scales the one where rounding NF4_CODE * scale to integers loses least (0.0017 of absmax, root mean square). */
const uint8_t NF4_LEVELS[16] = {16, 50, 69, 84, 96, 107, 118, 128, 137, 146, 156, 166, 177, 191, 209, 240};
#define NF4_LEVEL_SCALE 112.0302f

/* Where row r of one block goes. */
struct slot {
	uint8_t *quants, *scales;
};

static struct slot slot_at(enum form form, uint8_t *group, int64_t block, int r)
{
	uint8_t *at = group + block * block_bytes(form);
	return (struct slot){at + 4 * r, at + FORMS[form].quant_bytes};
}

static void put_words(struct slot s, const uint8_t *bytes, int words)
{
	for (int j = 0; j < words; j++)
		memcpy(s.quants + 64 * j, bytes + 4 * j, 4);
}

static void put_nibbles(struct slot s, const uint8_t levels[INPUT_BLOCK])
{
	uint8_t q[16];
	for (int i = 0; i < 16; i++)
		q[i] = (uint8_t)(levels[i] | levels[i + 16] << 4);
	put_words(s, q, 4);
}

static void put_half(struct slot s, int which, int r, uint16_t h) { memcpy(s.scales + 32 * which + 2 * r, &h, sizeof h); }

/* A scale of a superblock: rounded to half, within half a unit of 2^-11; saturates instead of becoming infinite. */
static void put_float_as_half(struct slot s, int which, int r, float f)
{
	put_half(s, which, r, dtype_f32_to_f16(fminf(fmaxf(f, -65504.0f), 65504.0f)));
}

static void put_float(struct slot s, int r, float f) { memcpy(s.scales + 4 * r, &f, sizeof f); }

/* One packer per type: all blocks of one source row into lane r of a group. */
struct pack_row {
	const struct mat *m;
	int64_t source_row;
	const void *src;
	int r;
	uint8_t *group;
};

static void pack_q4_0(const struct pack_row *p)
{
	const struct block_q4_0 *b = p->src;
	for (int64_t i = 0; i < p->m->cols / BLOCK_SMALL; i++) {
		struct slot s = slot_at(FORM_NIBBLE_OFFSET, p->group, i, p->r);
		put_words(s, b[i].q, 4);
		put_half(s, 0, p->r, b[i].d);
	}
}

static void pack_q4_1(const struct pack_row *p)
{
	const struct block_q4_1 *b = p->src;
	for (int64_t i = 0; i < p->m->cols / BLOCK_SMALL; i++) {
		struct slot s = slot_at(FORM_NIBBLE_MIN, p->group, i, p->r);
		put_words(s, b[i].q, 4);
		put_half(s, 0, p->r, b[i].d);
		put_half(s, 1, p->r, b[i].m);
	}
}

static void pack_q5_0(const struct pack_row *p)
{
	const struct block_q5_0 *b = p->src;
	uint8_t levels[BLOCK_SMALL];
	for (int64_t i = 0; i < p->m->cols / BLOCK_SMALL; i++) {
		struct slot s = slot_at(FORM_BYTE_OFFSET, p->group, i, p->r);
		block_q5_0_levels(b + i, levels);
		put_words(s, levels, 8);
		put_half(s, 0, p->r, b[i].d);
	}
}

static void pack_q5_1(const struct pack_row *p)
{
	const struct block_q5_1 *b = p->src;
	uint8_t levels[BLOCK_SMALL];
	for (int64_t i = 0; i < p->m->cols / BLOCK_SMALL; i++) {
		struct slot s = slot_at(FORM_BYTE_MIN, p->group, i, p->r);
		block_q5_1_levels(b + i, levels);
		put_words(s, levels, 8);
		put_half(s, 0, p->r, b[i].d);
		put_half(s, 1, p->r, b[i].m);
	}
}

static void put_signed(struct slot s, const int8_t *q, int64_t n)
{
	uint8_t levels[INPUT_BLOCK] = {0};
	for (int64_t i = 0; i < n; i++)
		levels[i] = (uint8_t)(q[i] + 128);
	put_words(s, levels, 8);
}

static void pack_q8_0(const struct pack_row *p)
{
	const struct block_q8_0 *b = p->src;
	for (int64_t i = 0; i < p->m->cols / BLOCK_SMALL; i++) {
		struct slot s = slot_at(FORM_BYTE_SIGNED, p->group, i, p->r);
		put_signed(s, b[i].q, BLOCK_SMALL);
		put_half(s, 0, p->r, b[i].d);
	}
}

/* The eight 32-blocks of a q4_k or q5_k superblock. */
static void put_super(const struct pack_row *p, enum form form, int64_t super, const uint8_t *levels, const uint8_t packed[12], float d,
		      float dmin)
{
	uint8_t scale[8], min[8];
	block_k_scales(packed, scale, min);
	for (int i = 0; i < 8; i++) {
		struct slot s = slot_at(form, p->group, super * 8 + i, p->r);
		if (FORMS[form].nibble)
			put_nibbles(s, levels + 32 * i);
		else
			put_words(s, levels + 32 * i, 8);
		put_float_as_half(s, 0, p->r, d * (float)scale[i]);
		put_float_as_half(s, 1, p->r, -(dmin * (float)min[i]));
	}
}

static void pack_q4_k(const struct pack_row *p)
{
	const struct block_q4_k *b = p->src;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < p->m->cols / BLOCK_SUPER; i++) {
		block_q4_k_levels(b + i, levels);
		put_super(p, FORM_NIBBLE_MIN, i, levels, b[i].scales, dtype_f16_to_f32(b[i].d), dtype_f16_to_f32(b[i].dmin));
	}
}

static void pack_q5_k(const struct pack_row *p)
{
	const struct block_q5_k *b = p->src;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < p->m->cols / BLOCK_SUPER; i++) {
		block_q5_k_levels(b + i, levels);
		put_super(p, FORM_BYTE_MIN, i, levels, b[i].scales, dtype_f16_to_f32(b[i].d), dtype_f16_to_f32(b[i].dmin));
	}
}

static void pack_q6_k(const struct pack_row *p)
{
	const struct block_q6_k *b = p->src;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < p->m->cols / BLOCK_SUPER; i++) {
		float d = dtype_f16_to_f32(b[i].d);
		block_q6_k_levels(b + i, levels);
		for (int j = 0; j < 8; j++) {
			struct slot s = slot_at(FORM_BYTE_HALVES, p->group, i * 8 + j, p->r);
			put_words(s, levels + 32 * j, 8);
			put_float_as_half(s, 0, p->r, d * (float)b[i].scales[2 * j]);
			put_float_as_half(s, 1, p->r, d * (float)b[i].scales[2 * j + 1]);
		}
	}
}

/* Nibbles of neighbours (0 1, 2 3, ..., first one high) to nibbles of halves (low 0 .. 15, high 16 .. 31). */
static void pair_halves(const uint8_t q[16], uint8_t out[16])
{
	typedef uint8_t bytes __attribute__((vector_size(16)));
	bytes both;
	memcpy(&both, q, sizeof both);
	bytes even = both >> 4, odd = both & 15;
	bytes low = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	bytes high = __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
	low |= high << 4;
	memcpy(out, &low, sizeof low);
}

/* A 32-block lies in one 64-block, since cols % 32 == 0. Bytes hold neighbours, the first one high. */
static void pack_nf4(const struct pack_row *p)
{
	const struct mat_side *side = p->m->side;
	int64_t blocks = p->m->cols / INPUT_BLOCK, first = p->source_row * blocks;
	const uint8_t *q = (const uint8_t *)p->m->src + first * (INPUT_BLOCK / 2);
	int r = p->r;
	for (int64_t i = 0; i < blocks; i++, q += INPUT_BLOCK / 2) {
		struct slot s = slot_at(FORM_NIBBLE_TABLE, p->group, i, r);
		uint8_t halves[16];
		pair_halves(q, halves);
		put_words(s, halves, 4);
		put_float(s, r, nf4_absmax(side, (first + i) / (NF4_BLOCK / INPUT_BLOCK)) * (1.0f / NF4_LEVEL_SCALE));
	}
}

static void pack_i8(const struct pack_row *p)
{
	const int8_t *q = (const int8_t *)p->m->src + p->source_row * p->m->cols;
	for (int64_t k = 0; k < p->m->cols; k += INPUT_BLOCK) {
		struct slot s = slot_at(FORM_BYTE_SIGNED_F32, p->group, k / INPUT_BLOCK, p->r);
		put_signed(s, q + k, p->m->cols - k < INPUT_BLOCK ? p->m->cols - k : INPUT_BLOCK);
		put_float(s, p->r, p->m->side->absmax[p->source_row] * (1.0f / 127.0f));
	}
}

/* To add a type: its form in the fast mode and the packer of a row. Plain types have none: f32 rows are packed. */
static const struct {
	enum form form;
	void (*pack)(const struct pack_row *p);
} TYPES[DT_COUNT] = {
	[DT_F32] = {FORM_F32, NULL},
	[DT_F16] = {FORM_F32, NULL},
	[DT_BF16] = {FORM_BF16, NULL},
	[DT_Q4_0] = {FORM_NIBBLE_OFFSET, pack_q4_0},
	[DT_Q4_1] = {FORM_NIBBLE_MIN, pack_q4_1},
	[DT_Q5_0] = {FORM_BYTE_OFFSET, pack_q5_0},
	[DT_Q5_1] = {FORM_BYTE_MIN, pack_q5_1},
	[DT_Q8_0] = {FORM_BYTE_SIGNED, pack_q8_0},
	[DT_Q4_K] = {FORM_NIBBLE_MIN, pack_q4_k},
	[DT_Q5_K] = {FORM_BYTE_MIN, pack_q5_k},
	[DT_Q6_K] = {FORM_BYTE_HALVES, pack_q6_k},
	[DT_NF4] = {FORM_NIBBLE_TABLE, pack_nf4},
	[DT_I8] = {FORM_BYTE_SIGNED_F32, pack_i8},
};

enum form pack_form(const struct mat *m, enum compute compute)
{
	enum form form = compute == COMPUTE_F32 ? FORM_F32 : TYPES[m->type].form;
	if (form == FORM_NIBBLE_TABLE && m->cols % INPUT_BLOCK != 0)
		form = FORM_BF16;
	if (form == FORM_BF16 && !isa_kernels()->bf16[0])
		form = FORM_F32;
	return form;
}

size_t pack_group_bytes(enum form form, int64_t cols)
{
	if (form_is_int8(form))
		return (size_t)input_blocks(cols) * (size_t)block_bytes(form);
	return form == FORM_BF16 ? (size_t)((cols + 1) / 2) * GROUP * 4 : (size_t)cols * GROUP * 4;
}

size_t pack_rows_bytes(enum form form, int64_t cols)
{
	return form_is_int8(form) ? 0 : (size_t)((cols + 1) / 2 * 2) * GROUP * (form == FORM_BF16 ? 6 : 4);
}

static void pack_group_bf16(const struct mat *m, int64_t group, uint8_t *out, float *rows)
{
	const struct kernels *k = isa_kernels();
	int64_t even = (m->cols + 1) / 2 * 2;
	uint16_t *halves = (uint16_t *)(void *)(rows + even * GROUP);
	memset(halves, 0, (size_t)even * GROUP * sizeof *halves);
	for (int r = 0; r < GROUP && group * GROUP + r < m->rows; r++) {
		mat_row_f32(m, group * GROUP + r, rows);
		k->to_bf16(rows, halves + r * even, m->cols);
	}
	k->transpose((const uint32_t *)(const void *)halves, even / 2, even / 2, (uint32_t *)(void *)out);
}

static void pack_group_f32(const struct mat *m, int64_t group, uint8_t *out, float *rows)
{
	for (int r = 0; r < GROUP; r++) {
		if (group * GROUP + r < m->rows)
			mat_row_f32(m, group * GROUP + r, rows + r * m->cols);
		else
			memset(rows + r * m->cols, 0, (size_t)m->cols * sizeof *rows);
	}
	isa_kernels()->transpose((const uint32_t *)(const void *)rows, m->cols, m->cols, (uint32_t *)(void *)out);
}

void pack_group(const struct mat *m, enum form form, int64_t group, uint8_t *out, float *rows)
{
	if (form == FORM_BF16) {
		pack_group_bf16(m, group, out, rows);
		return;
	}
	if (form == FORM_F32) {
		pack_group_f32(m, group, out, rows);
		return;
	}
	if ((group + 1) * GROUP > m->rows)
		memset(out, 0, pack_group_bytes(form, m->cols));
	for (int r = 0; r < GROUP && group * GROUP + r < m->rows; r++) {
		int64_t source = mat_source_row(m, group * GROUP + r);
		TYPES[m->type].pack(&(struct pack_row){m, source, (const char *)m->src + (size_t)source * m->row_bytes, r, out});
	}
}
