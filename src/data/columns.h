/* columns.h: which columns of a file make a training row. A reader lists what the file has; `columns_bind` picks by the
 * names the user gave, else by convention. */
#pragma once
#include "base/err.h"
#include "base/vec.h"
#include "data/data.h"

enum column_kind {
	COLUMN_TEXT,
	COLUMN_MESSAGES, /* a list of structs with role and content (or from and value) */
	COLUMN_OTHER
};

struct column {
	char *name;             /* owned */
	enum column_kind kind;
	const char *type;       /* static words for messages: "int64", "list" */
};

struct columns { VEC(struct column) list; };
void columns_add(struct columns *c, str name, enum column_kind kind, const char *type);
const struct column *columns_find(const struct columns *c, const char *name);
void columns_done(struct columns *c);

enum binding_style {
	BIND_MESSAGES,      /* names[0]: COLUMN_MESSAGES */
	BIND_MESSAGES_JSON, /* names[0]: text that holds a JSON array of messages */
	BIND_INSTRUCTION,   /* instruction, input (may be absent or null), output */
	BIND_COMPLETION,    /* prompt, completion */
	BIND_TEXT
};

#define BINDING_MAX 3
struct binding {
	enum binding_style style;
	char names[BINDING_MAX][256]; /* in the order of the style; "" for an absent input */
	size_t n;
};

/* Pairs of member names that make a message; the first pair that a struct has is used. */
extern const char *const MESSAGE_MEMBERS[2][2];

WARN_UNUSED int columns_bind(const struct columns *c, const struct data_options *options, struct binding *out, struct err *err);
enum data_shape binding_shape(const struct binding *b);
