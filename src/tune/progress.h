/* progress.h: what a person sees: on a terminal one bar that is redrawn, on a pipe one plain line per log entry.
 * Owner: one thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out;
	bool bar;              /* a terminal, and bars are wanted */
	int64_t drawn_ms;      /* when the bar was drawn last */
	bool on_screen;        /* a bar stands on the current line */
};
struct progress_step {
	int64_t step, total;
	double epoch, loss, learning_rate, grad_norm, tokens_per_second, eta_seconds;
};
void progress_init(struct progress *p, FILE *out, bool wanted);
/* After every update: redraws the bar, at most ten times a second. */
void progress_update(struct progress *p, const struct progress_step *s);
/* At a log entry: a plain line when there is no bar. */
void progress_log(struct progress *p, const struct progress_step *s);
/* A line of text of its own, above the bar. */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends the bar's line. */
void progress_end(struct progress *p);
/* "1h02m", "4m10s", "12s"; out at least 24 bytes. */
void progress_duration(double seconds, char out[24]);
