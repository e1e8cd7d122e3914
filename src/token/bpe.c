/* bpe.c: see bpe.h. Symbols form a linked list inside one array; the heap holds (key, position) as one number, so equal
 * keys come out leftmost first. A heap entry is stale when its symbol is gone or its pair has another key by now. */
#include "token/bpe.h"

#define NONE UINT32_MAX

int bpe_init(struct bpe *b, const struct vocab *vocab, int64_t count, uint32_t gap, struct err *err)
{
	if (count > LIMIT_VOCAB)
		return err_set(err, ERR_LIMIT, "the tokenizer has %lld merges, more than the limit of %d", (long long)count, LIMIT_VOCAB);
	*b = (struct bpe){.vocab = vocab, .gap = gap, .cap = (int32_t)count};
	b->merges = mem_try_alloc((size_t)count, sizeof *b->merges, err);
	b->slots = b->merges ? vocab_slots_new(count, &b->mask, err) : NULL;
	if (b->slots)
		return 0;
	bpe_done(b);
	return -1;
}

void bpe_done(struct bpe *b)
{
	free(b->merges);
	free(b->slots);
	*b = (struct bpe){0};
}

void bpe_scratch_done(struct bpe_scratch *s)
{
	vec_done(&s->symbols);
	vec_done(&s->heap);
}

static str left_of(const struct bpe *b, int32_t rank) { return (str){b->merges[rank].data, b->merges[rank].left_len}; }

static str right_of(const struct bpe *b, int32_t rank)
{
	const struct bpe_merge *m = &b->merges[rank];
	return (str){m->data + m->left_len + b->gap, m->right_len};
}

static uint32_t pair_hash(uint32_t left, uint32_t right)
{
	uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
	return (uint32_t)(h >> 32);
}

static uint32_t *probe(const struct bpe *b, str left, str right, uint32_t hash)
{
	for (uint32_t at = hash & b->mask;; at = (at + 1) & b->mask) {
		uint32_t slot = b->slots[at];
		if (slot == 0)
			return &b->slots[at];
		int32_t rank = VOCAB_SLOT_INDEX(slot);
		if (VOCAB_SLOT_MATCHES(slot, hash) && str_eq(left_of(b, rank), left) && str_eq(right_of(b, rank), right))
			return &b->slots[at];
	}
}

int bpe_add(struct bpe *b, const char *data, size_t left_len, size_t right_len, struct err *err)
{
	if (left_len == 0 || right_len == 0)
		return err_set(err, ERR_MODEL, "merge %d joins an empty token", b->count);
	if (b->count == b->cap)
		return err_set(err, ERR_INTERNAL, "more merges than announced");
	int32_t rank = b->count++;
	b->merges[rank].data = data;
	b->merges[rank].left_len = (uint32_t)left_len;
	b->merges[rank].right_len = (uint32_t)right_len;
	atomic_init(&b->merges[rank].result, -2);
	str left = left_of(b, rank), right = right_of(b, rank);
	uint32_t hash = pair_hash(vocab_hash(left), vocab_hash(right));
	uint32_t *slot = probe(b, left, right, hash);
	if (*slot == 0)
		*slot = VOCAB_SLOT(hash, rank);
	return 0;
}

static int32_t result_of(const struct bpe *b, int32_t rank)
{
	int32_t id = atomic_load_explicit(&b->merges[rank].result, memory_order_relaxed);
	if (id == -2) {
		id = vocab_find_pair(b->vocab, left_of(b, rank), right_of(b, rank));
		atomic_store_explicit(&b->merges[rank].result, id, memory_order_relaxed);
	}
	return id;
}

int bpe_check(struct bpe *b, struct err *err)
{
	for (int32_t i = 0; i < b->count; i++)
		if (result_of(b, i) < 0)
			return err_set(err, ERR_MODEL, "merge %d ('%.*s' '%.*s') makes a token that is not in the vocabulary", i,
				       STR_FMT(left_of(b, i)), STR_FMT(right_of(b, i)));
	return 0;
}

