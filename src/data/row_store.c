/* row_store.c: one line of addresses: first the memory, then the file, whose last bytes wait in a tail buffer. A handle is
 * an address (a multiple of 8) and a length in one word. */
#include "data/row_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TAIL_BYTES ((size_t)1 << 20)
#define LENGTH_BITS 27
#define ADDRESS_MAX ((uint64_t)1 << 40) /* 37 bits, in units of 8 bytes */

void row_store_init(struct row_store *s, size_t memory_bytes, uint64_t max_bytes)
{
	assert(memory_bytes % 8 == 0);
	*s = (struct row_store){.memory_bytes = memory_bytes, .max_bytes = max_bytes < ADDRESS_MAX ? max_bytes : ADDRESS_MAX, .fd = -1};
}

void row_store_done(struct row_store *s)
{
	mem_unmap_pages(s->memory, s->memory_bytes);
	free(s->tail);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct row_store){.fd = -1};
}

static const char *temporary_folder(void)
{
	const char *folder = getenv("TMPDIR");
	return folder && folder[0] ? folder : "/tmp";
}

static int open_file(struct row_store *s, struct err *err)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s/kaito-rows-XXXXXX", temporary_folder());
	s->fd = mkostemp(name, O_CLOEXEC);
	if (s->fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create a temporary file in '%s' (TMPDIR names another folder)",
				     temporary_folder());
	unlink(name);
	s->tail = mem_alloc(TAIL_BYTES);
	return 0;
}

static int write_file(struct row_store *s, const char *data, size_t len, struct err *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(s->fd, data + done, len - done, (off_t)(s->file_bytes + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(err, ERR_IO, n < 0 ? errno : ENOSPC,
					     "cannot keep decoded rows in '%s' (TMPDIR names another folder)", temporary_folder());
		done += (size_t)n;
	}
	s->file_bytes += len;
	return 0;
}

/* Room for `padded` bytes at the end of the tail; only a record of its own size may be larger than the buffer. */
static int put_in_file(struct row_store *s, str record, size_t padded, uint64_t *address, struct err *err)
{
	if (s->fd < 0 && open_file(s, err) < 0)
		return -1;
	if (s->tail_used + padded > TAIL_BYTES) {
		if (write_file(s, s->tail, s->tail_used, err) < 0)
			return -1;
		s->tail_used = 0;
	}
	*address = s->memory_bytes + s->file_bytes + s->tail_used;
	if (padded > TAIL_BYTES) {
		static const char ZEROS[8];
		return write_file(s, record.data, record.len, err) < 0 || write_file(s, ZEROS, padded - record.len, err) < 0 ? -1 : 0;
	}
	memcpy(s->tail + s->tail_used, record.data, record.len);
	s->tail_used += padded;
	return 0;
}

int row_store_put(struct row_store *s, str record, uint64_t *at, struct err *err)
{
	assert(record.len < (size_t)1 << LENGTH_BITS);
	size_t padded = (record.len + 7) / 8 * 8;
	uint64_t address = s->memory_used;
	if (padded > s->max_bytes - row_store_bytes(s))
		return err_set(err, ERR_LIMIT, "the dataset's decoded rows are larger than the limit of %llu bytes",
			       (unsigned long long)s->max_bytes);
	if (s->fd < 0 && padded <= s->memory_bytes - s->memory_used) {
		if (!s->memory)
			s->memory = mem_map_pages(s->memory_bytes, err);
		if (!s->memory)
			return -1;
		memcpy(s->memory + address, record.data, record.len);
		s->memory_used += padded;
	} else if (put_in_file(s, record, padded, &address, err) < 0) {
		return -1;
	}
	*at = address / 8 << LENGTH_BITS | record.len;
	return 0;
}

static int read_file(const struct row_store *s, uint64_t from, size_t len, struct buf *out, struct err *err)
{
	char *to = buf_reserve(out, len);
	for (size_t done = 0; to && done < len;) {
		ssize_t n = pread(s->fd, to + done, len - done, (off_t)(from + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(err, ERR_IO, n < 0 ? errno : EIO, "cannot read decoded rows back from '%s'",
					     temporary_folder());
		done += (size_t)n;
	}
	out->len += to ? len : 0;
	return 0;
}

int row_store_get(const struct row_store *s, uint64_t at, struct buf *out, struct err *err)
{
	uint64_t address = (at >> LENGTH_BITS) * 8;
	size_t len = (size_t)(at & (((uint64_t)1 << LENGTH_BITS) - 1));
	if (len == 0)
		return 0;
	if (address >= s->memory_bytes + s->file_bytes)
		buf_put(out, s->tail + (address - s->memory_bytes - s->file_bytes), len);
	else if (address >= s->memory_bytes)
		return read_file(s, address - s->memory_bytes, len, out, err);
	else
		buf_put(out, s->memory + address, len);
	return 0;
}
