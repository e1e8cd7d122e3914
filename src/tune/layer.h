/* layer.h: walks one decoder layer's program over a micro-batch: forward, restore from what was kept, backward. All functions
 * but the planners are collective: every worker of the pool calls them with the same arguments and walks the same ops; barriers are inside.
 * Every op ends with a barrier, since the next one may write storage that another worker was still reading.
 *
 * Products with frozen weights are dealt over outputs, everything else over rows; a LoRA branch (lora_branch.h) is added by
 * rows before the frozen product accumulates on top, which saves a barrier.
 */
#pragma once
#include "tune/graph.h"
#include "tune/lora_train.h"

enum keep_level { KEEP_INPUT,   /* only the layer's input; the backward runs the layer again */
		  KEEP_VALUES   /* what graph.h calls kept, LoRA's u, and attention's log-sum-exp */ };

/* What one layer keeps between forward and backward. */
struct layer_record { enum keep_level level; void *values; /* [kept_columns * rows_max], bf16 or f32 */ float *u; /* [sum of ranks * rows_max] */ float *lse; /* [heads * rows_max] */ };

/* Everything the walk works on. Set up by trainstep.c; immutable while workers run but for the storage it points to. */
struct layer_walk {
	const struct model *model;
	const struct lora *lora;
	enum compute compute;
	bool keep_bf16;
	int32_t rows_max, rows;
	const int32_t *segments;
	const float *rope;           /* rope_table of this batch */
	struct graph graphs[2];      /* first layer, other layers */
	struct layer_record *records;
	float *work;                 /* [workspace_columns * rows_max] */
	float *residual;             /* [rows_max, C] gradient of the stream */
	float *streams[2];           /* [rows_max, C] layer input and result, swapped from layer to layer */
	void *input_scratch, *back_scratch;
	float *attention_scratch;
	float *du;                   /* [ranks of one run * rows_max] */
	float *branch_scratch;       /* [workers][branch_stride] dropout copies */
	size_t branch_stride;
	bool dropout;                /* on in training */
	uint64_t draw;               /* counter of micro-batches since the beginning: keys dropout */
};

static inline const struct graph *layer_graph(const struct layer_walk *w, int32_t layer) { return &w->graphs[layer > 0]; }

/* Sum of the ranks of this layer's LoRA slots, and the largest sum over one run of linears. */
int64_t layer_rank_sum(const struct lora *l, int32_t layer);
int64_t layer_run_ranks(const struct layer_walk *w);
/* Bytes that the frozen products want. */
size_t layer_input_bytes(const struct layer_walk *w);
size_t layer_back_bytes(const struct layer_walk *w, struct pool *pool);

/* streams[0] is the input, streams[1] becomes the result. keep: fill the layer's record. */
void layer_forward(struct layer_walk *w, int32_t layer, bool keep, struct worker worker);
/* Brings the activations back into the workspace, then walks backwards: residual holds the result's gradient on entry, the input's on return. */
void layer_backward(struct layer_walk *w, int32_t layer, struct worker worker);

/* Every kept value's width is written with this many bytes per element. */
static inline size_t layer_kept_bytes(const struct layer_walk *w) { return w->keep_bf16 ? sizeof(uint16_t) : sizeof(float); }

/* --- shared by layer_forward.c and layer_backward.c ------------------------------------------------------ */
struct view { float *x; int64_t ld; };
float *layer_buffer(const struct layer_walk *w, const struct graph *g, int8_t buffer);
struct view layer_act(const struct layer_walk *w, const struct graph *g, int8_t value);
struct view layer_grad(const struct layer_walk *w, const struct graph *g, int8_t value);
float *layer_u(const struct layer_walk *w, int32_t layer, int slot);
/* Runs the ops whose output `want` says; NULL: all. */
void layer_run_ops(struct layer_walk *w, int32_t layer, const bool *want, struct worker worker);
