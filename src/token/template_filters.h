/* template_filters.h: filters live in two files, by what they work on: text and numbers, and collections. */
#pragma once
#include "token/template_eval.h"

extern const struct builtin TEMPLATE_LIST_FILTERS[];
extern const size_t TEMPLATE_LIST_FILTER_COUNT;
