/* forms.h: the int8 forms of packed weights as a table (layouts: kernels.h). Kernels are instantiated from its rows, so the
 * compiler sees constants. */
#pragma once
#include "tensor/kernels.h"

struct form_traits {
	int quant_bytes, scale_bytes; /* per block of 32 inputs x 16 rows */
	int shift;                    /* w's offset as a power of two; 0: none */
	bool nibble;
	bool table;     /* nibbles are indices into NF4_LEVELS */
	bool min;       /* w = d q + m */
	bool halves;    /* one d for inputs 0..15 and one for 16..31 */
	bool wide;      /* levels reach past 127 */
	bool scale_f32; /* d is a float, not a half */
};

/* To add a form: an enumerator in kernels.h, a row here, a line each in kernel_int8.h and kernel_table.h. */
static const struct form_traits FORMS[FORM_INT8_COUNT] = {
	[FORM_NIBBLE_MIN] = {.quant_bytes = 256, .scale_bytes = 64, .nibble = true, .min = true},
	[FORM_NIBBLE_OFFSET] = {.quant_bytes = 256, .scale_bytes = 32, .shift = 3, .nibble = true},
	[FORM_NIBBLE_TABLE] =
		{.quant_bytes = 256, .scale_bytes = 64, .shift = 7, .nibble = true, .table = true, .wide = true, .scale_f32 = true},
	[FORM_BYTE_MIN] = {.quant_bytes = 512, .scale_bytes = 64, .min = true},
	[FORM_BYTE_OFFSET] = {.quant_bytes = 512, .scale_bytes = 32, .shift = 4},
	[FORM_BYTE_HALVES] = {.quant_bytes = 512, .scale_bytes = 64, .shift = 5, .halves = true},
	[FORM_BYTE_SIGNED] = {.quant_bytes = 512, .scale_bytes = 32, .shift = 7, .wide = true},
	[FORM_BYTE_SIGNED_F32] = {.quant_bytes = 512, .scale_bytes = 64, .shift = 7, .wide = true, .scale_f32 = true},
};
