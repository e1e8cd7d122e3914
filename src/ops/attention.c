/* attention.c: deals (sequence, head) pairs to the workers and adds up the key/value gradients of grouped heads.
 *
 * Pairs are dealt by their cost (n^2), always in the same way for a given worker count, so the bits never depend on timing.
 * Each query head writes its own dk, dv; with grouped heads these go to scratch and are summed in head order after a barrier.
 */
#include "ops/attention.h"

#include "ops/kernels.h"
#include "ops/rows.h"

size_t attention_scratch_bytes(int64_t rows, int32_t heads, int32_t kv_heads, int32_t d, int workers)
{
	size_t tiles = attention_scratch_floats(d) * (size_t)workers;
	size_t partial = heads == kv_heads ? 0 : 2 * (size_t)rows * (size_t)heads * (size_t)d;
	return (tiles + partial) * sizeof(float);
}

static int64_t segment_end(const struct attention_shape *s, int64_t start)
{
	int64_t end = start + 1;
	while (end < s->rows && s->segments[end] == s->segments[start])
		end++;
	return end;
}

static int64_t cost(const struct attention_shape *s, int64_t n) { return n < s->window || s->window == 0 ? n * (n + 128) : n * (s->window + 128); }

/* Walks the pairs; a pair whose middle lies in this worker's share of the total cost is this worker's. */
static void each_pair(const struct attention_shape *s, struct worker w, void (*fn)(void *arg, int64_t start, int64_t n, int32_t head), void *arg)
{
	int64_t total = 0, done = 0;
	for (int64_t i = 0; i < s->rows; i = segment_end(s, i))
		total += s->heads * cost(s, segment_end(s, i) - i);
	for (int64_t i = 0; i < s->rows; i = segment_end(s, i)) {
		int64_t n = segment_end(s, i) - i, c = cost(s, n);
		for (int32_t h = 0; h < s->heads; h++, done += c)
			if ((done + c / 2) * w.count / total == w.index)
				fn(arg, i, n, h);
	}
}

struct call {
	struct attention_input in;
	struct attention_shape s;
	struct attention_grads g;
	const float *out, *dout;
	float *o, *lse, *tiles, *dk, *dv;
	int64_t ldo, lddo, lddk, lddv;
};

static struct attention_head head_of(const struct call *c, int64_t start, int64_t n, int32_t h)
{
	const struct attention_input *in = &c->in;
	int64_t d = c->s.d, g = h / (c->s.heads / c->s.kv_heads);
	return (struct attention_head){.q = in->q + start * in->ldq + h * d, .ldq = in->ldq, .k = in->k + start * in->ldk + g * d, .ldk = in->ldk,
				       .v = in->v + start * in->ldv + g * d, .ldv = in->ldv, .ldo = c->ldo, .lse = c->lse + h * c->s.rows + start,
				       .n = n, .d = c->s.d, .window = c->s.window, .scale = c->s.scale, .scratch = c->tiles};
}

static void forward_pair(void *arg, int64_t start, int64_t n, int32_t h)
{
	const struct call *c = arg;
	struct attention_head head = head_of(c, start, n, h);
	head.o = c->o + start * c->ldo + (int64_t)h * c->s.d;
	ops_attention(c->s.fast).forward(&head);
}

void attention_forward(struct attention_input in, struct attention_shape s, float *o, int64_t ldo, float *lse, float *scratch, struct worker w)
{
	struct call c = {.in = in, .s = s, .o = o, .ldo = ldo, .lse = lse, .tiles = scratch + attention_scratch_floats(s.d) * (size_t)w.index};
	each_pair(&s, w, forward_pair, &c);
}

static void backward_pair(void *arg, int64_t start, int64_t n, int32_t h)
{
	const struct call *c = arg;
	struct attention_head head = head_of(c, start, n, h);
	int64_t column = (int64_t)h * c->s.d;
	head.out = c->out + start * c->ldo + column;
	head.dout = c->dout + start * c->lddo + column;
	head.lddo = c->lddo;
	head.dq = c->g.dq + start * c->g.lddq + column;
	head.lddq = c->g.lddq;
	head.dk = c->dk + start * c->lddk + column;
	head.dv = c->dv + start * c->lddv + column;
	head.lddk = c->lddk;
	head.lddv = c->lddv;
	ops_attention(c->s.fast).backward(&head);
}

/* out[t, g] = sum over the group's heads of partial[t, h]; rows [from, to). */
static void sum_groups(const struct call *c, const float *partial, float *out, int64_t ldo, int64_t from, int64_t to)
{
	int64_t d = c->s.d, group = c->s.heads / c->s.kv_heads, ld = c->s.heads * d;
	for (int64_t g = 0; g < c->s.kv_heads; g++) {
		const float *first = partial + from * ld + g * group * d;
		float *sum = out + from * ldo + g * d;
		ops_kernels()->add(first, ld, first + d, ld, sum, ldo, to - from, d);
		for (int64_t h = 2; h < group; h++)
			ops_kernels()->add(sum, ldo, first + h * d, ld, sum, ldo, to - from, d);
	}
}

void attention_backward(struct attention_input in, struct attention_shape s, const float *o, int64_t ldo, const float *lse, const float *dout,
			int64_t lddo, struct attention_grads g, float *scratch, struct worker w)
{
	struct call c = {.in = in, .s = s, .g = g, .out = o, .ldo = ldo, .lse = (float *)lse, .dout = dout, .lddo = lddo,
			 .tiles = scratch + attention_scratch_floats(s.d) * (size_t)w.index};
	bool grouped = s.heads != s.kv_heads;
	float *partial = scratch + attention_scratch_floats(s.d) * (size_t)w.count;
	c.lddk = grouped ? (int64_t)s.heads * s.d : g.lddk;
	c.lddv = grouped ? c.lddk : g.lddv;
	c.dk = grouped ? partial : g.dk;
	c.dv = grouped ? partial + s.rows * c.lddk : g.dv;
	each_pair(&s, w, backward_pair, &c);
	pool_barrier(w);
	if (!grouped)
		return;
	int64_t from, to;
	worker_range(w, s.rows, 1, &from, &to);
	sum_groups(&c, c.dk, g.dk, g.lddk, from, to);
	sum_groups(&c, c.dv, g.dv, g.lddv, from, to);
}
