/* step.c: one step of the engine: the forward pass over the scheduled batch, draws on the workers, then events. */
#include "engine/engine_internal.h"

#include <math.h>

enum { SCORE_ROWS = 16 };

/* --- draws (on the workers) ------------------------------------------------------------------------------------- */

static void draw(struct engine *e, int32_t i, struct sampler_scratch *scratch)
{
	struct sequence *s = e->sampled[i];
	float *logits = forward_logits(e->forward, i), norm = 0;
	int32_t vocab = e->model->config.vocab, top = s->request.sampling.top_logprobs;
	const struct sampler_input in = {
		.sampling = &s->request.sampling,
		.prompt = s->tokens, .n_prompt = (size_t)s->n_prompt,
		.output = s->tokens + s->n_prompt, .n_output = (size_t)(s->n_tokens - s->n_prompt),
		.end_ids = e->end_ids, .n_end_ids = e->n_end_ids,
	};
	if (top >= 0) {
		memcpy(scratch->raw, logits, (size_t)vocab * sizeof *logits);
		norm = sampler_log_norm(logits, vocab);
		sampler_best(logits, vocab, norm, s->top, (size_t)top);
	}
	s->chosen = sampler_choose(logits, &in, scratch);
	if (top >= 0)
		s->chosen_logprob = scratch->raw[s->chosen] - norm;
}

static void draw_all(void *arg, struct worker w)
{
	struct engine *e = arg;
	int64_t from, to;
	worker_range(w, e->n_samples, 1, &from, &to);
	for (int64_t i = from; i < to; i++)
		draw(e, (int32_t)i, &e->samplers[w.index]);
}

/* --- prompts that want more than the last row ------------------------------------------------------------------------ */

static void score(struct engine *e, struct sequence *s, const struct segment *g)
{
	struct token_logprob best[LIMIT_LOGPROBS]; /* the sequence's own list holds the draw's already */
	int32_t vocab = e->model->config.vocab, rows[SCORE_ROWS], top = s->request.sampling.top_logprobs > 0 ? s->request.sampling.top_logprobs : 0;
	if (g->first == 0)
		sequence_prompt_token(s, 0, NAN, NULL, 0);
	for (int32_t at = 0; at < g->rows; at += SCORE_ROWS) {
		int32_t n = g->rows - at < SCORE_ROWS ? g->rows - at : SCORE_ROWS;
		for (int32_t i = 0; i < n; i++)
			rows[i] = g->row + at + i;
		forward_more_logits(e->forward, rows, n);
		for (int32_t i = 0; i < n && g->first + at + i + 1 < s->n_prompt; i++) {
			const float *logits = forward_logits(e->forward, i);
			int32_t index = g->first + at + i + 1;
			float norm = sampler_log_norm(logits, vocab);
			sampler_best(logits, vocab, norm, best, (size_t)top);
			sequence_prompt_token(s, index, logits[s->tokens[index]] - norm, best, (size_t)top);
		}
	}
}

static void embed(struct engine *e, struct sequence *s, const struct segment *g)
{
	int32_t n = e->model->config.hidden;
	float *sum = s->request.embedding, *row = e->samplers[0].raw;
	double square = 0;
	if (g->first == 0)
		memset(sum, 0, (size_t)n * sizeof *sum);
	for (int32_t r = 0; r < g->rows; r++) {
		forward_hidden(e->forward, g->row + r, row);
		for (int32_t i = 0; i < n; i++)
			sum[i] += row[i];
	}
	if (s->n_computed < s->n_tokens)
		return;
	for (int32_t i = 0; i < n; i++)
		square += (double)sum[i] * sum[i];
	for (int32_t i = 0; i < n && square > 0; i++)
		sum[i] = (float)(sum[i] / sqrt(square));
	sequence_end(s, FINISH_STOP);
}

/* --- the step ------------------------------------------------------------------------------------------------------------- */

void step_run(struct engine *e)
{
	schedule_batch(e);
	struct forward_job job = {.batch = &e->batch, .adapters = e->step_adapters, .sample_rows = e->sample_rows, .n_samples = e->n_samples,
				  .after = draw_all, .arg = e};
	forward_run(e->forward, &job);
	e->steps++;
	for (int32_t i = 0; i < e->batch.n_segments; i++) {
		const struct segment *g = &e->segments[i];
		struct sequence *s = e->slots[g->slot].sequence;
		s->n_computed += g->rows;
		if (s->request.score_prompt && s->n_tokens == s->n_prompt)
			score(e, s, g);
		if (s->request.embed)
			embed(e, s, g);
	}
	for (int32_t i = 0; i < e->n_samples; i++)
		sequence_token(e, e->sampled[i], e->sampled[i]->chosen);
}
