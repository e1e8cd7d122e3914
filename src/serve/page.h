/* page.h: page.html as bytes, made by embed.py at build time. */
#pragma once
#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_len;
