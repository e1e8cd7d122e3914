/* json_cells.c: nothing is refused here; what is not text becomes a cell that says what it is, and row.c complains. */
#include "data/json_cells.h"

#include "codec/json.h"
#include "data/columns.h"

static void put_wrong(struct buf *record, const json_t *value)
{
	const char *type = json_type_name(value);
	CLEANUP(mem_freep) char *words = mem_printf("%s %s", strchr("aeiou", type[0]) ? "an" : "a", type);
	record_put(record, CELL_WRONG, str_of(words));
}

void json_cells_put_text(struct buf *record, const json_t *value)
{
	if (!value)
		record_put(record, CELL_MISSING, STR(""));
	else if (json_is_null(value))
		record_put(record, CELL_NULL, STR(""));
	else if (json_is_string(value))
		record_put(record, CELL_TEXT, (str){json_string_value(value), json_string_length(value)});
	else
		put_wrong(record, value);
}

static void put_message(struct buf *record, const json_t *message)
{
	if (!json_is_object(message)) {
		json_cells_put_text(record, json_is_string(message) ? NULL : message);
		record_put(record, CELL_LIST, STR("")); /* with a null role: the message itself is null */
		return;
	}
	size_t pair = json_object_get(message, MESSAGE_MEMBERS[1][0]) && !json_object_get(message, MESSAGE_MEMBERS[0][0]);
	for (size_t i = 0; i < 2; i++)
		json_cells_put_text(record, json_object_get(message, MESSAGE_MEMBERS[pair][i]));
}

void json_cells_put_messages(struct buf *record, const json_t *value)
{
	if (!json_is_array(value)) {
		json_cells_put_text(record, value);
		return;
	}
	record_put(record, CELL_LIST, STR(""));
	for (size_t i = 0; i < json_array_size(value); i++)
		put_message(record, json_array_get(value, i));
}
