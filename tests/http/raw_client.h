/* raw_client.h: a blunt HTTP client for tests: it sends the bytes it is told, so that half requests, slow senders and
 * clients that vanish can be played. Every wait ends after RAW_TIMEOUT_MS. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

#define RAW_TIMEOUT_MS 20000

int raw_connect(int port);                          /* a socket to 127.0.0.1; aborts on failure */
void raw_send(int fd, const char *text);            /* all of it; a reset peer is ignored */
/* Reads until the peer closes or the pattern appears in what was read (NULL: until close). True if it did. */
bool raw_read_until(int fd, struct buf *in, const char *pattern);

struct raw_reply { int status; char *head; struct buf body; }; /* body with chunking undone */
/* One request on its own connection ("Connection: close"). body NULL: none. extra: header lines with \r\n, or NULL. */
struct raw_reply raw_request(int port, const char *method, const char *path, const char *extra, const char *body);
struct raw_reply raw_parse(struct buf *in);         /* takes the bytes of one closed connection */
void raw_reply_done(struct raw_reply *r);
