/* examples.c: see examples.h. */
#include "tune/examples.h"

#include "base/limits.h"

static int encode_row(struct examples *e, int64_t source, struct err *err)
{
	struct data_row row = {0};
	if (data_read(e->data, source, &row, err) < 0)
		return -1;
	int rc = collator_encode(e->collator, &row, &e->scratch, err);
	data_row_done(&row);
	return rc < 0 ? err_wrap(err, "%s", data_where(e->data, source)) : 0;
}

static void keep(struct examples *e, struct example_row *row, size_t max_tokens)
{
	size_t n = e->scratch.tokens.len;
	row->length = (int32_t)n;
	if (e->n_tokens + n > max_tokens) {
		row->at = EXAMPLE_NOT_KEPT;
		return;
	}
	if (e->n_tokens + n > e->cap_tokens) {
		e->cap_tokens = e->n_tokens + n > e->cap_tokens * 2 ? e->n_tokens + n : e->cap_tokens * 2;
		e->tokens = mem_realloc(e->tokens, e->cap_tokens * sizeof *e->tokens);
	}
	memcpy(e->tokens + e->n_tokens, e->scratch.tokens.data, n * sizeof *e->tokens);
	row->at = e->n_tokens;
	e->n_tokens += n;
}

static void count_cut(struct examples *e, int64_t source)
{
	if (e->scratch.cut == 0)
		return;
	if (e->cut++ == 0)
		snprintf(e->first_cut, sizeof e->first_cut, "%s has %zu tokens", data_where(e->data, source), e->scratch.tokens.len + (size_t)e->scratch.cut);
}

/* Only the row's own faults may be skipped: not a full disk, not a wrong configuration. */
static bool is_row_fault(const struct err *err) { return err->kind == ERR_DATA || err->kind == ERR_LIMIT; }

static int take_row(struct examples *e, int64_t source, const struct examples_options *o, struct digest *digest, int64_t *bad_row, struct err *err)
{
	struct err fault = ERR_INIT;
	if (encode_row(e, source, &fault) < 0) {
		if (o->skip_bad_rows && is_row_fault(&fault)) {
			if (e->bad++ == 0)
				memcpy(e->first_bad, fault.message, sizeof e->first_bad);
			return 0;
		}
		if (bad_row)
			*bad_row = source + 1;
		*err = fault;
		return -1;
	}
	if (o->refuse_long_rows && e->scratch.cut) {
		if (bad_row)
			*bad_row = source + 1;
		return err_set(err, ERR_DATA, "%s has %zu tokens, more than the %d that fit", data_where(e->data, source),
			       e->scratch.tokens.len + (size_t)e->scratch.cut, e->collator->max_length);
	}
	if (e->scratch.trained == 0) {
		e->empty++;
		return 0;
	}
	count_cut(e, source);
	struct example_row *row = &e->rows[e->count++];
	row->source = source;
	keep(e, row, o->max_tokens ? o->max_tokens : LIMIT_TUNE_CACHE_TOKENS);
	e->total_tokens += row->length;
	e->longest = row->length > e->longest ? row->length : e->longest;
	digest_update(digest, &row->length, sizeof row->length);
	digest_update(digest, e->scratch.tokens.data, e->scratch.tokens.len * sizeof *e->scratch.tokens.data);
	return 0;
}

static int read_all(struct examples *e, const struct examples_options *o, struct digest *digest, int64_t *bad_row, struct err *err)
{
	int64_t n = data_rows(e->data);
	for (int64_t i = 0; i < n; i++) {
		if (o->stop && atomic_load_explicit(o->stop, memory_order_relaxed))
			return err_set(err, ERR_CANCELLED, "stopped while reading the dataset");
		if (take_row(e, i, o, digest, bad_row, err) < 0)
			return -1;
		if (o->progress && i % 1000 == 999)
			o->progress(o->context, i + 1, n);
	}
	if (e->count == 0)
		return err_set(err, ERR_DATA, "no row is left to train on: %lld rows, %lld unreadable, %lld with nothing to learn%s%s", (long long)n,
			       (long long)e->bad, (long long)e->empty, e->bad ? "; first: " : "", e->first_bad);
	return 0;
}

int examples_read(struct examples *e, struct data *data, const struct collator *collator, const struct examples_options *o,
		  int64_t *bad_row, struct err *err)
{
	struct digest digest;
	*e = (struct examples){.data = data, .collator = collator};
	if (bad_row)
		*bad_row = 0;
	if (!(e->rows = mem_try_alloc((size_t)data_rows(data) + 1, sizeof *e->rows, err)))
		return -1;
	digest_init(&digest);
	int rc = read_all(e, o, &digest, bad_row, err);
	digest_finish(&digest, e->fingerprint);
	digest_done(&digest);
	if (rc < 0)
		examples_done(e);
	return rc;
}

const int32_t *examples_tokens(struct examples *e, int64_t i, struct err *err)
{
	const struct example_row *row = &e->rows[i];
	if (row->at != EXAMPLE_NOT_KEPT)
		return e->tokens + row->at;
	if (encode_row(e, row->source, err) < 0)
		return NULL;
	if ((int32_t)e->scratch.tokens.len == row->length)
		return e->scratch.tokens.data;
	err_set(err, ERR_DATA, "%s changed while it was trained on", data_where(e->data, row->source));
	return NULL;
}

void examples_done(struct examples *e)
{
	free(e->rows);
	free(e->tokens);
	example_done(&e->scratch);
	e->rows = NULL;
	e->tokens = NULL;
	e->count = 0;
}
