/* test_stop_match.c: stop strings in text cut anywhere: nothing of a stop string leaks, nothing else is lost. */
#include "base/mem.h"
#include "check_main.h"
#include "engine/stop_match.h"

/* Pushes text in pieces of `step` bytes; returns what came out, and whether it stopped. */
static char *run(const char *text, const str *stops, size_t n, bool include, size_t step, bool *stopped)
{
	struct stop_match m = {.stops = stops, .n = n, .include = include};
	struct buf out = {0};
	size_t len = strlen(text);
	*stopped = false;
	for (size_t at = 0; at < len && !*stopped; at += step)
		*stopped = stop_match_push(&m, (str){text + at, len - at < step ? len - at : step}, &out);
	if (!*stopped)
		stop_match_finish(&m, &out);
	stop_match_done(&m);
	return buf_take(&out);
}

static void expect(const char *text, const str *stops, size_t n, bool include, const char *want, bool want_stop)
{
	for (size_t step = 1; step <= strlen(text); step++) {
		bool stopped;
		char *got CLEANUP(mem_freep) = run(text, stops, n, include, step, &stopped);
		ck_assert_msg(strcmp(got, want) == 0 && stopped == want_stop, "'%s' in pieces of %zu gave '%s' (stopped %d)", text, step, got, stopped);
	}
}

START_TEST(text_is_cut_before_the_first_stop_string)
{
	const str stops[] = {STR("\n\nUser:"), STR("END")};
	expect("hello\n\nUser: more", stops, 2, false, "hello", true);
	expect("one EN two END three", stops, 2, false, "one EN two ", true);
	expect("no stop \n\nUse", stops, 2, false, "no stop \n\nUse", false);
}
END_TEST

START_TEST(stop_string_is_kept_when_asked_for)
{
	const str stops[] = {STR("END")};
	expect("a END b", stops, 1, true, "a END", true);
}
END_TEST

START_TEST(overlapping_beginnings_are_found)
{
	const str stops[] = {STR("aab")};
	expect("aaaaab!", stops, 1, false, "aaa", true);
	const str two[] = {STR("abcd"), STR("bc")};
	expect("xabcy", two, 2, false, "xa", true);
}
END_TEST

START_TEST(empty_stop_strings_never_match)
{
	const str stops[] = {STR("")};
	expect("text", stops, 1, false, "text", false);
	expect("text", NULL, 0, false, "text", false);
}
END_TEST

START_TEST(certain_text_is_not_held_back)
{
	const str stops[] = {STR("END")};
	struct stop_match m = {.stops = stops, .n = 1};
	struct buf out = {0};
	ck_assert(!stop_match_push(&m, STR("abcE"), &out));
	ck_assert_str_eq(out.data, "abc");
	ck_assert(!stop_match_push(&m, STR("x"), &out));
	ck_assert_str_eq(out.data, "abcEx");
	buf_done(&out);
	stop_match_done(&m);
}
END_TEST

int main(void)
{
	CHECK_RUN("stop_match", 20, text_is_cut_before_the_first_stop_string, stop_string_is_kept_when_asked_for, overlapping_beginnings_are_found,
		  empty_stop_strings_never_match, certain_text_is_not_held_back);
}
