/* row.h: from a record's cells to a training row: every content rule of a dataset is checked here, once for all formats. */
#pragma once
#include "data/columns.h"
#include "data/record.h"

/* Errors are ERR_DATA and begin with "column 'NAME': ". *row is overwritten on success only. */
WARN_UNUSED int row_from_record(const struct binding *b, str record, struct data_row *row, struct err *err);
