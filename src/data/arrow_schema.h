/* arrow_schema.h: the fields of an Arrow schema as a list in depth-first order, and what they mean for training rows.
 * Type numbers are those of Schema.fbs's union Type. */
#pragma once
#include "base/vec.h"
#include "data/columns.h"
#include "data/flat.h"

enum arrow_type {
	ARROW_NULL = 1,
	ARROW_INT,
	ARROW_FLOAT,
	ARROW_BINARY,
	ARROW_UTF8,
	ARROW_BOOL,
	ARROW_DECIMAL,
	ARROW_DATE,
	ARROW_TIME,
	ARROW_TIMESTAMP,
	ARROW_INTERVAL,
	ARROW_LIST,
	ARROW_STRUCT,
	ARROW_UNION,
	ARROW_FIXED_BINARY,
	ARROW_FIXED_LIST,
	ARROW_MAP,
	ARROW_DURATION,
	ARROW_LARGE_BINARY,
	ARROW_LARGE_UTF8,
	ARROW_LARGE_LIST,
	ARROW_RUN_END,
	ARROW_BINARY_VIEW,
	ARROW_UTF8_VIEW,
	ARROW_LIST_VIEW,
	ARROW_LARGE_LIST_VIEW,
	ARROW_TYPE_COUNT
};

struct arrow_field {
	str name;
	int type;
	size_t end;               /* one past the last field below this one */
	size_t children;
	int64_t list_size;        /* ARROW_FIXED_LIST */
	bool dense;               /* ARROW_UNION */
	bool coded;               /* dictionary-encoded: `type` is the dictionary's, the column holds indices */
	int64_t dictionary;       /* its id */
	size_t index_bytes;
};

struct arrow_schema { VEC(struct arrow_field) fields; size_t columns; };

/* t: a Schema table. */
WARN_UNUSED int arrow_schema_read(struct arrow_schema *s, struct flat *f, struct flat_table t, struct err *err);
void arrow_schema_done(struct arrow_schema *s);

/* How many buffers of a record batch a field of a type has itself, and what they are. */
struct arrow_layout { const char *words; uint8_t buffers; bool validity, text, list; uint8_t offset_bytes; bool views; };
const struct arrow_layout *arrow_layout(int type);

#define ARROW_NO_FIELD SIZE_MAX
/* Fields that make a column of messages: role and content texts, and the lists they lie in (the same list twice when it is
 * a list of structs; `item` is then the struct, else the struct around both lists is `outer`). */
struct arrow_messages { size_t outer, item, list[2], text[2]; };
bool arrow_schema_messages(const struct arrow_schema *s, size_t column, struct arrow_messages *out);
void arrow_schema_columns(const struct arrow_schema *s, struct columns *out);
size_t arrow_schema_find(const struct arrow_schema *s, const char *name); /* a top-level field */
