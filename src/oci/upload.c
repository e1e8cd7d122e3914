/* upload.c: one blob into a registry. Small blobs go in one PUT. Large ones go in pieces (PATCH); when a piece is lost the
 * upload's own URL is asked how much arrived, and the rest is sent from there. A session that the registry forgot is
 * begun anew. */
#include "base/fd.h"
#include "oci/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct upload {
	struct registry *r;
	const struct descriptor *blob;
	const struct blob_progress *progress;
	int fd;
	char *location;     /* where the next piece goes */
	uint64_t offset;    /* bytes that the registry has */
	uint64_t chunk;
};

static void on_sent(void *context, uint64_t bytes)
{
	struct upload *u = context;
	if (u->progress->fn)
		u->progress->fn(u->progress->context, u->offset + bytes, u->blob->size);
}

/* Take the upload's URL from an answer; it may be relative to the one that was asked. */
static int keep_location(struct upload *u, const struct http_response *response, struct err *err)
{
	const char *location = http_response_header(response, "location");
	char *absolute = location ? http_url_resolve(response->url, location) : NULL;
	if (!absolute)
		return err_set(err, ERR_PROTOCOL, "registry %s began an upload without a usable Location", u->r->ref->registry);
	free(u->location);
	u->location = absolute;
	return 0;
}

static int send_to(struct upload *u, const char *method, const char *url, const char *const *headers, struct http_body body,
		   bool once, struct http_response *response, struct err *err)
{
	const struct registry_request q = {
		.http = {.method = method, .headers = headers, .body = body, .sent = body.len ? on_sent : NULL, .context = u, .once = once,
			 .cancel = u->progress->cancel},
		.path = url, .scope = u->r->push_scope,
	};
	return registry_send(u->r, &q, response, err);
}

/* POST: 1 when the blob was mounted, 0 when an upload was begun. */
static int begin(struct upload *u, bool try_mount, struct err *err)
{
	CLEANUP(http_response_done) struct http_response response = {0};
	CLEANUP(mem_freep) char *query = try_mount ? mem_printf("?mount=%s&from=%s", u->blob->digest, u->r->mount_from) : mem_strdup("");
	CLEANUP(mem_freep) char *path = mem_printf("/v2/%s/blobs/uploads/%s", u->r->repository, query);
	if (send_to(u, "POST", path, NULL, (struct http_body){0}, false, &response, err) < 0)
		return -1;
	if (try_mount && response.status == 201)
		return 1;
	if (response.status != 202)
		return registry_error(u->r, &response, "upload to", err);
	const char *minimum = http_response_header(&response, "oci-chunk-min-length");
	int64_t least;
	u->offset = 0;
	u->chunk = u->r->chunk_bytes;
	if (minimum && str_to_i64(str_of(minimum), &least) && least > 0 && least < ((int64_t)1 << 40) && (uint64_t)least > u->chunk)
		u->chunk = (uint64_t)least;
	return keep_location(u, &response, err);
}

static struct http_body piece(const struct upload *u, uint64_t len)
{
	return (struct http_body){.fd = u->fd, .offset = u->offset, .len = len, .from_file = true};
}

/* PUT with the digest, and with all bytes that are still missing. */
static int finish(struct upload *u, struct http_response *response, struct err *err)
{
	CLEANUP(mem_freep) char *url = mem_printf("%s%sdigest=%s", u->location, strchr(u->location, '?') ? "&" : "?", u->blob->digest);
	static const char *const HEADERS[] = {"Content-Type: application/octet-stream", NULL};
	return send_to(u, "PUT", url, HEADERS, piece(u, u->blob->size - u->offset), true, response, err);
}

static int send_piece(struct upload *u, uint64_t len, struct http_response *response, struct err *err)
{
	CLEANUP(mem_freep) char *range = mem_printf("Content-Range: %" PRIu64 "-%" PRIu64, u->offset, u->offset + len - 1);
	const char *const headers[] = {"Content-Type: application/octet-stream", range, NULL};
	return send_to(u, "PATCH", u->location, headers, piece(u, len), true, response, err);
}

/* The number of bytes that a "Range: 0-N" header admits. */
static bool parse_range(const char *value, uint64_t size, uint64_t *have)
{
	uint64_t first, last;
	if (!value || sscanf(value, "%*[bytes= ]%" SCNu64 "-%" SCNu64, &first, &last) != 2)
		if (!value || sscanf(value, "%" SCNu64 "-%" SCNu64, &first, &last) != 2)
			return false;
	if (first != 0 || last >= size)
		return false;
	*have = last + 1;
	return true;
}

