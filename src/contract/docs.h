/* docs.h: reference pages printed from the tables. A test holds docs/NAME.md against docs_print, so that a page cannot go stale:
 * `build/…/src/contract/kaito-docs SOURCE_ROOT` writes them all. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct docs_page {
	const char *name;     /* "exit-codes": docs/exit-codes.md */
	int (*print)(const char *source_root, struct buf *out, struct err *err);
};
extern const struct docs_page DOCS_PAGES[];
extern const size_t DOCS_PAGE_COUNT;
