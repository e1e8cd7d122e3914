/* sampler.c: see sampler.h for the order and the sources of the rules. Filters shrink the candidate list in place; whoever
 * needs probabilities computes them over what is left. */
#include "engine/sampler.h"

#include "base/mem.h"
#include "base/random.h"
#include "ops/rows.h"
#include <math.h>

static const struct worker SOLO = {0, 1, NULL};

void sampler_scratch_init(struct sampler_scratch *s, int32_t vocab)
{
	size_t n = (size_t)vocab;
	*s = (struct sampler_scratch){.vocab = vocab, .stamp = mem_array(n, sizeof(uint32_t))};
	s->c.ids = mem_array(n, sizeof(int32_t));
	s->c.logits = mem_array(n, sizeof(float));
	s->c.p = mem_array(n, sizeof(float));
	s->raw = mem_array(n, sizeof(float));
}

void sampler_scratch_done(struct sampler_scratch *s)
{
	free(s->stamp);
	free(s->c.ids);
	free(s->c.logits);
	free(s->c.p);
	free(s->raw);
}

/* --- rules on all logits -------------------------------------------------------------------------------------- */

static bool in_vocab(int32_t id, int32_t vocab)
{
	return id >= 0 && id < vocab;
}

void sampler_bias(float *logits, int32_t vocab, const int32_t *ids, const float *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_vocab(ids[i], vocab))
			logits[ids[i]] += values[i];
}

void sampler_mask(float *logits, int32_t vocab, const int32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_vocab(ids[i], vocab))
			logits[ids[i]] = -INFINITY;
}

/* True the first time an id is met since the epoch began. */
static bool first_time(struct sampler_scratch *s, int32_t id)
{
	if (!in_vocab(id, s->vocab) || s->stamp[id] == s->epoch)
		return false;
	s->stamp[id] = s->epoch;
	return true;
}

static void next_epoch(struct sampler_scratch *s)
{
	if (++s->epoch == 0) {
		memset(s->stamp, 0, (size_t)s->vocab * sizeof *s->stamp);
		s->epoch = 1;
	}
}

static void repeat(float *logits, const int32_t *ids, size_t n, float penalty, struct sampler_scratch *s)
{
	for (size_t i = 0; i < n; i++)
		if (first_time(s, ids[i]))
			logits[ids[i]] = logits[ids[i]] > 0 ? logits[ids[i]] / penalty : logits[ids[i]] * penalty;
}

void sampler_repetition(float *logits, const struct sampler_input *in, float penalty, struct sampler_scratch *s)
{
	next_epoch(s);
	repeat(logits, in->prompt, in->n_prompt, penalty, s);
	repeat(logits, in->output, in->n_output, penalty, s);
}

void sampler_presence_frequency(float *logits, const struct sampler_input *in, float presence, float frequency, struct sampler_scratch *s)
{
	next_epoch(s);
	for (size_t i = 0; i < in->n_output; i++) {
		int32_t id = in->output[i];
		if (!in_vocab(id, s->vocab))
			continue;
		logits[id] -= frequency + (first_time(s, id) ? presence : 0);
	}
}

enum { LANES = 16 };

/* Lanes, so that the compiler may use vectors: a plain running maximum is one long chain. */
static float top_logit(const float *logits, int32_t vocab)
{
	float lane[LANES], top = -INFINITY;
	int32_t i = 0;
	for (int j = 0; j < LANES; j++)
		lane[j] = -INFINITY;
	for (; i + LANES <= vocab; i += LANES)
		for (int j = 0; j < LANES; j++)
			lane[j] = logits[i + j] > lane[j] ? logits[i + j] : lane[j];
	for (; i < vocab; i++)
		top = logits[i] > top ? logits[i] : top;
	for (int j = 0; j < LANES; j++)
		top = lane[j] > top ? lane[j] : top;
	return top;
}

int32_t sampler_greedy(const float *logits, int32_t vocab)
{
	float top = top_logit(logits, vocab);
	for (int32_t i = 0; i < vocab; i++)
		if (logits[i] == top)
			return i;
	return 0;
}

