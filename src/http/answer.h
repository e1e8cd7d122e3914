/* answer.h: the bytes of one HTTP/1.1 answer (RFC 9112) as they arrive: head, and a body by Content-Length, by chunks, or to the end of
 * the connection. Private to http/. Owner: one thread. */
#pragma once
#include "http/client.h"

enum answer_state { ANSWER_HEAD, ANSWER_LENGTH, ANSWER_TO_END, ANSWER_CHUNK_SIZE, ANSWER_CHUNK, ANSWER_CHUNK_END, ANSWER_TRAILER, ANSWER_COMPLETE };
struct answer {
	struct http_response *response; /* filled */
	size_t body_max;                /* 0: 1 MiB */
	/* mechanism */
	enum answer_state state;
	struct buf line;                /* the head, or a line between chunks */
	uint64_t left;                  /* of the body or the chunk */
	bool close, surplus;
};
/* ERR_PROTOCOL for what is no answer, ERR_LIMIT for a head or body that is too large (an error status' body is cut). */
WARN_UNUSED int answer_feed(struct answer *a, str data, struct err *err);
static inline bool answer_complete(const struct answer *a) { return a->state == ANSWER_COMPLETE; }
static inline bool answer_ended(const struct answer *a) { return a->state == ANSWER_TO_END; } /* the end of the connection completes it */
/* Whether the connection is good for another request. */
static inline bool answer_keeps(const struct answer *a) { return answer_complete(a) && !a->close && !a->surplus; }
void answer_done(struct answer *a);
