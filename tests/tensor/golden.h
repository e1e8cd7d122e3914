/* Files under tests/golden, and tensors of a small safetensors file by name. */
#pragma once
#include "base/fd.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static inline void golden_read(const char *relative, struct buf *out)
{
	char path[4096];
	struct err err = ERR_INIT;
	const char *root = getenv("KAITO_SOURCE_ROOT");
	snprintf(path, sizeof path, "%s/tests/golden/%s", root ? root : ".", relative);
	ck_assert_msg(fd_read_file(path, (size_t)16 << 20, out, &err) == 0, "%s", err.message);
}

/* Borrowed from `file`; *bytes gets the size. Offsets in the header are plain decimal numbers after the name. */
static inline const void *golden_tensor(const struct buf *file, const char *name, size_t *bytes)
{
	uint64_t header;
	char key[128];
	memcpy(&header, file->data, sizeof header);
	snprintf(key, sizeof key, "\"%s\":{", name);
	const char *at = strstr(file->data + 8, key);
	ck_assert_msg(at != NULL, "no tensor %s", name);
	at = strstr(at, "\"data_offsets\":[");
	ck_assert_ptr_nonnull(at);
	char *end;
	unsigned long from = strtoul(at + 16, &end, 10), to = strtoul(end + 1, NULL, 10);
	ck_assert_uint_le(8 + header + to, file->len);
	*bytes = to - from;
	return file->data + 8 + header + from;
}
