/* json_scan.h: where JSON values begin and end in a large text, without building them. Only quotes and brackets are
 * looked at; whether a value is well-formed is found when it is parsed. */
#pragma once
#include "base/err.h"
#include "base/str.h"

size_t json_scan_space(str text, size_t at);   /* first byte at or after `at` that is not white space */
/* Moves *at past one value that starts there. ERR_DATA with the byte offset when the text ends first. */
WARN_UNUSED int json_scan_value(str text, size_t *at, struct err *err);
