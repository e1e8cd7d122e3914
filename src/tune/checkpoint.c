/* checkpoint.c: see checkpoint.h. */
#include "tune/checkpoint.h"

#include "base/fd.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char MAGIC[8] = "KAITOCK1";
enum { HEAD_BYTES = 16, ALIGNMENT = 64 };
#define FILE_STATE "state.bin"

struct sink { int fd; const char *path; struct digest digest; struct err *err; };

static int put(struct sink *s, const void *data, size_t len)
{
	digest_update(&s->digest, data, len);
	return fd_write_all(s->fd, data, len, s->path, s->err);
}

static int put_header(struct sink *s, const json_t *header)
{
	CLEANUP(buf_done) struct buf text = {.max = LIMIT_JSON_BYTES};
	json_print(header, JSON_PRINT_COMPACT, &text);
	while ((text.len + HEAD_BYTES) % ALIGNMENT)
		buf_putc(&text, ' ');
	if (text.overflow)
		return err_set(s->err, ERR_LIMIT, "the history of the run is too long for a checkpoint");
	uint64_t len = text.len;
	if (put(s, MAGIC, sizeof MAGIC) < 0 || put(s, &len, sizeof len) < 0)
		return -1;
	return put(s, text.data, text.len);
}

static int write_all(struct sink *s, const json_t *header, const float *const arrays[CHECKPOINT_ARRAYS], size_t n)
{
	char text[DIGEST_TEXT] = {0};
	if (put_header(s, header) < 0)
		return -1;
	for (int i = 0; i < CHECKPOINT_ARRAYS && arrays[i]; i++)
		if (put(s, arrays[i], n * sizeof(float)) < 0)
			return -1;
	digest_finish(&s->digest, text);
	if (fd_write_all(s->fd, text, sizeof text, s->path, s->err) < 0)
		return -1;
	if (fsync(s->fd) < 0)
		return err_set_errno(s->err, ERR_IO, errno, "cannot sync '%s'", s->path);
	return 0;
}

static int write_file(const char *path, const json_t *header, const float *const arrays[CHECKPOINT_ARRAYS], size_t n, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create '%s'", path);
	struct sink s = {.fd = fd, .path = path, .err = err};
	digest_init(&s.digest);
	int rc = write_all(&s, header, arrays, n);
	digest_done(&s.digest);
	return rc;
}

static int replace(const char *from, const char *to, const char *folder, struct err *err)
{
	if (rename(from, to) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot replace '%s'", to);
	CLEANUP(fd_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", folder);
	return 0;
}

int checkpoint_save(const char *folder, const json_t *header, const float *const arrays[CHECKPOINT_ARRAYS], size_t n, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, FILE_STATE);
	CLEANUP(mem_freep) char *next = fd_join(folder, FILE_STATE ".next");
	if (fd_make_dirs(folder, err) < 0)
		return -1;
	if (write_file(next, header, arrays, n, err) < 0) {
		unlink(next);
		return -1;
	}
	return replace(next, path, folder, err);
}

struct checkpoint {
	struct fd_map map;
	char *path;
	json_t *header;
	const unsigned char *arrays;
	size_t array_bytes;      /* all arrays together */
};

static int damaged(const struct checkpoint *c, const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID, "checkpoint '%s' is damaged (%s): remove it, or start over with --fresh", c->path, why);
}

static int check(struct checkpoint *c, struct err *err)
{
	uint64_t header_len;
	char text[DIGEST_TEXT];
	if (c->map.len < HEAD_BYTES + DIGEST_TEXT || memcmp(c->map.data, MAGIC, sizeof MAGIC) != 0)
		return damaged(c, "not a checkpoint", err);
	size_t body = c->map.len - DIGEST_TEXT;
	digest_of(c->map.data, body, text);
	if (memcmp(text, c->map.data + body, strlen(text) + 1) != 0)
		return damaged(c, "wrong digest", err);
	memcpy(&header_len, c->map.data + sizeof MAGIC, sizeof header_len);
	if (header_len > body - HEAD_BYTES)
		return damaged(c, "header too long", err);
	if (json_parse(&c->header, (str){(const char *)c->map.data + HEAD_BYTES, (size_t)header_len}, c->path, err) < 0)
		return -1;
	c->arrays = c->map.data + HEAD_BYTES + header_len;
	c->array_bytes = body - HEAD_BYTES - (size_t)header_len;
	return 0;
}

int checkpoint_open(struct checkpoint **out, const char *folder, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, FILE_STATE);
	if (!fd_exists(path))
		return 1;
	struct checkpoint *c = mem_alloc(sizeof *c);
	c->path = path;
	path = NULL;
	c->map.fd = -1;
	if (fd_map_open(&c->map, c->path, err) < 0 || check(c, err) < 0) {
		checkpoint_close(c);
		return -1;
	}
	*out = c;
	return 0;
}

void checkpoint_close(struct checkpoint *c)
{
	if (!c)
		return;
	fd_map_close(&c->map);
	json_decref(c->header);
	free(c->path);
	free(c);
}

const json_t *checkpoint_header(const struct checkpoint *c) { return c->header; }

int checkpoint_read(const struct checkpoint *c, int i, float *out, size_t n, struct err *err)
{
	size_t bytes = n * sizeof(float);
	if ((size_t)i >= c->array_bytes / (bytes ? bytes : 1) || c->array_bytes % bytes)
		return damaged(c, "arrays of another length", err);
	memcpy(out, c->arrays + (size_t)i * bytes, bytes);
	return 0;
}

int checkpoint_remove(const char *folder, struct err *err) { return fd_remove_tree(folder, err); }
