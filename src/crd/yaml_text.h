/* yaml_text.h: JSON values as block-style YAML, for manifests that people read. */
#pragma once
#include "base/buf.h"
#include <jansson.h>

/* Members keep their order. Text that could be read as anything but text is quoted; line breaks are escaped. */
void yaml_text(const json_t *value, struct buf *out);
