/* The memo of a claim reads back what was written, and nothing that nobody wrote. */
#include "check_main.h"

#include "aws/note.h"
#include "base/mem.h"

static struct err err;

START_TEST(what_was_written_is_read_back)
{
	static char request[] = "Action=CreateFleet&Version=1&Name=\"x\"";
	struct note n = {.phase = NOTE_REQUESTED, .attempt = 3, .started_s = 1700000000, .request = request, .spot = true}, back = {0};
	snprintf(n.incarnation, sizeof n.incarnation, "0123456789abcdef");
	char *text = note_text(&n);
	ck_assert_msg(note_read(&back, text, &err) == 0, "%s", err.message);
	ck_assert_int_eq(back.phase, NOTE_REQUESTED);
	ck_assert_int_eq(back.attempt, 3);
	ck_assert_int_eq(back.started_s, 1700000000);
	ck_assert_str_eq(back.request, request);
	ck_assert_str_eq(back.incarnation, n.incarnation);
	ck_assert(back.spot);
	for (size_t cut = strlen(text); cut > 1; cut--) { /* cut short at every byte */
		struct note part = {0};
		text[cut - 1] = 0;
		ck_assert_int_eq(note_read(&part, text, &err), -1);
		note_done(&part);
	}
	free(text);
	note_done(&back);
}
END_TEST

START_TEST(nothing_is_no_memo)
{
	struct note n = {0};
	ck_assert_int_eq(note_read(&n, NULL, &err), 0);
	ck_assert_int_eq(n.phase, NOTE_NONE);
	ck_assert_int_eq(note_read(&n, "", &err), 0);
	ck_assert_int_eq(n.phase, NOTE_NONE);
}
END_TEST

START_TEST(what_no_process_wrote_is_refused)
{
	static const char *const WRONG[] = {
		"[]", "{}", "{\"phase\":\"\"}", "{\"phase\":\"sent\"}", "{\"phase\":\"requested\"}", "{\"phase\":\"requested\",\"request\":\"Action=DeleteVpc&x\"}",
		"{\"phase\":\"requested\",\"request\":7}", "{\"phase\":\"running\"}", "{\"phase\":\"running\",\"instance\":\"i-\"}", "{\"phase\":\"running\",\"instance\":\"i-0&InstanceId.2=i-1\"}",
		"{\"phase\":\"running\",\"instance\":\"i-00000000000000000000000000000000000000000000\"}", "{\"phase\":\"choosing\",\"attempt\":-1}", "{\"phase\":\"choosing\",\"spot\":1}",
		"{\"phase\":\"choosing\",\"incarnation\":\"0123456789abcdef0\"}",
	};
	for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
		struct note n = {0};
		ck_assert_msg(note_read(&n, WRONG[i], &err) == -1, "%s", WRONG[i]);
		ck_assert_int_eq(err.kind, ERR_INVALID);
		ck_assert_ptr_null(n.request);
	}
}
END_TEST

int main(void) { CHECK_RUN("aws/note", 20, what_was_written_is_read_back, nothing_is_no_memo, what_no_process_wrote_is_refused); }
