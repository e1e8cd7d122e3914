/* typed_json.h: the JSON a typed Kubernetes client writes for an object: members in the order of its structs, zero values left out or
 * filled in, <, > and & escaped. Revision hashes are made over exactly these bytes, so a plain copy of the user's JSON will not do.
 * Members that a struct does not have are dropped, as a typed client drops them. */
#pragma once
#include "base/buf.h"
#include <jansson.h>

/* type: a name of TYPED_STRUCTS; an unknown one is encoded with sorted keys. value NULL or null: "null", or with an & before the name what
 * the empty struct prints. */
void typed_json(const char *type, const json_t *value, struct buf *out);

/* One struct: its members in order, separated by blanks. A member is [mark]name[/][:Type].
 *   mark  none: left out when zero (null, "", 0, false, [], {})      *: left out when absent or null
 *         ?: null when absent   $: "" when absent   #: 0 when absent   !: false when absent   &: a struct, {} filled in when absent
 *   /     the value is a map (keys sorted); Type is then of its values
 *   Type  of a struct, or of the items of an array; Quantity: printed in canonical form
 * To add a struct: a row, in name order. */
struct typed_struct { const char *name, *members; };
extern const struct typed_struct TYPED_STRUCTS[];
extern const size_t TYPED_STRUCT_COUNT;
const struct typed_struct *typed_struct_find(const char *name); /* NULL: unknown */
