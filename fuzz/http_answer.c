/* Fuzz target: an HTTP answer in two pieces, cut at the first byte's value, says the same as in one piece. */
#include "http/answer.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_answer(str text, size_t cut, struct http_response *out, enum answer_state *state)
{
	struct err err = ERR_INIT;
	struct answer a = {.response = out, .body_max = 1000};
	int rc = answer_feed(&a, str_sub(text, 0, cut), &err);
	if (rc == 0)
		rc = answer_feed(&a, str_sub(text, cut, text.len), &err);
	*state = a.state;
	answer_done(&a);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	str text = {(const char *)data + 1, size - 1};
	struct http_response one = {0}, two = {0};
	enum answer_state a, b;
	int rc = read_answer(text, 0, &one, &a);
	if (read_answer(text, data[0] < text.len ? data[0] : text.len, &two, &b) != rc)
		abort();
	if (rc == 0 && (a != b || one.status != two.status || !str_eq(buf_str(&one.body), buf_str(&two.body))))
		abort();
	http_response_done(&one);
	http_response_done(&two);
	return 0;
}
