/* The struct kernels of one instruction set: include last, after lanes_*.h, with KERNELS_NAME and KERNELS_TEXT
 * defined, and BF16_KERNELS where the set has a bf16 dot product. */
#pragma once
#include "tensor/kernel_int8.h"
#include "tensor/kernel_f32.h"
#include "tensor/decode.h"

const struct kernels KERNELS_NAME = {
	.name = KERNELS_TEXT,
	.columns = LANES_COLUMNS,
	.int8 = {INT8_ROW(FORM_NIBBLE_MIN), INT8_ROW(FORM_NIBBLE_OFFSET), INT8_ROW(FORM_NIBBLE_TABLE), INT8_ROW(FORM_BYTE_MIN),
		 INT8_ROW(FORM_BYTE_OFFSET), INT8_ROW(FORM_BYTE_HALVES), INT8_ROW(FORM_BYTE_SIGNED), INT8_ROW(FORM_BYTE_SIGNED_F32)},
	.f32 = {LANES_LIST(f32_)},
#ifdef BF16_KERNELS
	.bf16 = {LANES_LIST(bf16_)},
	.to_bf16 = to_bf16,
	.interleave_bf16 = interleave_bf16,
#endif
	.dots = dots,
	.quantise = quantise,
	.transpose = transpose,
	.nf4 = nf4_bytes,
	.to_f32 = {DECODE_TABLE, [DT_F16] = halves_to_f32},
};
