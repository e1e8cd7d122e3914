/* metrics.h: counters, gauges and histograms, rendered as Prometheus text (exposition format 0.0.4).
 * Guarded by its own mutex: any thread may update and render. A series is a metric plus its rendered label set. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_row {
	const char *name, *help;
	enum metric_kind kind;
	const double *bounds;     /* METRIC_HISTOGRAM: ascending upper bounds, without +Inf */
	size_t n_bounds;
};

struct metrics;
/* rows: the table of all metrics, borrowed; updates name a row by its index. constant_labels: rendered labels that every
 * series carries, e.g. from metrics_label; may be NULL; copied. */
struct metrics *metrics_new(const struct metric_row *rows, size_t n, const char *constant_labels);
void metrics_free(struct metrics *m);

/* labels: NULL or rendered, `finished_reason="stop"`. Series are created on first use; past METRICS_SERIES_MAX
 * of one metric further label sets are counted in the series `overflow="true"`. */
#define METRICS_SERIES_MAX 256
void metrics_add(struct metrics *m, size_t row, const char *labels, double amount);     /* counter, gauge */
void metrics_set(struct metrics *m, size_t row, const char *labels, double value);      /* gauge; counter kept elsewhere */
void metrics_observe(struct metrics *m, size_t row, const char *labels, double value);  /* histogram */
/* Drops every series of the row: before a gauge is set anew for what exists now. */
void metrics_clear(struct metrics *m, size_t row);
double metrics_value(struct metrics *m, size_t row, const char *labels); /* counter or gauge; histogram: its count; 0 when unknown */

/* Appends name="value" with the escapes of the format, after a comma if out is not empty. */
void metrics_label(struct buf *out, const char *name, const char *value);
/* Series in table order, label sets in order of first use. A metric without series is omitted. */
void metrics_render(struct metrics *m, struct buf *out);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
