/* sigv4.h: AWS Signature Version 4: what a request must carry so that a service knows who sent it and that nobody changed it. Pure: the
 * time is an argument. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
#pragma once
#include "base/buf.h"
#include "base/str.h"
#include <stdint.h>

struct sigv4_header { const char *name /* lower case */, *value; };
struct sigv4_request {
	const char *method;
	const char *path;                   /* as it is sent, already escaped; "" is "/" */
	const char *query;                  /* canonical already: "A=1&B=2" in byte order, escaped; "" none */
	const struct sigv4_header *headers; /* host and x-amz-date are among them; in byte order of their names */
	size_t n_headers;
	str body;
};
struct sigv4_key { const char *id, *secret; const char *region, *service; };

/* "20150830T123600Z" */
void sigv4_time(int64_t unix_s, char out[17]);
/* What is hashed and signed; the caller frees. */
char *sigv4_canonical(const struct sigv4_request *q);
/* The value of the Authorization header; the caller frees. amz_date: of sigv4_time, as in the header x-amz-date. */
char *sigv4_authorization(const struct sigv4_request *q, const struct sigv4_key *k, const char *amz_date);
/* RFC 3986: everything but letters, digits, - _ . ~ becomes %XX. */
void sigv4_put_escaped(struct buf *out, str text);
