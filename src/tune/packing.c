/* packing.c: several examples in one row, so that batches of short rows waste no work.
 * Best fit decreasing (Johnson 1974): longest first, each into the fullest row that still has room. Rows are found by their
 * free space through a bit set over 0 .. max_length, so packing costs n · max_length / 64 word reads at worst. */
#include "tune/layout.h"

#include "base/vec.h"

static int by_length_down(const void *a, const void *b)
{
	const struct unit_part *x = a, *y = b;
	int32_t m = x->to - x->from, n = y->to - y->from;
	if (m != n)
		return m > n ? -1 : 1;
	if (x->example != y->example)
		return x->example < y->example ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

typedef VEC(struct unit_part) part_vec;

/* The examples as pieces of at most max_length tokens (0: whole). */
static void cut_pieces(const struct examples *e, const int64_t *list, int64_t n, int32_t max_length, part_vec *pieces)
{
	for (int64_t i = 0; i < n; i++) {
		int32_t length = e->rows[list[i]].length, step = max_length ? max_length : length;
		for (int32_t from = 0; from < length; from += step)
			vec_push(pieces, (struct unit_part){list[i], from, length - from < step ? length : from + step});
	}
}

static void measure(struct units *u)
{
	for (int64_t i = 0; i < u->count; i++) {
		int32_t n = units_length(u, i);
		u->longest = n > u->longest ? n : u->longest;
		for (int64_t p = u->first[i]; p < u->first[i + 1]; p++) {
			int32_t part = u->joined ? n : u->parts[p].to - u->parts[p].from;
			u->longest_sequence = part > u->longest_sequence ? part : u->longest_sequence;
		}
	}
}

/* bin_of[piece] -> units with their parts in order of placement. */
static void gather(struct units *u, const part_vec *pieces, const int64_t *bin_of, int64_t bins)
{
	u->count = bins;
	u->first = mem_array((size_t)bins + 2, sizeof *u->first);
	u->parts = mem_array(pieces->len + 1, sizeof *u->parts);
	for (size_t i = 0; i < pieces->len; i++)
		u->first[bin_of[i] + 2]++;
	for (int64_t b = 0; b < bins; b++)
		u->first[b + 2] += u->first[b + 1];
	for (size_t i = 0; i < pieces->len; i++)
		u->parts[u->first[bin_of[i] + 1]++] = pieces->data[i];
}

struct shelf { int32_t max; uint64_t *bits; int64_t *head, *next; }; /* rows by free space: head[free] -> next[row] */

static void shelf_put(struct shelf *s, int32_t space, int64_t row)
{
	s->next[row] = s->head[space];
	s->head[space] = row;
	s->bits[space / 64] |= 1ull << (space % 64);
}

/* A row with at least `need` free, as full as possible, or -1; it is taken off. */
static int64_t shelf_take(struct shelf *s, int32_t need, int32_t *space)
{
	int32_t word = need / 64, words = s->max / 64 + 1;
	uint64_t mask = s->bits[word] & (~0ull << (need % 64));
	while (!mask && ++word < words)
		mask = s->bits[word];
	if (!mask)
		return -1;
	*space = word * 64 + __builtin_ctzll(mask);
	int64_t row = s->head[*space];
	s->head[*space] = s->next[row];
	if (s->head[*space] < 0)
		s->bits[word] &= ~(1ull << (*space % 64));
	return row;
}

static void pack_best_fit(struct units *u, part_vec *pieces, int32_t max_length)
{
	int64_t *bin_of = mem_array(pieces->len + 1, sizeof *bin_of), bins = 0;
	struct shelf s = {max_length, mem_array((size_t)max_length / 64 + 2, sizeof *s.bits), mem_array((size_t)max_length + 1, sizeof *s.head),
			  mem_array(pieces->len + 1, sizeof *s.next)};
	for (int32_t i = 0; i <= max_length; i++)
		s.head[i] = -1;
	if (pieces->len)
		qsort(pieces->data, pieces->len, sizeof *pieces->data, by_length_down);
	for (size_t i = 0; i < pieces->len; i++) {
		int32_t need = pieces->data[i].to - pieces->data[i].from, space = max_length;
		int64_t row = shelf_take(&s, need, &space);
		bin_of[i] = row < 0 ? bins++ : row;
		shelf_put(&s, (row < 0 ? max_length : space) - need, bin_of[i]);
	}
	gather(u, pieces, bin_of, bins);
	free(bin_of);
	free(s.bits);
	free(s.head);
	free(s.next);
}

/* One stream of all examples, cut every max_length tokens; a short last row stays. */
static void pack_wrapped(struct units *u, const struct examples *e, const int64_t *list, int64_t n, int32_t max_length)
{
	part_vec parts = {0};
	VEC(int64_t) first = {0};
	int32_t room = 0;
	for (int64_t i = 0; i < n; i++)
		for (int32_t from = 0, length = e->rows[list[i]].length; from < length;) {
			if (room == 0) {
				vec_push(&first, (int64_t)parts.len);
				room = max_length;
			}
			int32_t take = length - from < room ? length - from : room;
			vec_push(&parts, (struct unit_part){list[i], from, from + take});
			from += take;
			room -= take;
		}
	u->count = (int64_t)first.len;
	vec_push(&first, (int64_t)parts.len);
	u->parts = parts.data;
	u->first = first.data;
}

int units_build(struct units *u, const struct examples *e, const int64_t *list, int64_t n, enum packing packing, int32_t max_length, struct err *err)
{
	part_vec pieces = {0};
	*u = (struct units){.joined = packing == PACKING_WRAPPED};
	if (packing != PACKING_NONE && max_length < 2)
		return err_set(err, ERR_CONFIG, "packing needs max_length");
	if (packing == PACKING_WRAPPED) {
		pack_wrapped(u, e, list, n, max_length);
	} else {
		cut_pieces(e, list, n, packing == PACKING_SPLIT ? max_length : 0, &pieces);
		if (packing != PACKING_NONE) {
			pack_best_fit(u, &pieces, max_length);
		} else {
			int64_t *own = mem_array(pieces.len + 1, sizeof *own);
			for (size_t i = 0; i < pieces.len; i++)
				own[i] = (int64_t)i;
			gather(u, &pieces, own, (int64_t)pieces.len);
			free(own);
		}
	}
	vec_done(&pieces);
	measure(u);
	return 0;
}
