/* glu.h: gated linear unit (Shazeer 2020): out = act(gate) * up, act SiLU or GELU (tanh form).
 * Collective over rows, no barrier inside. Element by element: every output may share storage with any input of the same stride.
 */
#pragma once
#include "tensor/pool.h"
#include <stdbool.h>

struct glu_shape { int64_t rows, width; bool gelu; };

void glu_forward(const float *gate, int64_t ldg, const float *up, int64_t ldu, float *out, int64_t ldo, struct glu_shape s, struct worker worker);
/* dgate = dout up act'(gate), dup = dout act(gate). dgate and dup are two buffers; each may be dout, gate or up. */
void glu_backward(const float *gate, int64_t ldg, const float *up, int64_t ldu, const float *dout, int64_t lddo, float *dgate, int64_t lddg,
		  float *dup, int64_t lddu, struct glu_shape s, struct worker worker);
