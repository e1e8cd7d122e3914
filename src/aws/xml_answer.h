/* xml_answer.h: the XML that AWS's query services answer, as JSON, so that it is read like everything else. Only elements and their text
 * count: attributes, namespaces, comments and processing instructions are dropped; a document type, and with it every entity declaration,
 * is refused.
 *
 * An element without elements inside is a string. Elements called item or member are an array of their parent, which they make up; of
 * other elements that repeat an array is made under their name. Everything else is an object. So <a><item>1</item></a> is ["1"], and an
 * empty list is "", which is no array and has no members. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>

#define XML_ANSWER_DEPTH 32
/* *out: {"NAME OF THE ROOT": …}, a new reference. ERR_INVALID for what is no such document, ERR_LIMIT past LIMIT_AWS_ANSWER_BYTES, the
 * depth, or LIMIT_AWS_ANSWER_ELEMENTS. */
WARN_UNUSED int xml_answer_read(str text, json_t **out, struct err *err);
