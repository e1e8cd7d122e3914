/* record.h: what every reader hands over for one row: the bound columns as a flat run of cells in bytes, so that a row can
 * lie in a buffer, in memory or in a spill file alike. A cell is a kind, a length and text. A list of messages is one
 * CELL_LIST followed by two cells (role, content) per message. */
#pragma once
#include "base/buf.h"
#include "base/limits.h"

enum cell_kind {
	CELL_TEXT,
	CELL_NULL,
	CELL_MISSING,  /* the row has no such column or member */
	CELL_WRONG,    /* not text; `text` names the type found */
	CELL_LIST,     /* opens a list of messages */
	CELL_OVERSIZE, /* the row was past the limit and its content was dropped */
	CELL_KIND_COUNT
};

struct cell { enum cell_kind kind; str text; };

#define RECORD_MAX (2 * LIMIT_DATASET_ROW_BYTES) /* text at the row limit plus the cell heads */

void record_put(struct buf *record, enum cell_kind kind, str text);
/* Takes the next cell off *rest; false at the end. The text borrows from *rest. */
bool record_next(str *rest, struct cell *out);
