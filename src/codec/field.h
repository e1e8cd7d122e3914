/* field.h: table-driven configuration. One row per key gives decoding, default, validation, the nearest name for a typo and
 * the reference page. A section is a table of rows that fills one struct; a file is a list of sections.
 *
 * Decoding never stops at the first mistake: every error is collected with its path and line (up to LIMIT_FIELD_ERRORS) and
 * field_report_check turns them into one struct err (ERR_CONFIG). Text that reads as a number is accepted where a number is
 * wanted (PyYAML gives 2e-4 as text), and "true"/"false" text where a boolean is. null means "not given". */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/yaml.h"
#include <stdbool.h>
#include <stddef.h>

enum field_type {
	FIELD_BOOL,      /* bool */
	FIELD_OPT_BOOL,  /* int8_t: -1 not given, 0 false, 1 true */
	FIELD_INT,       /* int64_t; 3.0 counts as 3 */
	FIELD_NUMBER,    /* double */
	FIELD_STRING,    /* const char *, NULL: none */
	FIELD_STRINGS,   /* struct field_strings; one string is a list of one */
	FIELD_OBJECT,    /* const json_t * (borrowed from the document), NULL: none */
	FIELD_ANY        /* const json_t * (borrowed from the document), NULL: none; any type */
};
struct field_strings { const char **items; size_t len; };

enum field_use {
	FIELD_USED,
	FIELD_NOT_HERE,  /* accepted as upstream accepts it, has no effect on this machine; reported once when given */
	FIELD_REFUSED    /* would change the result and this build cannot do it: only "off" (null, false, 0, empty) or the default is accepted */
};
#define FIELD_NO_MEMBER UINT32_MAX

struct field {
	const char *name;
	enum field_type type;
	enum field_use use;
	uint32_t offset;            /* offsetof the member, or FIELD_NO_MEMBER */
	const char *fallback;       /* the default as YAML text: "8", "linear"; NULL: none (0, false, NULL, -1) */
	const char *help;           /* one sentence */
	double min, max;            /* INT and NUMBER: checked when min < max */
	const char *const *choices; /* STRING: the accepted words, NULL-terminated; NULL: any */
};
struct field_section {
	const char *name;
	const struct field *rows;
	size_t n;
	uint32_t offset;            /* of the section's struct inside the whole */
	const char *help;
};

struct field_error { const char *path, *why; uint32_t line; };
struct field_report {
	struct field_error errors[32];  /* LIMIT_FIELD_ERRORS */
	size_t n_errors, n_dropped;     /* dropped: past the limit */
	const char **ignored;           /* paths given by the user that have no effect here */
	size_t n_ignored;
	struct arena arena;
};

/* Every member gets its default. Strings live in `arena`. */
void field_defaults(const struct field_section *sections, size_t n, void *out, struct arena *arena);
/* Defaults, then the keys of `object` (a mapping of section names; NULL or null: only defaults). `path` prefixes paths in errors. */
void field_decode(const struct field_section *sections, size_t n, const json_t *object, const struct yaml_mark *mark, const char *path,
		  void *out, struct arena *arena, struct field_report *report);
/* For checks across keys, and for keys of other layers. */
void field_report_add(struct field_report *report, uint32_t line, const char *path, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* 0, or ERR_CONFIG "'name' line L: path: why (and N more)". */
WARN_UNUSED int field_report_check(const struct field_report *report, const char *name, struct err *err);
/* All errors, one line each, for a terminal. */
void field_report_print(const struct field_report *report, const char *name, struct buf *out);
void field_report_done(struct field_report *report);

/* Reference page: one Markdown table per section. */
void field_print_page(const struct field_section *sections, size_t n, struct buf *out);
