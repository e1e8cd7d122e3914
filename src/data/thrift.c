/* thrift.c: the compact protocol's wire types, and the table-driven reader over them. */
#include "data/thrift.h"

#include "base/limits.h"

enum wire {
	WIRE_STOP,
	WIRE_TRUE,
	WIRE_FALSE,
	WIRE_BYTE,
	WIRE_I16,
	WIRE_I32,
	WIRE_I64,
	WIRE_DOUBLE,
	WIRE_BINARY,
	WIRE_LIST,
	WIRE_SET,
	WIRE_MAP,
	WIRE_STRUCT,
	WIRE_UUID
};

static uint8_t take_byte(struct thrift *t)
{
	if (t->p >= t->end) {
		t->bad = true;
		return 0;
	}
	return *t->p++;
}

static uint64_t take_varint(struct thrift *t)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = take_byte(t);
		v |= (uint64_t)(b & 0x7F) << shift;
		if (!(b & 0x80))
			return v;
	}
	t->bad = true;
	return 0;
}

static int64_t take_int(struct thrift *t)
{
	uint64_t v = take_varint(t);
	return (int64_t)(v >> 1 ^ -(v & 1));
}

static void skip_bytes(struct thrift *t, uint64_t n)
{
	if (n > (uint64_t)(t->end - t->p)) {
		t->bad = true;
		n = 0;
	}
	t->p += n;
}

static str take_str(struct thrift *t)
{
	uint64_t n = take_varint(t);
	const char *from = (const char *)t->p;
	skip_bytes(t, n);
	return (str){from, t->bad ? 0 : (size_t)n};
}

/* The next field's wire type; *id is moved on from the previous field's. WIRE_STOP also when bad. */
static enum wire take_head(struct thrift *t, int64_t *id)
{
	uint8_t b = take_byte(t);
	if (t->bad || (b & 0x0F) == WIRE_STOP)
		return WIRE_STOP;
	int64_t next = b >> 4 ? *id + (b >> 4) : take_int(t);
	t->bad |= next < INT16_MIN || next > INT16_MAX;
	*id = next;
	return t->bad ? WIRE_STOP : (enum wire)(b & 0x0F);
}

static size_t take_list_head(struct thrift *t, enum wire *element)
{
	uint8_t b = take_byte(t);
	uint64_t n = b >> 4 == 15 ? take_varint(t) : b >> 4;
	*element = (enum wire)(b & 0x0F);
	if (n > (uint64_t)(t->end - t->p)) /* an element takes a byte at least */
		t->bad = true;
	return t->bad ? 0 : (size_t)n;
}

static void skip(struct thrift *t, enum wire type, bool in_list, int depth);

static void skip_list(struct thrift *t, int depth)
{
	enum wire element;
	size_t n = take_list_head(t, &element);
	for (size_t i = 0; i < n && !t->bad; i++)
		skip(t, element, true, depth);
}

static void skip_map(struct thrift *t, int depth)
{
	uint64_t n = take_varint(t);
	uint8_t types = n ? take_byte(t) : 0;
	for (uint64_t i = 0; i < n && !t->bad; i++) {
		skip(t, (enum wire)(types >> 4), true, depth);
		skip(t, (enum wire)(types & 0x0F), true, depth);
	}
}

static void skip_struct(struct thrift *t, int depth)
{
	int64_t id = 0;
	for (enum wire type; (type = take_head(t, &id)) != WIRE_STOP;)
		skip(t, type, false, depth);
}

static void skip(struct thrift *t, enum wire type, bool in_list, int depth)
{
	if (depth > LIMIT_DATASET_NESTING) {
		t->bad = true;
		return;
	}
	switch (type) {
	case WIRE_TRUE:
	case WIRE_FALSE: skip_bytes(t, in_list); return; /* a field's boolean lies in its head */
	case WIRE_BYTE: skip_bytes(t, 1); return;
	case WIRE_I16:
	case WIRE_I32:
	case WIRE_I64: take_varint(t); return;
	case WIRE_DOUBLE: skip_bytes(t, 8); return;
	case WIRE_UUID: skip_bytes(t, 16); return;
	case WIRE_BINARY: take_str(t); return;
	case WIRE_LIST:
	case WIRE_SET: skip_list(t, depth + 1); return;
	case WIRE_MAP: skip_map(t, depth + 1); return;
	case WIRE_STRUCT: skip_struct(t, depth + 1); return;
	case WIRE_STOP: break;
	}
	t->bad = true;
}

static int32_t take_union(struct thrift *t)
{
	int64_t id = 0;
	int32_t first = 0;
	for (enum wire type; (type = take_head(t, &id)) != WIRE_STOP; skip(t, type, false, 1))
		first = first ? first : (int32_t)id;
	return first;
}

static bool is_wire(enum thrift_kind kind, enum wire type)
{
	switch (kind) {
	case THRIFT_BOOL: return type == WIRE_TRUE || type == WIRE_FALSE;
	case THRIFT_I32: return type == WIRE_I16 || type == WIRE_I32;
	case THRIFT_I64: return type == WIRE_I16 || type == WIRE_I32 || type == WIRE_I64;
	case THRIFT_STR: return type == WIRE_BINARY;
	case THRIFT_STRUCT:
	case THRIFT_UNION: return type == WIRE_STRUCT;
	case THRIFT_LIST: return type == WIRE_LIST;
	case THRIFT_PRESENT: return true;
	}
	return false;
}

static void take_field(struct thrift *t, const struct thrift_field *f, enum wire type, void *at)
{
	if (!is_wire(f->kind, type)) {
		t->bad = true;
		return;
	}
	const uint8_t *from = t->p;
	switch (f->kind) {
	case THRIFT_BOOL: *(bool *)at = type == WIRE_TRUE; return;
	case THRIFT_I64: *(int64_t *)at = take_int(t); return;
	case THRIFT_STR: *(str *)at = take_str(t); return;
	case THRIFT_STRUCT: thrift_struct(t, f->sub, at); return;
	case THRIFT_UNION: *(int32_t *)at = take_union(t); return;
	case THRIFT_I32: {
		int64_t v = take_int(t);
		t->bad |= v < INT32_MIN || v > INT32_MAX;
		*(int32_t *)at = t->bad ? 0 : (int32_t)v;
		return;
	}
	case THRIFT_PRESENT:
		*(bool *)at = true;
		skip(t, type, false, 0);
		return;
	case THRIFT_LIST:
		skip(t, type, false, 0);
		*(str *)at = (str){(const char *)from, t->bad ? 0 : (size_t)(t->p - from)};
		return;
	}
}

void thrift_struct(struct thrift *t, const struct thrift_table *table, void *out)
{
	int64_t id = 0;
	for (enum wire type; (type = take_head(t, &id)) != WIRE_STOP;) {
		const struct thrift_field *f = NULL;
		for (size_t i = 0; i < table->count && !f; i++)
			if (table->fields[i].id == id)
				f = &table->fields[i];
		if (f)
			take_field(t, f, type, (char *)out + f->offset);
		else
			skip(t, type, false, 0);
	}
}

size_t thrift_list(struct thrift *t)
{
	enum wire element;
	if (t->p == t->end)
		return 0; /* the field was absent */
	size_t n = take_list_head(t, &element);
	t->bad |= n > 0 && element != WIRE_STRUCT;
	return t->bad ? 0 : n;
}
