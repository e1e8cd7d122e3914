/* test_answer.c: the framing of HTTP/1.1 answers: in pieces of every size, cut at every byte, at its limits, malformed. */
#include "check_main.h"

#include "base/limits.h"
#include "http/answer.h"

static struct err err;
static struct http_response got;

static void teardown(void) { http_response_done(&got); }

/* Feeds text in pieces of `size`; 0 and the answer's state, or -1. */
static int feed(str text, size_t size, size_t body_max, struct answer *a)
{
	http_response_done(&got);
	*a = (struct answer){.response = &got, .body_max = body_max};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < text.len; i += size)
		rc = answer_feed(a, str_sub(text, i, i + size < text.len ? i + size : text.len), &err);
	answer_done(a);
	return rc;
}

static const struct { const char *text; int status; const char *body; bool complete, keeps; } ANSWERS[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello", 200, "hello", true, true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true, true},
	{"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, true},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, "", true, true},
	{"HTTP/1.1 404 Not Found\ncontent-length: 2\n\nno", 404, "no", true, true},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\nTrailer: t\r\n\r\n", 200, "hello, world...", true, true},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true, true},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, "x", true, true},
	{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", true, false},
	{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", true, false},
	{"HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200", 200, "x", true, false},
};

START_TEST(an_answer_is_read_in_pieces_of_every_size)
{
	struct answer a;
	str text = str_of(ANSWERS[_i].text);
	for (size_t size = 1; size <= text.len; size++) {
		ck_assert_msg(feed(text, size, 0, &a) == 0, "%s", err.message);
		ck_assert_int_eq(got.status, ANSWERS[_i].status);
		ck_assert_str_eq(got.body.data ? got.body.data : "", ANSWERS[_i].body);
		ck_assert_int_eq(answer_complete(&a), ANSWERS[_i].complete);
		ck_assert(ANSWERS[_i].complete || answer_ended(&a));
		/* Surplus that comes after the end is only seen when it comes along. */
		ck_assert(answer_keeps(&a) == ANSWERS[_i].keeps || (size < text.len && strstr(ANSWERS[_i].text, "xHTTP")));
	}
}
END_TEST

START_TEST(a_cut_answer_is_not_complete)
{
	struct answer a;
	for (int i = 0; i < 2; i++) {
		const char *text = ANSWERS[i * 5].text;
		for (size_t len = 0; len < strlen(text); len++) {
			ck_assert_int_eq(feed((str){text, len}, 3, 0, &a), 0);
			ck_assert(!answer_complete(&a) && !answer_ended(&a));
		}
	}
}
END_TEST

static const char *const BAD[] = {
	"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
};

START_TEST(what_is_no_answer_is_refused)
{
	struct answer a;
	ck_assert_int_lt(feed(str_of(BAD[_i]), 7, 0, &a), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
}
END_TEST

START_TEST(bodies_and_heads_have_limits)
{
	struct answer a;
	ck_assert_int_eq(feed(STR("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"), 9, 4, &a), 0);
	ck_assert_int_lt(feed(STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"), 9, 4, &a), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	struct buf text = {0};
	buf_puts(&text, "HTTP/1.1 500 X\r\nContent-Length: 70000\r\n\r\n");
	for (int i = 0; i < 70000; i++)
		buf_putc(&text, 'e');
	ck_assert_int_eq(feed(buf_str(&text), 1000, 4, &a), 0); /* an error's body is cut, not refused */
	ck_assert(answer_keeps(&a) && got.body.len == 65536);
	buf_clear(&text);
	buf_puts(&text, "HTTP/1.1 200 OK\r\nX: ");
	while (text.len < LIMIT_HTTP_HEADER_BYTES - 4)
		buf_putc(&text, 'x');
	buf_puts(&text, "\r\n\r\n");
	ck_assert_int_eq(feed(buf_str(&text), 1000, 0, &a), 0);
	ck_assert_int_eq(got.status, 200);
	text.len -= 4;
	buf_puts(&text, "x\r\n\r\n");
	ck_assert_int_lt(feed(buf_str(&text), 1000, 0, &a), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	buf_done(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/answer");
	TCase *t = tcase_create("answer");
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, an_answer_is_read_in_pieces_of_every_size, 0, sizeof ANSWERS / sizeof ANSWERS[0]);
	tcase_add_test(t, a_cut_answer_is_not_complete);
	tcase_add_loop_test(t, what_is_no_answer_is_refused, 0, sizeof BAD / sizeof BAD[0]);
	tcase_add_test(t, bodies_and_heads_have_limits);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
