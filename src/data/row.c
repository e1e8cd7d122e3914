/* row.c: null, missing, mistyped, ill-encoded and oversized text are told apart here and named by column and message. */
#include "data/row.h"

#include "codec/json.h"
#include "data/json_cells.h"
#include <stdio.h>

/* Names that other tools give to the speakers. To add one: a row here. */
static const struct { const char *from, *to; } ROLES[] = {
	{"human", "user"}, {"gpt", "assistant"}, {"chatgpt", "assistant"}, {"bot", "assistant"}, {"model", "assistant"},
};

static int bad_cell(struct cell cell, const char *what, struct err *err)
{
	switch (cell.kind) {
	case CELL_NULL: return err_set(err, ERR_DATA, "%s is null, text is needed", what);
	case CELL_MISSING: return err_set(err, ERR_DATA, "%s is missing", what);
	case CELL_WRONG: return err_set(err, ERR_DATA, "%s is %.*s, text is needed", what, STR_FMT(cell.text));
	case CELL_LIST: return err_set(err, ERR_DATA, "%s is a list, text is needed", what);
	case CELL_TEXT:
	case CELL_OVERSIZE:
	case CELL_KIND_COUNT: break;
	}
	return err_set(err, ERR_DATA, "%s is not readable", what);
}

static int need_text(struct cell cell, const char *what, str *out, struct err *err)
{
	size_t bad;
	if (cell.kind != CELL_TEXT)
		return bad_cell(cell, what, err);
	if (!str_is_utf8(cell.text, &bad))
		return err_set(err, ERR_DATA, "%s is not valid UTF-8 at byte %zu", what, bad);
	*out = cell.text;
	return 0;
}

static int check_size(str record, struct err *err)
{
	struct cell cell;
	size_t total = 0;
	bool over = false;
	while (record_next(&record, &cell)) {
		total += cell.kind == CELL_TEXT ? cell.text.len : 0;
		over |= cell.kind == CELL_OVERSIZE;
	}
	if (over || total > LIMIT_DATASET_ROW_BYTES)
		return err_set(err, ERR_DATA, "the row's text is longer than the limit of %zu bytes", LIMIT_DATASET_ROW_BYTES);
	return 0;
}

static str known_role(str role)
{
	for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
		if (str_eqz(role, ROLES[i].from))
			return str_of(ROLES[i].to);
	return role;
}

static void append_message(json_t *list, str role, str content)
{
	json_t *m = json_object();
	json_object_set_new(m, "role", json_stringn_nocheck(role.data, role.len));
	json_object_set_new(m, "content", json_stringn_nocheck(content.data, content.len));
	json_array_append_new(list, m);
}

static int read_message(str *rest, struct cell role_cell, json_t *list, struct err *err)
{
	char what[64];
	size_t number = json_array_size(list) + 1;
	struct cell content_cell = {CELL_MISSING, {0}};
	record_next(rest, &content_cell);
	if (role_cell.kind == CELL_NULL && content_cell.kind == CELL_LIST)
		return err_set(err, ERR_DATA, "message %zu is null", number);
	str role, content;
	snprintf(what, sizeof what, "message %zu: role", number);
	if (need_text(role_cell, what, &role, err) < 0)
		return -1;
	if (role.len == 0)
		return err_set(err, ERR_DATA, "%s is empty", what);
	snprintf(what, sizeof what, "message %zu: content", number);
	if (need_text(content_cell, what, &content, err) < 0)
		return -1;
	append_message(list, known_role(role), content);
	return 0;
}

static int read_messages(str rest, struct data_row *row, struct err *err)
{
	struct cell cell = {CELL_MISSING, {0}};
	record_next(&rest, &cell);
	if (cell.kind == CELL_NULL || cell.kind == CELL_MISSING)
		return err_set(err, ERR_DATA, "the list of messages is %s", cell.kind == CELL_NULL ? "null" : "missing");
	if (cell.kind != CELL_LIST)
		return err_set(err, ERR_DATA, "is %.*s, a list of {role, content} is needed",
			       STR_FMT(cell.kind == CELL_WRONG ? cell.text : STR("text")));
	CLEANUP(json_decrefp) json_t *list = json_array();
	while (record_next(&rest, &cell))
		if (read_message(&rest, cell, list, err) < 0)
			return -1;
	if (json_array_size(list) == 0)
		return err_set(err, ERR_DATA, "the list of messages is empty");
	row->messages = json_incref(list);
	return 0;
}

static int read_messages_json(str rest, struct data_row *row, struct err *err)
{
	struct cell cell = {CELL_MISSING, {0}};
	str text;
	record_next(&rest, &cell);
	if (need_text(cell, "the list of messages", &text, err) < 0)
		return -1;
	CLEANUP(json_decrefp) json_t *value = NULL;
	if (json_parse_with(&value, text, "cell", &(struct json_rules){.allow_nul = true}, err) < 0)
		return -1;
	CLEANUP(buf_done) struct buf record = {.max = RECORD_MAX};
	json_cells_put_messages(&record, value);
	return read_messages(buf_str(&record), row, err);
}

/* The texts of columns 0 … n-1; a NULL or absent column is an empty text where optional[i] says so. */
static int read_texts(const struct binding *b, str rest, bool second_is_optional, str texts[BINDING_MAX], struct err *err)
{
	for (size_t i = 0; i < b->n; i++) {
		struct cell cell = {CELL_MISSING, {0}};
		record_next(&rest, &cell);
		bool absent = cell.kind == CELL_NULL || cell.kind == CELL_MISSING;
		texts[i] = STR("");
		if (i == 1 && second_is_optional && absent)
			continue;
		char what[280];
		snprintf(what, sizeof what, "column '%s'", b->names[i]);
		if (need_text(cell, what, &texts[i], err) < 0)
			return -1;
	}
	return 0;
}

static int read_instruction(const struct binding *b, str rest, struct data_row *row, struct err *err)
{
	str t[BINDING_MAX];
	if (read_texts(b, rest, true, t, err) < 0)
		return -1;
	CLEANUP(buf_done) struct buf user = {0};
	buf_put_str(&user, t[0]);
	if (t[1].len) {
		buf_puts(&user, "\n\n");
		buf_put_str(&user, t[1]);
	}
	row->messages = json_array();
	append_message(row->messages, STR("user"), buf_str(&user));
	append_message(row->messages, STR("assistant"), t[2]);
	return 0;
}

static int read_flat(const struct binding *b, str rest, struct data_row *row, struct err *err)
{
	str t[BINDING_MAX];
	if (read_texts(b, rest, false, t, err) < 0)
		return -1;
	if (b->style == BIND_COMPLETION)
		buf_put_str(&row->prompt, t[0]);
	buf_put_str(&row->text, t[b->n - 1]);
	return 0;
}

int row_from_record(const struct binding *b, str record, struct data_row *row, struct err *err)
{
	struct data_row r = {.shape = binding_shape(b)};
	int rc = check_size(record, err);
	if (rc == 0)
		switch (b->style) {
		case BIND_MESSAGES: rc = read_messages(record, &r, err); break;
		case BIND_MESSAGES_JSON: rc = read_messages_json(record, &r, err); break;
		case BIND_INSTRUCTION: rc = read_instruction(b, record, &r, err); break;
		case BIND_COMPLETION:
		case BIND_TEXT: rc = read_flat(b, record, &r, err); break;
		}
	if (rc < 0)
		return binding_shape(b) == DATA_MESSAGES && b->style != BIND_INSTRUCTION ? err_wrap(err, "column '%s'", b->names[0]) : -1;
	*row = r;
	return 0;
}
