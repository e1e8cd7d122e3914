/* download.h: one URL into one file, resumed where it stopped, verified, and visible only when whole.
 *
 * Bytes gather in "PATH.part". After a dropped connection, and in a later run of the program, the rest is asked for by
 * Range. What makes that safe is either the expected digest, or the validator (ETag or Last-Modified, kept in
 * "PATH.part.tag") sent as If-Range. A full disk or a wrong digest removes both files. */
#pragma once
#include "codec/digest.h"
#include "http/client.h"

/* Gives the Authorization value for the next try; `refused` says that the last one was answered by 401 with this
 * WWW-Authenticate header (may be NULL). *value NULL: none. Negative: give up with *err. */
typedef int download_authorize(void *context, bool refused, const char *challenge, char **value, struct err *err);

struct download {
	const char *url, *path;
	const char *const *headers;     /* NULL-terminated; may be NULL */
	bool has_size;
	uint64_t size;                  /* expected */
	const char *digest;             /* expected "sha256:…"; NULL: only computed */
	bool trust_host;                /* as in http_request */
	const atomic_bool *cancel;      /* besides the client's; may be NULL */
	download_authorize *authorize;  /* may be NULL */
	void (*progress)(void *context, uint64_t done, uint64_t total); /* total 0: unknown; may be NULL */
	void *context;
};
struct download_result { char digest[DIGEST_TEXT]; uint64_t size; bool resumed; };

/* *result may be NULL. The file's folder must exist. */
WARN_UNUSED int download_run(struct http_client *client, const struct download *d, struct download_result *result, struct err *err);
