/* row_store.c: chunks of address space; a handle is chunk number and offset. A record has its length in front and never
 * crosses a chunk. File chunks are allocated on disk before they are written: a full disk is an error, not a SIGBUS. */
#include "data/row_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)16 << 20)

void row_store_init(struct row_store *s, size_t memory_bytes, uint64_t max_bytes)
{
	*s = (struct row_store){.memory_bytes = memory_bytes, .max_bytes = max_bytes, .fd = -1};
}

void row_store_done(struct row_store *s)
{
	for (size_t i = 0; i < s->chunks.len; i++)
		munmap(s->chunks.data[i].data, s->chunks.data[i].size);
	vec_done(&s->chunks);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
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
		return err_set_errno(err, ERR_IO, errno, "cannot create a temporary file in '%s' (TMPDIR names another folder)", temporary_folder());
	unlink(name);
	return 0;
}

static int map_file_chunk(struct row_store *s, size_t size, char **out, struct err *err)
{
	if (s->fd < 0 && open_file(s, err) < 0)
		return -1;
	int e = posix_fallocate(s->fd, (off_t)s->file_bytes, (off_t)size);
	if (e)
		return err_set_errno(err, ERR_IO, e, "cannot keep decoded rows in '%s' (TMPDIR names another folder)", temporary_folder());
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, (off_t)s->file_bytes);
	if (p == MAP_FAILED)
		return err_set_errno(err, ERR_NO_MEMORY, errno, "cannot map %zu bytes of decoded rows", size);
	s->file_bytes += size;
	*out = p;
	return 0;
}

static int add_chunk(struct row_store *s, size_t need, struct err *err)
{
	size_t size = need <= CHUNK_BYTES ? CHUNK_BYTES : (need + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES;
	char *data = NULL;
	if (size > s->max_bytes - s->used_memory - s->file_bytes)
		return err_set(err, ERR_LIMIT, "the dataset's decoded rows are larger than the limit of %llu bytes", (unsigned long long)s->max_bytes);
	if (s->used_memory + size <= s->memory_bytes) {
		data = mem_map_pages(size, err);
		if (!data)
			return -1;
		s->used_memory += size;
	} else if (map_file_chunk(s, size, &data, err) < 0) {
		return -1;
	}
	vec_push(&s->chunks, (struct row_chunk){data, 0, size});
	return 0;
}

int row_store_put(struct row_store *s, str record, uint64_t *at, struct err *err)
{
	uint32_t len = (uint32_t)record.len;
	size_t need = sizeof len + record.len;
	struct row_chunk *c = s->chunks.len ? &s->chunks.data[s->chunks.len - 1] : NULL;
	if (!c || c->size - c->used < need) {
		if (add_chunk(s, need, err) < 0)
			return -1;
		c = &s->chunks.data[s->chunks.len - 1];
	}
	memcpy(c->data + c->used, &len, sizeof len);
	if (len)
		memcpy(c->data + c->used + sizeof len, record.data, len);
	*at = (uint64_t)(s->chunks.len - 1) << 32 | c->used;
	c->used += need;
	return 0;
}

str row_store_get(const struct row_store *s, uint64_t at)
{
	const char *p = s->chunks.data[at >> 32].data + (uint32_t)at;
	uint32_t len;
	memcpy(&len, p, sizeof len);
	return (str){p + sizeof len, len};
}
