/* answer.c: see answer.h. */
#include "http/answer.h"

#include "base/limits.h"
#include "http/transfer.h"
#include <strings.h>

#define BODY_MAX_DEFAULT ((size_t)1 << 20)
#define ERROR_BODY_MAX ((size_t)64 << 10)
#define LINE_BYTES ((size_t)4096)

static int no_answer(struct err *err) { return err_set(err, ERR_PROTOCOL, "the server's answer is not HTTP/1.1"); }

static bool success(const struct answer *a) { return a->response->status >= 200 && a->response->status < 300; }

static int put_body(struct answer *a, str data, struct err *err)
{
	struct buf *body = &a->response->body;
	size_t max = !success(a) ? ERROR_BODY_MAX : a->body_max ? a->body_max : BODY_MAX_DEFAULT;
	body->max = max;
	if (data.len > max - body->len) {
		if (success(a))
			return err_set(err, ERR_LIMIT, "the answer is larger than the limit of %zu bytes", max);
		data.len = max - body->len;
	}
	buf_put_str(body, data);
	return 0;
}

/* Bytes up to and including a line's end go to a->line. *whole: the end was there. */
static int take_line(struct answer *a, str *data, bool *whole, struct err *err)
{
	size_t end = str_find(*data, '\n', 0);
	size_t n = end < data->len ? end + 1 : data->len;
	a->line.max = a->state == ANSWER_HEAD ? LIMIT_HTTP_HEADER_BYTES : LINE_BYTES;
	buf_put(&a->line, data->data, n);
	*whole = end < data->len;
	*data = str_sub(*data, n, data->len);
	return a->line.overflow ? err_set(err, ERR_LIMIT, "a line or the head of the answer is too long") : 0;
}

static int parse_status(struct answer *a, str line, struct err *err)
{
	int64_t status = 0;
	if (line.len < 12 || !str_starts(line, STR("HTTP/1.")) || line.data[8] != ' ' || !str_to_i64(str_sub(line, 9, 12), &status) || status < 100)
		return no_answer(err);
	a->response->status = (int)status;
	a->close = line.data[7] == '0';
	return 0;
}

/* What the head says about the body. */
static int choose_body(struct answer *a, struct err *err)
{
	const char *coding = http_response_header(a->response, "transfer-encoding"), *length = http_response_header(a->response, "content-length");
	const char *connection = http_response_header(a->response, "connection");
	int64_t n = 0;
	a->close |= connection && strcasestr(connection, "close");
	if (a->response->status == 204 || a->response->status == 304) {
		a->state = ANSWER_COMPLETE;
	} else if (coding) {
		if (strcasecmp(coding, "chunked") != 0)
			return no_answer(err);
		a->state = ANSWER_CHUNK_SIZE;
	} else if (length) {
		if (!str_to_i64(str_of(length), &n) || n < 0)
			return no_answer(err);
		a->left = (uint64_t)n;
		a->state = n ? ANSWER_LENGTH : ANSWER_COMPLETE;
	} else {
		a->state = ANSWER_TO_END;
		a->close = true;
	}
	return 0;
}

static int parse_head(struct answer *a, struct err *err)
{
	str head = buf_str(&a->line);
	bool first = true;
	map_done(&a->response->headers);
	for (size_t at = 0; at < head.len;) {
		size_t end = str_find(head, '\n', at);
		str line = str_trim(str_sub(head, at, end));
		if (first && parse_status(a, line, err) < 0)
			return -1;
		if (!first)
			transfer_put_header(a->response, line);
		first = false;
		at = end + 1;
	}
	buf_done(&a->line);
	return a->response->status < 200 ? 0 : choose_body(a, err); /* an interim answer is followed by another head */
}

static bool head_ends(const struct answer *a)
{
	str text = buf_str(&a->line);
	return str_ends(text, STR("\r\n\r\n")) || str_ends(text, STR("\n\n"));
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int parse_size(struct answer *a, struct err *err)
{
	uint64_t n = 0;
	size_t i = 0;
	str line = str_trim(buf_str(&a->line));
	for (; i < line.len && i < 15 && hex(line.data[i]) >= 0; i++)
		n = n * 16 + (uint64_t)hex(line.data[i]);
	if (i == 0 || (i < line.len && line.data[i] != ';' && line.data[i] != ' '))
		return no_answer(err);
	a->left = n;
	a->state = n ? ANSWER_CHUNK : ANSWER_TRAILER;
	return 0;
}

/* A whole line is in a->line, outside of a body. */
static int end_line(struct answer *a, struct err *err)
{
	bool empty = str_trim(buf_str(&a->line)).len == 0;
	int rc = 0;
	if (a->state == ANSWER_HEAD)
		return head_ends(a) ? parse_head(a, err) : 0;
	if (a->state == ANSWER_CHUNK_SIZE)
		rc = parse_size(a, err);
	else if (a->state == ANSWER_CHUNK_END)
		rc = empty ? (a->state = ANSWER_CHUNK_SIZE, 0) : no_answer(err);
	else if (empty)
		a->state = ANSWER_COMPLETE;
	buf_clear(&a->line);
	return rc;
}

static int feed_body(struct answer *a, str *data, struct err *err)
{
	size_t n = a->state == ANSWER_TO_END || data->len < a->left ? data->len : (size_t)a->left;
	if (put_body(a, str_sub(*data, 0, n), err) < 0)
		return -1;
	*data = str_sub(*data, n, data->len);
	if (a->state == ANSWER_TO_END)
		return 0;
	a->left -= n;
	if (a->left == 0)
		a->state = a->state == ANSWER_LENGTH ? ANSWER_COMPLETE : ANSWER_CHUNK_END;
	return 0;
}

int answer_feed(struct answer *a, str data, struct err *err)
{
	while (data.len && !answer_complete(a)) {
		bool body = a->state == ANSWER_LENGTH || a->state == ANSWER_TO_END || a->state == ANSWER_CHUNK, whole = false;
		if (body ? feed_body(a, &data, err) < 0 : take_line(a, &data, &whole, err) < 0)
			return -1;
		if (whole && end_line(a, err) < 0)
			return -1;
	}
	a->surplus |= data.len > 0;
	return 0;
}

void answer_done(struct answer *a) { buf_done(&a->line); }