/* Ask the session where it stands: 1 when it goes on from u->offset, 0 when it is lost. */
static int ask_offset(struct upload *u, struct err *err)
{
	CLEANUP(http_response_done) struct http_response response = {0};
	if (send_to(u, "GET", u->location, NULL, (struct http_body){0}, false, &response, err) < 0)
		return -1;
	if (response.status != 204 && response.status != 202 && response.status != 200)
		return 0;
	uint64_t have = 0;
	if (http_response_header(&response, "location") && keep_location(u, &response, err) < 0)
		return -1;
	const char *range = http_response_header(&response, "range");
	/* "0-0" means both one byte and none; sending from 0 is right for none, and refused (416) for one. */
	u->offset = parse_range(range, u->blob->size, &have) && have > 1 ? have : 0;
	return 1;
}

enum step { STEP_ON, STEP_DONE, STEP_AGAIN, STEP_FAILED };

static enum step judge(struct upload *u, int rc, const struct http_response *response, uint64_t sent, bool last, struct err *err)
{
	if (rc < 0)
		return err && (err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT) ? STEP_AGAIN : STEP_FAILED;
	if (last && response->status == 201)
		return STEP_DONE;
	if (!last && (response->status == 202 || response->status == 204)) {
		uint64_t have = 0;
		u->offset = parse_range(http_response_header(response, "range"), u->blob->size, &have) ? have : u->offset + sent;
		return keep_location(u, response, err) < 0 ? STEP_FAILED : STEP_ON;
	}
	registry_error(u->r, response, "upload to", err);
	return retry_status(response->status) || response->status == 416 || response->status == 404 ? STEP_AGAIN : STEP_FAILED;
}

static enum step next_step(struct upload *u, struct http_response *response, struct err *err)
{
	uint64_t left = u->blob->size - u->offset;
	bool last = u->blob->size <= u->chunk || left == 0;
	uint64_t len = last ? left : left < u->chunk ? left : u->chunk;
	int rc = last ? finish(u, response, err) : send_piece(u, len, response, err);
	return judge(u, rc, response, len, last, err);
}

/* After a failed step: wait, then learn the offset, or begin anew when the session is lost. */
static int recover(struct upload *u, unsigned attempt, const char *retry_after, struct err *err)
{
	const struct http_options *o = http_client_options(u->r->client);
	int64_t asked = retry_after_ms(retry_after, 0);
	if (attempt >= o->retry.attempts || asked > RETRY_AFTER_MAX_MS)
		return -1;
	if (retry_wait(retry_delay_ms(&o->retry, attempt, asked), u->progress->cancel, err) < 0)
		return -1;
	int known = u->blob->size <= u->chunk ? 0 : ask_offset(u, err);
	if (known == 0)
		known = begin(u, false, err) < 0 ? -1 : 1;
	return known < 0 ? -1 : 0;
}

static int send_all(struct upload *u, struct err *err)
{
	uint64_t furthest = 0;
	for (unsigned attempt = 1;;) {
		CLEANUP(http_response_done) struct http_response response = {0};
		switch (next_step(u, &response, err)) {
		case STEP_DONE:
			return 0;
		case STEP_FAILED:
			return -1;
		case STEP_ON:
			break;
		case STEP_AGAIN:
			if (recover(u, attempt++, http_response_header(&response, "retry-after"), err) < 0)
				return -1;
			break;
		}
		if (u->offset > furthest) { /* it moved on: failures are counted from here */
			furthest = u->offset;
			attempt = 1;
		}
	}
}

static int exists(struct upload *u, struct err *err)
{
	CLEANUP(http_response_done) struct http_response response = {0};
	CLEANUP(mem_freep) char *path = mem_printf("/v2/%s/blobs/%s", u->r->repository, u->blob->digest);
	if (send_to(u, "HEAD", path, NULL, (struct http_body){0}, false, &response, err) < 0)
		return -1;
	if (response.status == 401 || response.status == 403)
		return registry_error(u->r, &response, "push to", err);
	return response.status == 200;
}

static int run(struct upload *u, enum blob_outcome *outcome, struct err *err)
{
	int there = exists(u, err);
	if (there < 0)
		return -1;
	*outcome = BLOB_EXISTED;
	if (there)
		return 0;
	int mounted = begin(u, u->r->mount_from != NULL, err);
	if (mounted < 0)
		return -1;
	*outcome = mounted ? BLOB_MOUNTED : BLOB_UPLOADED;
	return mounted ? 0 : send_all(u, err);
}

int registry_put_blob(struct registry *r, const struct descriptor *blob, const char *path, const struct blob_progress *progress,
		      enum blob_outcome *outcome, struct err *err)
{
	struct err own = ERR_INIT;
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	if ((uint64_t)st.st_size != blob->size)
		return err_set(err, ERR_IO, "'%s' changed while it was pushed; push it when nothing writes to it", path);
	struct upload u = {.r = r, .blob = blob, .progress = progress, .fd = fd};
	int rc = run(&u, outcome, err ? err : &own);
	free(u.location);
	return rc;
}