/* --- filters --------------------------------------------------------------------------------------------------------- */

void sampler_collect(const float *logits, int32_t vocab, float temperature, struct candidates *c)
{
	float r = 1.0f / temperature;
	c->n = 0;
	for (int32_t i = 0; i < vocab; i++) {
		c->ids[c->n] = i;
		c->logits[c->n] = logits[i] * r;
		c->n += logits[i] > -INFINITY;
	}
}

static void swap(struct candidates *c, int32_t i, int32_t j)
{
	int32_t id = c->ids[i];
	float x = c->logits[i], p = c->p[i];
	c->ids[i] = c->ids[j], c->logits[i] = c->logits[j], c->p[i] = c->p[j];
	c->ids[j] = id, c->logits[j] = x, c->p[j] = p;
}

/* The k-th largest of x[0, n), k from 1: quickselect, which reorders x. */
static float kth_largest(float *x, int32_t n, int32_t k)
{
	int32_t lo = 0, hi = n - 1, want = k - 1;
	while (lo < hi) {
		float pivot = x[lo + (hi - lo) / 2];
		int32_t i = lo, j = hi;
		while (i <= j) {
			while (x[i] > pivot)
				i++;
			while (x[j] < pivot)
				j--;
			if (i <= j) {
				float t = x[i];
				x[i++] = x[j];
				x[j--] = t;
			}
		}
		if (want <= j)
			hi = j;
		else if (want >= i)
			lo = i;
		else
			break;
	}
	return x[want];
}

void sampler_top_k(struct candidates *c, int32_t k)
{
	if (k <= 0 || k >= c->n)
		return;
	memcpy(c->p, c->logits, (size_t)c->n * sizeof(float));
	float floor = kth_largest(c->p, c->n, k);
	int32_t kept = 0;
	for (int32_t i = 0; i < c->n; i++)
		if (c->logits[i] >= floor)
			swap(c, kept++, i);
	c->n = kept;
}

static void softmax(struct candidates *c)
{
	memcpy(c->p, c->logits, (size_t)c->n * sizeof(float));
	rows_softmax(c->p, c->n, 1, c->n, SOLO);
}

/* Descending by p, lower id first among equals. Heap sort, since the three arrays move together: the last in order is at the root. */
static bool before(const struct candidates *c, int32_t i, int32_t j)
{
	return c->p[i] > c->p[j] || (c->p[i] == c->p[j] && c->ids[i] < c->ids[j]);
}

static void sift(struct candidates *c, int32_t root, int32_t n)
{
	for (int32_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && before(c, child, child + 1))
			child++;
		if (before(c, child, root))
			return;
		swap(c, root, child);
	}
}

static void sort_descending(struct candidates *c)
{
	for (int32_t i = c->n / 2 - 1; i >= 0; i--)
		sift(c, i, c->n);
	for (int32_t end = c->n - 1; end > 0; end--) {
		swap(c, 0, end);
		sift(c, 0, end);
	}
}

void sampler_top_p(struct candidates *c, float p)
{
	if (p >= 1 || c->n < 2)
		return;
	softmax(c);
	/* All tokens below (1 - p) / n together weigh less than 1 - p: none of them is in the head, so only the rest is sorted. */
	float floor = (1 - p) / (float)c->n;
	int32_t kept = 0;
	for (int32_t i = 0; i < c->n; i++)
		if (c->p[i] >= floor)
			swap(c, kept++, i);
	c->n = kept;
	sort_descending(c);
	double mass = 0;
	for (kept = 0; kept < c->n && (kept == 0 || mass < p); kept++)
		mass += c->p[kept];
	c->n = kept;
}

void sampler_min_p(struct candidates *c, float min_p)
{
	if (min_p <= 0 || c->n == 0)
		return;
	float top = -INFINITY;
	for (int32_t i = 0; i < c->n; i++)
		top = fmaxf(top, c->logits[i]);
	float floor = top + logf(min_p);
	int32_t kept = 0;
	for (int32_t i = 0; i < c->n; i++)
		if (c->logits[i] >= floor)
			swap(c, kept++, i);
	c->n = kept;
}

