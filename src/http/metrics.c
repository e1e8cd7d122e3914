/* metrics.c: the registry behind metrics.h. Updates are rare next to the work they count, so one mutex and a short
 * list of series per metric are enough. */
#include "http/metrics.h"

#include "base/mem.h"
#include "base/vec.h"
#include <math.h>
#include <pthread.h>

struct series {
	char *labels;         /* rendered, without braces */
	double value;         /* histogram: the sum */
	uint64_t count;
	uint64_t *buckets;    /* histogram: [n_bounds], not cumulated */
};
struct family { VEC(struct series) series; };
struct metrics {
	pthread_mutex_t mu;          /* guards everything below */
	const struct metric_row *rows;
	struct family *families;     /* one per row */
	size_t n;
	char *constant;
};

static void family_done(struct family *f)
{
	for (size_t j = 0; j < f->series.len; j++) {
		free(f->series.data[j].labels);
		free(f->series.data[j].buckets);
	}
	vec_done(&f->series);
}

struct metrics *metrics_new(const struct metric_row *rows, size_t n, const char *constant_labels)
{
	struct metrics *m = mem_alloc(sizeof *m);
	pthread_mutex_init(&m->mu, NULL);
	m->rows = rows;
	m->n = n;
	m->families = mem_array(n, sizeof *m->families);
	m->constant = mem_strdup(constant_labels ? constant_labels : "");
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		family_done(&m->families[i]);
	free(m->families);
	free(m->constant);
	pthread_mutex_destroy(&m->mu);
	free(m);
}

static struct series *find(struct metrics *m, size_t row, const char *labels)
{
	struct family *f = &m->families[row];
	for (size_t i = 0; i < f->series.len; i++)
		if (strcmp(f->series.data[i].labels, labels) == 0)
			return &f->series.data[i];
	return NULL;
}

static struct series *obtain(struct metrics *m, size_t row, const char *labels)
{
	struct series *s = find(m, row, labels ? labels : "");
	if (s)
		return s;
	struct family *f = &m->families[row];
	if (f->series.len >= METRICS_SERIES_MAX && (s = find(m, row, "overflow=\"true\"")))
		return s;
	struct series fresh = {.labels = mem_strdup(f->series.len >= METRICS_SERIES_MAX ? "overflow=\"true\"" : labels ? labels : "")};
	if (m->rows[row].kind == METRIC_HISTOGRAM)
		fresh.buckets = mem_array(m->rows[row].n_bounds + 1, sizeof *fresh.buckets);
	vec_push(&f->series, fresh);
	return &f->series.data[f->series.len - 1];
}

void metrics_add(struct metrics *m, size_t row, const char *labels, double amount)
{
	pthread_mutex_lock(&m->mu);
	obtain(m, row, labels)->value += amount;
	pthread_mutex_unlock(&m->mu);
}

void metrics_set(struct metrics *m, size_t row, const char *labels, double value)
{
	pthread_mutex_lock(&m->mu);
	obtain(m, row, labels)->value = value;
	pthread_mutex_unlock(&m->mu);
}

void metrics_observe(struct metrics *m, size_t row, const char *labels, double value)
{
	pthread_mutex_lock(&m->mu);
	struct series *s = obtain(m, row, labels);
	s->value += value;
	s->count++;
	for (size_t i = 0; i < m->rows[row].n_bounds; i++) {
		if (value <= m->rows[row].bounds[i]) {
			s->buckets[i]++;
			break;
		}
	}
	pthread_mutex_unlock(&m->mu);
}

void metrics_clear(struct metrics *m, size_t row)
{
	pthread_mutex_lock(&m->mu);
	family_done(&m->families[row]);
	pthread_mutex_unlock(&m->mu);
}

double metrics_value(struct metrics *m, size_t row, const char *labels)
{
	pthread_mutex_lock(&m->mu);
	const struct series *s = find(m, row, labels ? labels : "");
	double v = !s ? 0 : s->buckets ? (double)s->count : s->value;
	pthread_mutex_unlock(&m->mu);
	return v;
}

static void put_escaped(struct buf *out, const char *text, bool quote)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			buf_puts(out, "\\n");
		else if (*p == '\\' || (quote && *p == '"'))
			buf_printf(out, "\\%c", *p);
		else
			buf_putc(out, *p);
	}
}

void metrics_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s%s=\"", out->len ? "," : "", name);
	put_escaped(out, value, true);
	buf_putc(out, '"');
}

static void put_number(struct buf *out, double v)
{
	if (isnan(v))
		buf_puts(out, "NaN");
	else if (isinf(v))
		buf_puts(out, v > 0 ? "+Inf" : "-Inf");
	else if (v == floor(v) && fabs(v) < 9e15)
		buf_printf(out, "%.1f", v); /* the Python client's form: "3.0" */
	else
		buf_printf(out, "%.*g", 10, v);
}

/* `name_suffix{constant,labels,extra} ` */
static void put_head(struct buf *out, const struct metrics *m, size_t row, const char *suffix, const char *labels, const char *extra)
{
	buf_printf(out, "%s%s", m->rows[row].name, suffix);
	const char *parts[] = {m->constant, labels, extra};
	bool open = false;
	for (size_t i = 0; i < 3; i++) {
		if (!parts[i][0])
			continue;
		buf_printf(out, "%c%s", open ? ',' : '{', parts[i]);
		open = true;
	}
	buf_puts(out, open ? "} " : " ");
}

static void put_histogram(struct buf *out, const struct metrics *m, size_t row, const struct series *s)
{
	uint64_t below = 0;
	for (size_t i = 0; i <= m->rows[row].n_bounds; i++) {
		struct buf bound = {0};
		bool last = i == m->rows[row].n_bounds;
		buf_puts(&bound, "le=\"");
		put_number(&bound, last ? INFINITY : m->rows[row].bounds[i]);
		buf_putc(&bound, '"');
		below = last ? s->count : below + s->buckets[i];
		put_head(out, m, row, "_bucket", s->labels, bound.data);
		buf_printf(out, "%llu\n", (unsigned long long)below);
		buf_done(&bound);
	}
	put_head(out, m, row, "_sum", s->labels, "");
	put_number(out, s->value);
	buf_putc(out, '\n');
	put_head(out, m, row, "_count", s->labels, "");
	buf_printf(out, "%llu\n", (unsigned long long)s->count);
}

void metrics_render(struct metrics *m, struct buf *out)
{
	static const char *const KINDS[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
	pthread_mutex_lock(&m->mu);
	for (size_t row = 0; row < m->n; row++) {
		const struct family *f = &m->families[row];
		if (f->series.len == 0)
			continue;
		buf_printf(out, "# HELP %s ", m->rows[row].name);
		put_escaped(out, m->rows[row].help, false);
		buf_printf(out, "\n# TYPE %s %s\n", m->rows[row].name, KINDS[m->rows[row].kind]);
		for (size_t i = 0; i < f->series.len; i++) {
			const struct series *s = &f->series.data[i];
			if (m->rows[row].kind == METRIC_HISTOGRAM) {
				put_histogram(out, m, row, s);
				continue;
			}
			put_head(out, m, row, "", s->labels, "");
			put_number(out, s->value);
			buf_putc(out, '\n');
		}
	}
	pthread_mutex_unlock(&m->mu);
}
