/* schedule.c: who gets a slot, and which rows make up the next step.
 *
 * A sequence always has n_tokens - n_computed >= 1 tokens to feed: one while it generates, more while its prompt is read. A step
 * takes one row of every generating sequence and fills up with prompt rows, in order of arrival; while others
 * generate, prompts advance in smaller pieces so that a long one does not stall them. Nothing is ever preempted: a slot
 * holds max_model_len tokens. */
#include "engine/engine_internal.h"

enum { PREFILL_BESIDE_DECODE = 128 };

/* --- slots --------------------------------------------------------------------------------------------------------- */

static uint64_t adapter_key(const struct engine *e, const struct sequence *s)
{
	return s->request.adapter < 0 ? 0 : e->adapters[s->request.adapter].key;
}

static int32_t common_prefix(const struct slot *slot, const struct sequence *s)
{
	int32_t n = 0, most = slot->n_cached < s->n_prompt - 1 ? slot->n_cached : s->n_prompt - 1;
	while (n < most && slot->tokens[n] == s->request.prompt[n])
		n++;
	return n;
}

/* Tokens of the slot's cache that the sequence can go on from. The last prompt token is always computed: its logits are wanted. */
static int32_t reusable(const struct engine *e, const struct slot *slot, const struct sequence *s)
{
	bool is_long = model_rope_is_long(&e->model->config, s->n_prompt);
	if (s->request.embed || s->request.score_prompt || slot->adapter_key != adapter_key(e, s) || slot->long_rope != is_long)
		return 0;
	return common_prefix(slot, s);
}

/* The free slot with the longest reusable prefix; among equals the one unused for longest. */
static int32_t pick_slot(const struct engine *e, const struct sequence *s)
{
	int32_t best = -1, best_prefix = 0;
	for (int32_t i = 0; i < e->options.max_sequences; i++) {
		if (e->slots[i].sequence)
			continue;
		int32_t prefix = reusable(e, &e->slots[i], s);
		if (best < 0 || prefix > best_prefix || (prefix == best_prefix && e->slots[i].used < e->slots[best].used)) {
			best = i;
			best_prefix = prefix;
		}
	}
	return best;
}

void schedule_admit(struct engine *e, struct sequence *s)
{
	s->slot = pick_slot(e, s);
	struct slot *slot = &e->slots[s->slot];
	s->n_computed = s->n_cached = reusable(e, slot, s);
	slot->sequence = s;
	slot->adapter_key = adapter_key(e, s);
	slot->long_rope = s->long_rope = model_rope_is_long(&e->model->config, s->n_prompt);
	slot->n_cached = s->n_computed;
	memcpy(slot->tokens, s->request.prompt, (size_t)s->n_prompt * sizeof *slot->tokens);
	s->tokens = slot->tokens;
	s->n_tokens = s->n_prompt;
}

void schedule_release(struct engine *e, struct sequence *s)
{
	struct slot *slot = &e->slots[s->slot];
	slot->sequence = NULL;
	slot->n_cached = s->n_computed;
	slot->used = e->steps;
	s->slot = -1;
}

/* --- the batch ------------------------------------------------------------------------------------------------------ */

/* Keys turned with the short factors are of no use once the sequence is longer than the original context: start over, as the
 * reference does. */
static void switch_rope(struct engine *e, struct sequence *s)
{
	bool is_long = model_rope_is_long(&e->model->config, s->n_tokens);
	if (is_long == s->long_rope)
		return;
	s->long_rope = e->slots[s->slot].long_rope = is_long;
	s->n_computed = 0;
}

static void add_segment(struct engine *e, struct sequence *s, int32_t rows)
{
	struct batch *b = &e->batch;
	e->segments[b->n_segments++] = (struct segment){.slot = s->slot, .rows = rows, .first = s->n_computed, .adapter = s->request.adapter, .long_rope = s->long_rope};
	b->rows += rows;
}

static int32_t pending(const struct sequence *s)
{
	return s->n_tokens - s->n_computed;
}

static int32_t add_decodes(struct engine *e)
{
	int32_t n = 0;
	for (int32_t i = 0; i < e->options.max_sequences; i++) {
		struct sequence *s = e->slots[i].sequence;
		if (s == NULL)
			continue;
		switch_rope(e, s);
		if (pending(s) == 1) {
			add_segment(e, s, 1);
			n++;
		}
	}
	return n;
}

static struct sequence *oldest_prefill(const struct engine *e, uint64_t after)
{
	struct sequence *found = NULL;
	for (int32_t i = 0; i < e->options.max_sequences; i++) {
		struct sequence *s = e->slots[i].sequence;
		if (s && pending(s) > 1 && s->id > after && (found == NULL || s->id < found->id))
			found = s;
	}
	return found;
}

static void add_prefills(struct engine *e, int32_t room)
{
	uint64_t after = 0;
	for (struct sequence *s; room > 0 && (s = oldest_prefill(e, after)) != NULL; after = s->id) {
		int32_t rows = pending(s) < room ? pending(s) : room;
		add_segment(e, s, rows);
		room -= rows;
	}
}

/* Insertion sort by adapter, stable: few segments, nearly sorted. */
static void group_by_adapter(struct engine *e)
{
	for (int32_t i = 1; i < e->batch.n_segments; i++) {
		struct segment s = e->segments[i];
		int32_t j = i;
		for (; j > 0 && e->segments[j - 1].adapter > s.adapter; j--)
			e->segments[j] = e->segments[j - 1];
		e->segments[j] = s;
	}
}

static void place_rows(struct engine *e)
{
	int32_t row = 0;
	for (int32_t i = 0; i < e->batch.n_segments; i++) {
		struct segment *g = &e->segments[i];
		struct sequence *s = e->slots[g->slot].sequence;
		g->row = row;
		memcpy(e->ids + row, s->tokens + g->first, (size_t)g->rows * sizeof *e->ids);
		row += g->rows;
		if (g->first + g->rows == s->n_tokens && !s->request.embed) {
			e->sampled[e->n_samples] = s;
			e->sample_rows[e->n_samples++] = row - 1;
		}
	}
}

void schedule_batch(struct engine *e)
{
	e->batch = (struct batch){.ids = e->ids, .segments = e->segments};
	e->n_samples = 0;
	int32_t decodes = add_decodes(e), room = e->options.prefill_chunk;
	if (decodes > 0 && room > PREFILL_BESIDE_DECODE)
		room = PREFILL_BESIDE_DECODE;
	add_prefills(e, room);
	group_by_adapter(e);
	place_rows(e);
}
