/* sse.c: event framing. */
#include "http/sse.h"

#include "codec/json.h"

void sse_begin(struct http_exchange *x)
{
	http_reply_header(x, "Cache-Control", "no-cache");
	http_reply_header(x, "X-Accel-Buffering", "no"); /* a buffering proxy would hold the tokens back */
	http_stream_begin(x, 200, "text/event-stream; charset=utf-8");
}

int sse_send_text(struct http_exchange *x, const char *name, str text, struct err *err)
{
	CLEANUP(buf_done) struct buf frame = {0};
	if (name)
		buf_printf(&frame, "event: %s\n", name);
	for (size_t from = 0; from <= text.len;) {
		size_t end = str_find(text, '\n', from);
		buf_puts(&frame, "data: ");
		buf_put_str(&frame, str_sub(text, from, end));
		buf_putc(&frame, '\n');
		from = end + 1;
	}
	buf_putc(&frame, '\n');
	return http_stream_write(x, buf_str(&frame), err);
}

int sse_send(struct http_exchange *x, const char *name, json_t *value, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	json_print(value, JSON_PRINT_COMPACT, &text);
	json_decref(value);
	return sse_send_text(x, name, buf_str(&text), err);
}
