/* stream.c: the streamed reply. The handler appends to x->stream; the library takes from it on an I/O thread and is
 * suspended while there is nothing. Both sides meet under x->mu. */
#include "http/exchange.h"

#include "base/clock.h"

#define STREAM_BACKLOG_BYTES ((size_t)256 << 10) /* unread bytes at which the writer waits for the client */

ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
	(void)pos;
	struct http_exchange *x = cls;
	ssize_t n = 0;
	pthread_mutex_lock(&x->mu);
	size_t left = x->stream.len - x->stream_sent;
	if (left > 0) {
		n = (ssize_t)(left < max ? left : max);
		memcpy(out, x->stream.data + x->stream_sent, (size_t)n);
		x->stream_sent += (size_t)n;
		if (x->stream_sent == x->stream.len) {
			buf_clear(&x->stream);
			x->stream_sent = 0;
		}
		pthread_cond_broadcast(&x->changed);
	} else if (x->stream_ended) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		x->suspended = true;
		MHD_suspend_connection(x->conn);
	}
	pthread_mutex_unlock(&x->mu);
	return n;
}

void http_stream_begin(struct http_exchange *x, int status, const char *type)
{
	pthread_mutex_lock(&x->mu);
	if (x->status == 0) {
		x->status = status;
		x->reply_type = type;
		x->streaming = true;
		x->ready = true;
		exchange_wake(x);
	}
	pthread_mutex_unlock(&x->mu);
}

static struct timespec deadline(int64_t ms)
{
	int64_t at = clock_now_ns() + ms * 1000000;
	return (struct timespec){at / 1000000000, at % 1000000000};
}

int http_stream_write(struct http_exchange *x, str data, struct err *err)
{
	struct timespec until = deadline(x->server->o.send_timeout_ms);
	int late = 0, rc = 0;
	pthread_mutex_lock(&x->mu);
	while (!x->gone && !late && x->stream.len - x->stream_sent > STREAM_BACKLOG_BYTES)
		late = pthread_cond_timedwait(&x->changed, &x->mu, &until);
	if (x->gone) {
		rc = err_set(err, ERR_CANCELLED, "the client left before the end of the stream");
	} else if (late) {
		rc = err_set(err, ERR_TIMEOUT, "the client did not read the stream for %d ms", x->server->o.send_timeout_ms);
	} else {
		if (x->stream_sent > STREAM_BACKLOG_BYTES) {
			x->stream.len -= x->stream_sent;
			memmove(x->stream.data, x->stream.data + x->stream_sent, x->stream.len);
			x->stream_sent = 0;
		}
		buf_put_str(&x->stream, data);
		if (x->stream.overflow)
			rc = err_set(err, ERR_LIMIT, "one streamed piece of %zu bytes is too large", data.len);
		exchange_wake(x);
	}
	pthread_mutex_unlock(&x->mu);
	return rc;
}

void http_stream_end(struct http_exchange *x)
{
	pthread_mutex_lock(&x->mu);
	if (x->streaming) {
		x->stream_ended = true;
		exchange_wake(x);
	}
	pthread_mutex_unlock(&x->mu);
}
