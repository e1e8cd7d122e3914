/* registry.h: one repository of one registry over the OCI distribution protocol. Shared by the threads of a transfer:
 * immutable after open, but for `auth`, which guards itself. */
#pragma once
#include "http/client.h"
#include "http/download.h"
#include "oci/auth.h"
#include "oci/manifest.h"
#include "oci/oci.h"
#include "oci/reference.h"

struct registry {
	struct http_client *client;
	const struct reference *ref;      /* borrowed */
	const char *repository;
	char *base;                       /* "https://registry-1.docker.io" */
	char *pull_scope, *push_scope;
	const char *mount_from;           /* repository to mount blobs from; borrowed; NULL: none */
	uint64_t chunk_bytes;             /* blobs above this size are uploaded in pieces of it */
	struct auth auth;
};

/* Find out the scheme and how to log in. Plain http is spoken to loopback, or when options->plain_http. */
WARN_UNUSED int registry_open(struct registry *r, const struct reference *ref, const struct oci_options *options, struct err *err);
void registry_close(struct registry *r);

/* GET a manifest by tag or digest; its digest is verified and returned. *body is the caller's. */
WARN_UNUSED int registry_get_manifest(struct registry *r, const char *target, struct buf *body, char digest[DIGEST_TEXT], struct err *err);
WARN_UNUSED int registry_put_manifest(struct registry *r, const char *target, const char *media_type, const char *text,
				      const char *digest, struct err *err);

struct blob_progress { void (*fn)(void *context, uint64_t done, uint64_t total); void *context; const atomic_bool *cancel; };
/* Into a file, resumed and verified (download.h). */
WARN_UNUSED int registry_get_blob(struct registry *r, const struct descriptor *blob, const char *path, const struct blob_progress *progress, struct err *err);

enum blob_outcome { BLOB_UPLOADED, BLOB_EXISTED, BLOB_MOUNTED };
/* From a file, unless the registry has it or can mount it from r->mount_from; resumed after dropped connections. */
WARN_UNUSED int registry_put_blob(struct registry *r, const struct descriptor *blob, const char *path, const struct blob_progress *progress,
				  enum blob_outcome *outcome, struct err *err);

/* For upload.c: one request below base (or to an absolute URL of the same origin) with the scope's credentials, asked
 * again once after a 401. */
struct registry_request { struct http_request http; const char *path; const char *scope; };
WARN_UNUSED int registry_send(struct registry *r, const struct registry_request *q, struct http_response *out, struct err *err);
/* The error for an unexpected status, with the registry's own words. */
int registry_error(const struct registry *r, const struct http_response *response, const char *doing, struct err *err);
