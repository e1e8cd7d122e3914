/* record.c: cells as bytes: kind (1), length (4, native order), text. Written and read by the same process only. */
#include "data/record.h"

#define HEAD 5

void record_put(struct buf *record, enum cell_kind kind, str text)
{
	uint32_t len = (uint32_t)text.len;
	if (text.len > RECORD_MAX || !buf_reserve(record, HEAD + text.len)) {
		record->overflow = true;
		return;
	}
	char head[HEAD] = {(char)kind};
	memcpy(head + 1, &len, sizeof len);
	buf_put(record, head, HEAD);
	buf_put_str(record, text);
}

bool record_next(str *rest, struct cell *out)
{
	if (rest->len < HEAD)
		return false;
	uint32_t len;
	memcpy(&len, rest->data + 1, sizeof len);
	*out = (struct cell){(enum cell_kind)rest->data[0], {rest->data + HEAD, len}};
	*rest = str_sub(*rest, HEAD + (size_t)len, rest->len);
	return true;
}
