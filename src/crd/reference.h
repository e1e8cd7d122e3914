/* reference.h: files that are printed from tables: one definition a kind for the charts, the workspace chart's default configurations for
 * tuning, and the reference pages. */
#pragma once
#include "base/buf.h"
#include "crd/crd.h"

enum { CRD_PAGE_COUNT = CRD_COUNT + CRD_PROVISIONER_COUNT + 4 };
/* Prints page i; returns its path below the source root, the caller's to free. */
char *crd_page(size_t i, struct buf *out);
/* One kind's manifest as YAML, without a document mark. */
void crd_manifest_text(size_t i, struct buf *out);
void crd_provisioner_manifest_text(size_t i, struct buf *out);
