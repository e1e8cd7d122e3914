/* field_errors.h: the errors of one admission and their one text, in the form that upstream's webhook library gives: errors with the
 * same message are one line with all their paths, lines are sorted, "message: path, path" and an optional line of details below.
 * Clients match on this text. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/vec.h"
#include <stddef.h>

struct field_errors_item { char *message, *details; VEC(char *) paths; };
struct field_errors {
	VEC(struct field_errors_item) items;
	size_t dropped;     /* past LIMIT_ADMISSION_ERRORS */
	const char *prefix; /* borrowed; put before every path with a dot, as for the template of an InferenceSet; NULL: none */
};

/* path NULL: none ("message: "). */
void field_errors_generic(struct field_errors *e, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "invalid value: …" */
void field_errors_invalid(struct field_errors *e, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "missing field(s)" */
void field_errors_missing(struct field_errors *e, const char *path);
/* One more path for the error added last. */
void field_errors_also(struct field_errors *e, const char *path);
/* The line below the error added last. */
void field_errors_detail(struct field_errors *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends the text; returns how many lines of errors it has (0: none). */
size_t field_errors_print(struct field_errors *e, struct buf *out);
void field_errors_done(struct field_errors *e);
