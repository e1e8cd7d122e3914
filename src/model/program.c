/* program.c: writes the layer program. A model file calls layer_*() in the order of the paper's figure; each call
 * appends one op and names its result. A writer that runs out of room (our own bug) poisons the builder, and
 * model_program reports it. */
#include "model/model.h"

struct layer_builder {
	struct program *program;
	const struct model_config *config;
	bool full;
};

static int8_t value(struct layer_builder *b, int32_t width)
{
	if (b->program->n_values == PROGRAM_VALUES_MAX || width <= 0) {
		b->full = true;
		return 0;
	}
	b->program->widths[b->program->n_values] = width;
	return (int8_t)b->program->n_values++;
}

static int8_t append(struct layer_builder *b, struct op op)
{
	if (b->program->n_ops == PROGRAM_OPS_MAX) {
		b->full = true;
		return 0;
	}
	op.out = value(b, op.width);
	b->program->ops[b->program->n_ops++] = op;
	return op.out;
}

static int32_t width(const struct layer_builder *b, int8_t v)
{
	return b->program->widths[v];
}

int8_t layer_input(struct layer_builder *b)
{
	(void)b;
	return 0;
}

int8_t layer_rms_norm(struct layer_builder *b, int8_t x, enum vector_slot weight, int32_t head_dim)
{
	return append(b, (struct op){.kind = OP_RMS_NORM, .a = x, .b = -1, .c = -1, .linear = -1, .vector = (int8_t)weight, .width = width(b, x), .head_dim = head_dim});
}

int8_t layer_linear(struct layer_builder *b, int8_t x, enum linear_slot slot, int bias, int32_t out_width)
{
	return append(b, (struct op){.kind = OP_LINEAR, .a = x, .b = -1, .c = -1, .linear = (int8_t)slot, .vector = (int8_t)bias, .width = out_width});
}

int8_t layer_slice(struct layer_builder *b, int8_t x, int32_t offset, int32_t out_width)
{
	if (offset < 0 || offset + out_width > width(b, x))
		b->full = true;
	return append(b, (struct op){.kind = OP_SLICE, .a = x, .b = -1, .c = -1, .linear = -1, .vector = -1, .width = out_width, .offset = offset});
}

int8_t layer_rope(struct layer_builder *b, int8_t x, int32_t head_dim)
{
	return append(b, (struct op){.kind = OP_ROPE, .a = x, .b = -1, .c = -1, .linear = -1, .vector = -1, .width = width(b, x), .head_dim = head_dim});
}

int8_t layer_attention(struct layer_builder *b, int8_t q, int8_t k, int8_t v)
{
	return append(b, (struct op){.kind = OP_ATTENTION, .a = q, .b = k, .c = v, .linear = -1, .vector = -1, .width = width(b, q), .head_dim = b->config->head_dim});
}

int8_t layer_glu(struct layer_builder *b, int8_t gate, int8_t up)
{
	return append(b, (struct op){.kind = OP_GLU, .a = gate, .b = up, .c = -1, .linear = -1, .vector = -1, .width = width(b, gate)});
}

int8_t layer_add(struct layer_builder *b, int8_t x, int8_t y)
{
	return append(b, (struct op){.kind = OP_ADD, .a = x, .b = y, .c = -1, .linear = -1, .vector = -1, .width = width(b, x)});
}

void layer_result(struct layer_builder *b, int8_t x)
{
	b->program->result = x;
}

int model_program(const struct arch *arch, const struct model_config *c, struct program *out, struct err *err)
{
	struct layer_builder b = {.program = out, .config = c};
	*out = (struct program){.n_values = 1};
	out->widths[0] = c->hidden;
	arch->layer(&b, c);
	if (b.full || out->widths[out->result] != c->hidden)
		return err_set(err, ERR_INTERNAL, "%s: the layer program does not fit its limits", arch->name);
	return 0;
}
