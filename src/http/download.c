/* download.c: see download.h. The state is the part file itself (its length is the offset) and the digest of what is
 * in it, which a resume computes anew by reading the part. */
#include "http/download.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct run {
	struct http_client *client;
	const struct download *d;
	char *part, *tag_path;
	char *tag;              /* validator of the bytes in the part; NULL: none */
	int fd;
	uint64_t offset;        /* bytes in the part */
	uint64_t total;         /* 0: unknown */
	uint64_t start;         /* offset that this try asked for */
	struct digest digest;
	bool placed;            /* this try's first body byte was seen and its position checked */
	bool resumed;
	bool broken;            /* the part is of no use: remove it */
};

static void free_run(struct run *r)
{
	if (r->fd >= 0)
		close(r->fd);
	digest_done(&r->digest);
	free(r->part);
	free(r->tag_path);
	free(r->tag);
}

static int start_over(struct run *r, struct err *err)
{
	digest_done(&r->digest);
	digest_init(&r->digest);
	r->offset = 0;
	free(r->tag);
	r->tag = NULL;
	unlink(r->tag_path);
	if (ftruncate(r->fd, 0) < 0 || lseek(r->fd, 0, SEEK_SET) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot empty '%s'", r->part);
	return 0;
}

/* Take up the bytes of an earlier run, when something can prove that they still belong to the same content. */
static int load_part(struct run *r, struct err *err)
{
	struct buf tag = {0};
	if (fd_read_file(r->tag_path, 512, &tag, NULL) == 0 && tag.len)
		r->tag = mem_strdup(tag.data);
	buf_done(&tag);
	if (!r->d->digest && !r->tag)
		return start_over(r, err);
	CLEANUP(mem_freep) char *chunk = mem_alloc(1 << 18);
	for (;;) {
		ssize_t n = read(r->fd, chunk, 1 << 18);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_IO, errno, "cannot read '%s'", r->part);
		if (n == 0)
			break;
		digest_update(&r->digest, chunk, (size_t)n);
		r->offset += (uint64_t)n;
	}
	if (r->d->has_size && r->offset > r->d->size)
		return start_over(r, err);
	r->resumed = r->offset > 0;
	return 0;
}

