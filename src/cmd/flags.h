/* flags.h: table-driven long options: "--name VALUE" or "--name=VALUE". One row per flag gives parsing, range
 * check, --help text and the reference page. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flag_kind { FLAG_BOOL, FLAG_INT, FLAG_FLOAT, FLAG_STRING, FLAG_LIST /* repeatable string */, FLAG_DURATION /* "2m30s" into int64_t milliseconds */ };
struct flag_list { const char **items; size_t len; };
struct flag {
	const char *name;        /* without dashes */
	const char *value_name;  /* "PATH"; NULL for bool */
	enum flag_kind kind;
	void *out;               /* bool*, int64_t*, double*, const char**, struct flag_list*, int64_t* */
	const char *help;        /* one sentence; default in parentheses */
	bool required;
	double min, max;         /* INT, FLOAT and DURATION (ms), checked when min < max */
	bool environment;        /* flags_environment reads it: --log-level from LOG_LEVEL */
};
/* positional: out array for up to max_positional words (NULL: none allowed). Returns 0; 1 when --help was printed; -1 with
 * ERR_USAGE naming the flag and the nearest valid name. Flag list storage is freed by flags_done. */
WARN_UNUSED int flags_parse(const char *usage, const struct flag *flags, size_t n, int argc, char **argv,
			    const char **positional, size_t max_positional, size_t *n_positional, struct err *err);
/* Values of the rows marked `environment` from variables that are set and not empty. Before flags_parse, which replaces them. */
WARN_UNUSED int flags_environment(const struct flag *flags, size_t n, struct err *err);
void flags_done(const struct flag *flags, size_t n);
