/* graph.h: what one decoder layer's program (model.h) means for training: which values need a gradient, which the backward
 * reads, which are kept from the forward and which are computed again, and where every activation and gradient lies in
 * the workspace. Pure planning: no numbers are touched here. The same for all layers but the first, whose input needs no gradient.
 *
 * Time runs 0..n-1 through the forward ops and n..2n-1 through the backward, last op first. A buffer lives from its first
 * writer to its last reader; buffers whose lives do not meet share storage.
 *
 * Gradients that share one buffer on purpose (the aliasing rule; each case has a test with real buffers in tests/ops and in
 * tests/tune/test_graph.c):
 *   add       both inputs take over the output's gradient (read only until one of them is added to: graph_detach)
 *   rope      works in place
 *   rms norm  works in place when its input has no gradient yet
 *   glu       the gate's gradient replaces the output's
 * A value is never added to while another value that is still to be read shares its buffer: the planner copies first.
 */
#pragma once
#include "model/model.h"

#define GRAPH_BUFFERS_MAX (3 * PROGRAM_VALUES_MAX + 3)
/* Buffers that the layers hand to each other; their storage is not in the workspace. */
enum { GRAPH_RESIDUAL,             /* gradient of the residual stream: comes in as the result's, leaves as the input's */
       GRAPH_INPUT, GRAPH_RESULT,  /* the layer's input and result */
       GRAPH_FIXED };

struct graph_value {
	int8_t producer;           /* op number, -1: the layer's input */
	int8_t root;               /* the value whose storage it is a view of (itself unless a slice) */
	int32_t column, width;     /* within root; columns */
	bool needs_grad;           /* depends on a trainable parameter or on an input that needs one */
	bool read;                 /* the backward reads it */
	bool kept;                 /* stored at the end of the forward */
	bool again;                /* computed again from kept values */
	int32_t kept_column;       /* place in the kept record, in columns */
	int8_t act, grad;          /* buffer numbers, -1: none */
};
struct graph_buffer { int32_t width, first, last; int64_t offset; }; /* offset in columns; the buffer is [rows, width] at offset * rows_max */
struct graph_op {
	bool backward;             /* has anything to do on the way back */
	bool add_a, add_b;         /* the gradient of input a (b) exists already: add to it */
	int8_t detach;             /* buffer to copy input a's gradient to before adding, -1: none */
	int8_t detach_from;
};
struct graph {
	const struct program *program;
	uint32_t lora_slots;       /* linears that may have LoRA */
	struct graph_value values[PROGRAM_VALUES_MAX];
	struct graph_op ops[PROGRAM_OPS_MAX];
	struct graph_buffer buffers[GRAPH_BUFFERS_MAX];
	int32_t n_buffers;
	int64_t workspace_columns; /* f32 per row */
	int32_t kept_columns;      /* elements per row of the kept record; the input comes first */
	int8_t input_grad;         /* buffer that holds the input's gradient at the end, -1: not needed */
};

/* ERR_UNSUPPORTED when the program does something this planner has no rule for. */
WARN_UNUSED int graph_plan(struct graph *g, const struct program *program, uint32_t lora_slots, bool input_needs_grad, struct err *err);
/* Longest run of linears from op i on that read the same value: they share one prepared input. */
int32_t graph_linear_run(const struct program *p, int32_t i);