static int open_part(struct run *r, struct err *err)
{
	r->fd = open(r->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (r->fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create '%s'", r->part);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(r->fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES))
		return err_set(err, ERR_BUSY, "another process is downloading '%s'", r->d->path);
	/* Whoever held the lock before may have moved this very file into place meanwhile: it is not ours to write to. */
	struct stat opened, named;
	if (fstat(r->fd, &opened) < 0 || stat(r->part, &named) < 0 || opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
		return err_set(err, ERR_BUSY, "another process has just downloaded '%s'", r->d->path);
	digest_init(&r->digest);
	return load_part(r, err);
}

/* Ask the file system for the room at once, so that a full disk shows before an hour of download. */
static int reserve(struct run *r, struct err *err)
{
	if (r->total > r->offset && fallocate(r->fd, FALLOC_FL_KEEP_SIZE, (off_t)r->offset, (off_t)(r->total - r->offset)) < 0 &&
	    (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
		r->broken = true;
		return err_set_errno(err, ERR_NO_SPACE, errno, "no room for the %" PRIu64 " bytes of '%s'", r->total, r->d->path);
	}
	return 0;
}

static void keep_tag(struct run *r, const struct http_response *head)
{
	const char *tag = http_response_header(head, "etag");
	if (!tag || strncmp(tag, "W/", 2) == 0) /* a weak tag cannot be used with If-Range */
		tag = http_response_header(head, "last-modified");
	if (!tag || strlen(tag) > 500 || (r->tag && strcmp(tag, r->tag) == 0))
		return;
	free(r->tag);
	r->tag = mem_strdup(tag);
	if (!r->d->digest)
		(void)!fd_write_file(r->tag_path, tag, strlen(tag), 0644, NULL);
}

/* Whether a 206 answer starts where we asked, and the total it names (0: '*'). */
static bool parse_range(const char *value, uint64_t want, uint64_t *total)
{
	uint64_t first, last;
	int used = 0;
	if (!value || sscanf(value, "bytes %" SCNu64 "-%" SCNu64 "/%n", &first, &last, &used) != 2 || !used)
		return false;
	*total = 0;
	if (value[used] != '*' && sscanf(value + used, "%" SCNu64, total) != 1)
		return false;
	return first == want && last >= first;
}

/* On the first body byte of a try: where do the bytes go, how many will there be. */
static int place(struct run *r, const struct http_response *head, struct err *err)
{
	r->placed = true;
	uint64_t total = 0;
	if (head->status == 206) {
		if (!parse_range(http_response_header(head, "content-range"), r->start, &total))
			return err_set(err, ERR_PROTOCOL, "the server sent another range than was asked for");
	} else {
		const char *length = http_response_header(head, "content-length");
		int64_t n;
		total = length && str_to_i64(str_of(length), &n) && n > 0 ? (uint64_t)n : 0;
		if (r->offset && start_over(r, err) < 0)
			return -1;
		r->resumed = false;
	}
	if (r->d->has_size && total && total != r->d->size)
		return err_set(err, ERR_PROTOCOL, "the server offers %" PRIu64 " bytes instead of %" PRIu64, total, r->d->size);
	r->total = r->d->has_size ? r->d->size : total;
	keep_tag(r, head);
	return reserve(r, err);
}

static int on_bytes(void *context, const struct http_response *head, const void *data, size_t len, struct err *err)
{
	struct run *r = context;
	if (!r->placed && place(r, head, err) < 0)
		return -1;
	uint64_t max = r->d->has_size ? r->d->size : LIMIT_DOWNLOAD_BYTES;
	if (len > max - r->offset) {
		r->broken = true;
		return err_set(err, r->d->has_size ? ERR_PROTOCOL : ERR_LIMIT, "the server sends more than %" PRIu64 " bytes", max);
	}
	if (fd_write_all(r->fd, data, len, r->part, err) < 0) {
		r->broken = true;
		return -1;
	}
	digest_update(&r->digest, data, len);
	r->offset += len;
	if (r->d->progress)
		r->d->progress(r->d->context, r->offset, r->total);
	return 0;
}

/* One request for the bytes from r->offset on. 0 with response->status, or -1. */
static int ask(struct run *r, const char *authorization, struct http_response *response, struct err *err)
{
	CLEANUP(mem_freep) char *range = mem_printf("Range: bytes=%" PRIu64 "-", r->offset);
	CLEANUP(mem_freep) char *if_range = r->tag ? mem_printf("If-Range: %s", r->tag) : NULL;
	const char *headers[16];
	size_t n = 0;
	for (const char *const *h = r->d->headers; h && *h && n < 12; h++)
		headers[n++] = *h;
	if (r->offset) {
		headers[n++] = range;
		if (if_range && !r->d->digest)
			headers[n++] = if_range;
	}
	headers[n] = NULL;
	r->start = r->offset;
	r->placed = false;
	const struct http_request request = {.method = "GET", .url = r->d->url, .headers = headers, .authorization = authorization,
					     .sink = on_bytes, .context = r, .once = true, .trust_host = r->d->trust_host, .cancel = r->d->cancel};
	return http_client_send(r->client, &request, response, err);
}

enum verdict { DONE, AGAIN, AUTHORIZE, FAILED };

static enum verdict judge(struct run *r, const struct http_response *response, struct err *err)
{
	CLEANUP(mem_freep) char *shown = http_redact_url(r->d->url);
	int status = response->status;
	if (status == 200 || status == 206) {
		if (!r->placed && place(r, response, err) < 0) /* an empty body */
			return FAILED;
		return DONE;
	}
	if (status == 416 && r->offset) { /* the part is whole, or of something else: the digest or a fresh start decides */
		if (r->d->has_size && r->offset == r->d->size)
			return DONE;
		return start_over(r, err) < 0 ? FAILED : AGAIN;
	}
	CLEANUP(mem_freep) char *doing = mem_printf("GET %s", shown);
	http_status_error(status, doing, err);
	if (status == 401 && r->d->authorize)
		return AUTHORIZE;
	return retry_status(status) ? AGAIN : FAILED;
}

static bool worth_another_try(const struct err *err)
{
	return err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT;
}

static int authorize(struct run *r, bool refused, const char *challenge, char **value, struct err *err)
{
	if (!r->d->authorize)
		return 0;
	char *fresh = NULL;
	if (r->d->authorize(r->d->context, refused, challenge, &fresh, err) < 0)
		return -1;
	free(*value);
	*value = fresh;
	return 0;
}

/* Requests until the part is whole. A try that moved forward does not count against the number of tries. */
static int fetch(struct run *r, struct err *err)
{
	const struct http_options *o = http_client_options(r->client);
	CLEANUP(mem_freep) char *authorization = NULL;
	bool refused_before = false;
	if (authorize(r, false, NULL, &authorization, err) < 0)
		return -1;
	for (unsigned attempt = 1, tries = 1;; attempt++, tries++) {
		CLEANUP(http_response_done) struct http_response response = {0};
		uint64_t before = r->offset;
		int rc = ask(r, authorization, &response, err);
		enum verdict v = rc == 0 ? judge(r, &response, err) : worth_another_try(err) && !r->broken ? AGAIN : FAILED;
		if (v == DONE)
			return 0;
		if (v == AUTHORIZE && !refused_before) {
			refused_before = true;
			if (authorize(r, true, http_response_header(&response, "www-authenticate"), &authorization, err) < 0)
				return -1;
			continue;
		}
		if (r->offset > before) {
			attempt = 1;
			refused_before = false; /* a token that expired during a long transfer */
			r->resumed = true;
		}
		int64_t asked = retry_after_ms(http_response_header(&response, "retry-after"), clock_wall_s());
		if (v != AGAIN || attempt >= o->retry.attempts || tries >= LIMIT_DOWNLOAD_TRIES || asked > RETRY_AFTER_MAX_MS)
			return -1;
		if (retry_wait(retry_delay_ms(&o->retry, attempt, asked), o->cancel, err) < 0)
			return -1;
	}
}

static int verify(struct run *r, char text[DIGEST_TEXT], struct err *err)
{
	digest_finish(&r->digest, text);
	CLEANUP(mem_freep) char *shown = http_redact_url(r->d->url);
	if (r->d->has_size && r->offset != r->d->size)
		return err_set(err, ERR_PROTOCOL, "%s: got %" PRIu64 " bytes instead of %" PRIu64, shown, r->offset, r->d->size);
	if (r->d->digest && strcmp(r->d->digest, text) != 0)
		return err_set(err, ERR_PROTOCOL, "%s: the content's digest is %s, expected %s", shown, text, r->d->digest);
	return 0;
}

static int fetch_and_verify(struct run *r, struct download_result *result, struct err *err)
{
	bool whole = r->d->digest && r->d->has_size && r->offset == r->d->size && r->offset;
	if (!whole && fetch(r, err) < 0)
		return -1;
	if (verify(r, result->digest, err) < 0) {
		if (!r->resumed) {
			r->broken = true;
			return -1;
		}
		/* The kept bytes may have been of something else: once more from the start. */
		r->resumed = false;
		if (start_over(r, err) < 0 || fetch(r, err) < 0)
			return -1;
		if (verify(r, result->digest, err) < 0) {
			r->broken = true;
			return -1;
		}
	}
	result->size = r->offset;
	result->resumed = r->resumed;
	return 0;
}

static int publish(struct run *r, struct err *err)
{
	/* Reserved blocks past the end (a server that promised more) are given back. */
	if (ftruncate(r->fd, (off_t)r->offset) < 0 || fsync(r->fd) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", r->part);
	if (rename(r->part, r->d->path) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot move '%s' into place", r->d->path);
	unlink(r->tag_path);
	return 0;
}

int download_run(struct http_client *client, const struct download *d, struct download_result *result, struct err *err)
{
	struct download_result local = {0};
	struct err own = ERR_INIT;
	err = err ? err : &own;
	CLEANUP(free_run) struct run r = {.client = client, .d = d, .fd = -1};
	r.part = mem_printf("%s.part", d->path);
	r.tag_path = mem_printf("%s.part.tag", d->path);
	if (open_part(&r, err) < 0)
		return -1;
	int rc = fetch_and_verify(&r, &local, err);
	if (rc == 0)
		rc = publish(&r, err);
	if (rc < 0 && (r.broken || r.offset == 0)) {
		unlink(r.part);
		unlink(r.tag_path);
	}
	if (rc == 0 && result)
		*result = local;
	return rc;
}
