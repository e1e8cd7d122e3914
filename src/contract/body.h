/* body.h: request bodies as tables. One row per member gives decoding, type and range check, the OpenAPI schema and
 * the reference page. Unknown members are ignored, as vLLM ignores them; null counts as absent.
 * An error's message starts with the member's name in quotes and a colon: `'temperature': must be …`; the server's error shape
 * takes "param" of the OpenAI error from there. */
#pragma once
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_kind {
	BODY_BOOL, BODY_INT, BODY_FLOAT, BODY_STRING, /* bool, int64_t, double, const char * (borrowed from the body) */
	BODY_ARRAY, BODY_OBJECT, BODY_ANY,             /* const json_t *, borrowed; checked by the endpoint */
	BODY_UNUSED                                      /* accepted, has no effect */
};
struct body_field {
	const char *name;
	enum body_kind kind;
	size_t offset;          /* into the endpoint's struct, which holds the default beforehand */
	bool required;
	double min, max;        /* INT, FLOAT; checked when min < max */
	const char *initial;    /* the default, as the documents show it; NULL: none */
	const char *help;
};
struct body_table { const char *title; const struct body_field *rows; size_t n; };
#define BODY_TABLE(name, rows) {name, rows, sizeof(rows) / sizeof((rows)[0])}

/* obj must be a JSON object (else ERR_INVALID). where: a prefix for names, "" or "generate_kwargs.". */
WARN_UNUSED int body_decode(const struct body_table *table, const json_t *obj, const char *where, void *out, struct err *err);
/* {"type":"object","properties":…,"required":[…]} */
json_t *body_schema(const struct body_table *const *tables);
const char *body_kind_name(enum body_kind kind);