void sampler_typical(struct candidates *c, float mass)
{
	if (mass >= 1 || c->n < 2)
		return;
	softmax(c);
	double entropy = 0, sum = 0;
	for (int32_t i = 0; i < c->n; i++)
		entropy -= c->p[i] > 0 ? c->p[i] * log((double)c->p[i]) : 0;
	/* Sort by closeness of -log p to the entropy: the key is its negative distance. */
	for (int32_t i = 0; i < c->n; i++)
		c->p[i] = c->p[i] > 0 ? -(float)fabs(-log((double)c->p[i]) - entropy) : -INFINITY;
	sort_descending(c);
	float top = -INFINITY;
	double total = 0;
	for (int32_t i = 0; i < c->n; i++)
		top = fmaxf(top, c->logits[i]);
	for (int32_t i = 0; i < c->n; i++)
		total += exp((double)(c->logits[i] - top));
	int32_t last = 0;
	for (int32_t i = 0; i < c->n && sum < mass; last = i++)
		sum += exp((double)(c->logits[i] - top)) / total;
	while (last + 1 < c->n && c->p[last + 1] == c->p[last])
		last++;
	c->n = last + 1;
}

int32_t sampler_draw(struct candidates *c, float uniform)
{
	softmax(c);
	double at = 0;
	for (int32_t i = 0; i < c->n; i++) {
		at += c->p[i];
		if (uniform < at)
			return c->ids[i];
	}
	return c->n ? c->ids[c->n - 1] : 0;
}

/* --- the whole --------------------------------------------------------------------------------------------------------- */

static void processors(float *logits, const struct sampler_input *in, struct sampler_scratch *s)
{
	const struct sampling *o = in->sampling;
	sampler_bias(logits, s->vocab, o->bias_ids, o->bias_values, o->n_bias);
	if (in->n_output < (size_t)(o->min_tokens > 0 ? o->min_tokens : 0))
		sampler_mask(logits, s->vocab, in->end_ids, in->n_end_ids);
	if (o->repetition_penalty != 1)
		sampler_repetition(logits, in, o->repetition_penalty, s);
	if (o->presence_penalty != 0 || o->frequency_penalty != 0)
		sampler_presence_frequency(logits, in, o->presence_penalty, o->frequency_penalty, s);
}

int32_t sampler_choose(float *logits, const struct sampler_input *in, struct sampler_scratch *s)
{
	const struct sampling *o = in->sampling;
	struct candidates c = s->c;
	processors(logits, in, s);
	if (o->temperature <= 0)
		return sampler_greedy(logits, s->vocab);
	sampler_collect(logits, s->vocab, o->temperature, &c);
	sampler_top_k(&c, o->top_k);
	sampler_top_p(&c, o->top_p);
	sampler_min_p(&c, o->min_p);
	sampler_typical(&c, o->typical_p);
	return sampler_draw(&c, random_uniform(o->seed, RANDOM_SAMPLE, 0, in->n_output));
}

/* Insertion into a list of at most n, best first, lower id first among equals. */
static void insert(struct token_logprob *top, size_t *len, size_t n, int32_t id, float x)
{
	size_t i = *len < n ? *len : n - 1;
	if (*len == n && x <= top[n - 1].logprob)
		return;
	for (; i > 0 && top[i - 1].logprob < x; i--)
		top[i] = top[i - 1];
	top[i] = (struct token_logprob){id, x};
	*len += *len < n;
}

float sampler_log_norm(const float *logits, int32_t vocab)
{
	double sum = 0;
	float max = top_logit(logits, vocab);
	for (int32_t i = 0; i < vocab; i++)
		sum += expf(logits[i] - max);
	return max + (float)log(sum);
}

void sampler_best(const float *logits, int32_t vocab, float log_norm, struct token_logprob *top, size_t n)
{
	size_t len = 0;
	for (int32_t i = 0; n > 0 && i < vocab; i++)
		insert(top, &len, n, i, logits[i] - log_norm);
}
