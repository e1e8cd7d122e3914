/* json_cells.h: JSON values as record cells, for rows of JSON files and for text columns that hold JSON. */
#pragma once
#include "data/record.h"
#include <jansson.h>

void json_cells_put_text(struct buf *record, const json_t *value);      /* NULL: the member is missing */
void json_cells_put_messages(struct buf *record, const json_t *value);