/* Floats in descending order as ascending unsigned numbers. NaN sorts somewhere, which is all a hostile file needs. */
static uint32_t score_key(float score)
{
	uint32_t bits;
	memcpy(&bits, &score, 4);
	bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
	return ~bits;
}

static void rate_by_score(const struct bpe *b, str text, struct bpe_symbol *s, const struct bpe_symbol *next)
{
	s->merged = vocab_find(b->vocab, (str){text.data + s->from, s->len + next->len});
	if (s->merged >= 0 && b->vocab->flags[s->merged] & TOKEN_UNMERGED)
		s->merged = -1;
	if (s->merged >= 0)
		s->key = score_key(b->scores[s->merged]);
}

static void rate_by_rank(const struct bpe *b, struct bpe_symbol *s, const struct bpe_symbol *next)
{
	s->merged = -1;
	if (s->id < 0 || next->id < 0)
		return;
	const struct vocab_token *left = &b->vocab->tokens[s->id], *right = &b->vocab->tokens[next->id];
	uint32_t slot = *probe(b, vocab_at(b->vocab, s->id), vocab_at(b->vocab, next->id), pair_hash(left->hash, right->hash));
	if (slot == 0)
		return;
	s->key = (uint32_t)VOCAB_SLOT_INDEX(slot);
	s->merged = result_of(b, VOCAB_SLOT_INDEX(slot));
}

static void heap_push(struct bpe_scratch *s, uint64_t entry)
{
	vec_push(&s->heap, entry);
	uint64_t *h = s->heap.data;
	size_t i = s->heap.len - 1;
	for (; i > 0 && h[(i - 1) / 2] > entry; i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = entry;
}

static uint64_t heap_pop(struct bpe_scratch *s)
{
	uint64_t *h = s->heap.data, top = h[0], last = h[--s->heap.len];
	size_t n = s->heap.len, i = 0;
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && h[child + 1] < h[child])
			child++;
		if (h[child] >= last)
			break;
		h[i] = h[child];
	}
	h[i] = last;
	return top;
}

/* Rate the pair that begins at symbol i and queue it if it merges. */
static void consider(const struct bpe *b, str text, struct bpe_scratch *s, uint32_t i)
{
	struct bpe_symbol *symbol = &s->symbols.data[i];
	symbol->merged = -1;
	if (symbol->next == NONE)
		return;
	if (b->scores)
		rate_by_score(b, text, symbol, &s->symbols.data[symbol->next]);
	else
		rate_by_rank(b, symbol, &s->symbols.data[symbol->next]);
	if (symbol->merged >= 0)
		heap_push(s, (uint64_t)symbol->key << 32 | i);
}

static void merge_at(struct bpe_scratch *s, uint32_t i)
{
	struct bpe_symbol *left = &s->symbols.data[i], *right = &s->symbols.data[left->next];
	left->id = left->merged;
	left->len += right->len;
	right->len = 0; /* gone */
	left->next = right->next;
	if (left->next != NONE)
		s->symbols.data[left->next].prev = i;
}

void bpe_run(const struct bpe *b, str text, struct bpe_scratch *s)
{
	uint32_t n = (uint32_t)s->symbols.len;
	s->heap.len = 0;
	for (uint32_t i = 0; i < n; i++) {
		s->symbols.data[i].prev = i ? i - 1 : NONE;
		s->symbols.data[i].next = i + 1 < n ? i + 1 : NONE;
	}
	for (uint32_t i = 0; i < n; i++)
		consider(b, text, s, i);
	while (s->heap.len > 0) {
		uint64_t entry = heap_pop(s);
		uint32_t i = (uint32_t)entry;
		const struct bpe_symbol *symbol = &s->symbols.data[i];
		if (symbol->len == 0 || symbol->merged < 0 || symbol->key != (uint32_t)(entry >> 32))
			continue;
		merge_at(s, i);
		consider(b, text, s, i);
		if (symbol->prev != NONE)
			consider(b, text, s, symbol->prev);
	}
}
