/* batch.c: see batch.h. */
#include "tune/batch.h"

void batch_init(struct batch *b, int32_t max_rows)
{
	size_t n = (size_t)max_rows;
	*b = (struct batch){mem_array(n, sizeof(int32_t)), mem_array(n, sizeof(int32_t)), mem_array(n, sizeof(int32_t)), mem_array(n, sizeof(int32_t)), max_rows, 0};
}

static int add_part(struct batch *b, struct examples *e, const struct unit_part *part, int32_t segment, struct err *err)
{
	const int32_t *tokens = examples_tokens(e, part->example, err);
	if (!tokens)
		return -1;
	if (b->rows + part->to - part->from > b->max_rows)
		return err_set(err, ERR_LIMIT, "a batch has more than the planned %d tokens", b->max_rows);
	for (int32_t i = part->from; i < part->to; i++, b->rows++) {
		b->ids[b->rows] = example_id(tokens[i]);
		b->labels[b->rows] = tokens[i] < 0 ? TRAIN_IGNORE : tokens[i];
		b->positions[b->rows] = b->rows - segment;
		b->segments[b->rows] = segment;
	}
	return 0;
}

int batch_fill(struct batch *b, const struct units *u, struct examples *e, const int64_t *list, int64_t n, struct err *err)
{
	b->rows = 0;
	for (int64_t i = 0; i < n; i++) {
		int32_t segment = b->rows;
		for (int64_t p = u->first[list[i]]; p < u->first[list[i] + 1]; p++) {
			if (!u->joined)
				segment = b->rows;
			if (add_part(b, e, &u->parts[p], segment, err) < 0)
				return -1;
		}
	}
	return 0;
}

struct micro_batch batch_view(const struct batch *b) { return (struct micro_batch){b->rows, b->ids, b->labels, b->positions, b->segments}; }

void batch_done(struct batch *b)
{
	free(b->ids);
	free(b->labels);
	free(b->positions);
	free(b->segments);
	*b = (struct batch){0};
}
