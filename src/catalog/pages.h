/* pages.h: the reference pages about models and instance types, printed from the tables. To add one: a function and a row. */
#pragma once
#include "base/buf.h"
#include <stddef.h>

struct catalog_page { const char *name; /* docs/<name>.md */ void (*print)(struct buf *out); };
extern const struct catalog_page CATALOG_PAGES[];
extern const size_t CATALOG_PAGE_COUNT;
