/* managed_fields.h: drops "managedFields" from the text of an object before it is parsed. They are about half of what an API server
 * sends, nobody here reads them, and finding their end costs a fraction of parsing them. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>

/* Appends `text` without the members named managedFields of any object in it ("metadata" is where they are). Text that is not well-formed
 * JSON is appended as it is from where it goes wrong; the parser will say so. */
void managed_fields_drop(str text, struct buf *out);
/* As json_parse, without them. */
WARN_UNUSED int managed_fields_parse(json_t **out, str text, const char *name, struct err *err);
