/* taxonomy.c: see taxonomy.h: finds the row of an error and words it for the claim's condition. */
#include "azure/taxonomy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEAD_BYTES 256             /* of a message: what a Workspace shows */
#define NO_QUOTA_COOLDOWN_S 3600   /* a limit of 0 is not raised within minutes */

/* Calls fn for each of "a|b|c" until it returns true. */
static bool any_of(const char *words, bool (*fn)(const char *message, str word), const char *message)
{
	str all = str_of(words);
	for (size_t from = 0, end; from <= all.len; from = end + 1) {
		end = str_find(all, '|', from);
		if (fn(message, str_sub(all, from, end)))
			return true;
	}
	return false;
}

static const char *find(const char *message, str word)
{
	for (; *message; message++)
		if (strncasecmp(message, word.data, word.len) == 0)
			return message;
	return NULL;
}

static bool contains(const char *message, str word) { return find(message, word) != NULL; }
static bool equals(const char *code, str word) { return strlen(code) == word.len && strncasecmp(code, word.data, word.len) == 0; }

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Code="AllocationFailed", SubCode: AllocationFailed, "code":"AllocationFailed": the word as the value of something called a code. */
static const char *find_coded(const char *message, str word)
{
	for (const char *at = message; (at = find(at, word)); at++) {
		const char *before = at;
		while (before > message && strchr("=:\"'\\ ", before[-1]))
			before--;
		if (before < at && before - message >= 4 && strncasecmp(before - 4, "code", 4) == 0 && !in_word(at[word.len]))
			return at;
	}
	return NULL;
}

static bool contains_coded(const char *message, str word) { return find_coded(message, word) != NULL; }

static bool is_cause(const struct failure_row *row) { return row->handling == HANDLE_OFFERING || row->handling == HANDLE_CREATE_ERROR; }

static bool matches(const struct failure_row *row, int status, const char *code, const char *message)
{
	if (row->status && row->status != status)
		return false;
	if (row->text && !any_of(row->text, contains, message))
		return false;
	return !row->code || any_of(row->code, equals, code) || (is_cause(row) && any_of(row->code, contains_coded, message));
}

static size_t first_match(int status, const char *code, const char *message)
{
	size_t i = 0;
	while (i + 1 < FAILURE_COUNT && !matches(&FAILURES[i], status, code, message))
		i++;
	return i;
}

/* The best of all errors in the answer: the first row; of one row the first nested error, which says more than its wrapper. */
struct search { int status; size_t best, seen, of_best; const char *code, *message, *outermost; bool header; };

static bool consider(void *context, const char *code, const char *message)
{
	struct search *s = context;
	size_t row = first_match(s->status, code ? code : "", message ? message : "");
	bool same = s->seen == 1 && s->header; /* the outermost error once more, under the body's code */
	bool better = s->seen == 0 || row < s->best || (row == s->best && s->of_best == 0 && message && message[0] && !same);
	if (better) {
		s->best = row;
		s->of_best = s->seen;
		s->code = code ? code : "";
		s->message = message ? message : "";
	}
	s->seen++;
	return false;
}

/* At most `max` bytes of text, whole characters. */
static size_t whole(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);
	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

static bool put_coded(struct buf *out, const char *message, str word)
{
	const char *at = find_coded(message, word);
	if (at)
		buf_put(out, at, word.len);
	return at != NULL;
}

/* The code that the row knows, when the message told it and the wrapper's code is another. */
static void put_code(struct buf *out, const struct search *s, const struct failure_row *row)
{
	str words = str_of(row->code ? row->code : "");
	if (row->code && !any_of(row->code, equals, s->code))
		for (size_t from = 0, end; from <= words.len; from = end + 1) {
			end = str_find(words, '|', from);
			if (put_coded(out, s->message, str_sub(words, from, end)))
				return;
		}
	buf_puts(out, s->code[0] ? s->code : row->reason);
}

static void word_message(char out[801], const struct search *s, const struct failure_row *row)
{
	CLEANUP(buf_done) struct buf text = {0};
	const char *message = s->message[0] ? s->message : s->outermost;
	put_code(&text, s, row);
	size_t fixed = text.len + strlen(": ; ") + strlen(row->remedy), n = strlen(message);
	size_t room = fixed + 3 < HEAD_BYTES ? HEAD_BYTES - 3 - fixed : 0, shown = n <= room + 3 ? n : whole(message, room);
	while (shown == n && shown > 0 && message[shown - 1] == '.')
		shown--, n--;
	buf_printf(&text, ": %.*s%s; %s", (int)shown, message, shown < n ? "..." : "", row->remedy);
	if (shown < n)
		buf_printf(&text, ". In full: %s", message);
	n = whole(text.data, 800);
	memcpy(out, text.data, n);
	out[n] = 0;
}

/* "Current Limit: 0", but not 10 or 0.5. */
static bool limit_is_zero(const char *message)
{
	static const char LIMIT[] = "Current Limit: 0";
	const char *at = find(message, STR("Current Limit: 0"));
	return at && !in_word(at[sizeof LIMIT - 1]) && !(at[sizeof LIMIT - 1] == '.' && isdigit((unsigned char)at[sizeof LIMIT]));
}

void taxonomy_classify(const struct arm_error *e, bool spot, struct failure *out)
{
	struct search s = {.status = e->status, .best = FAILURE_COUNT, .code = "", .message = "", .outermost = e->message, .header = e->code_of_header};
	arm_error_walk(e, consider, &s);
	out->row = &FAILURES[s.best];
	out->cooldown_s = spot ? out->row->cooldown_spot_s : out->row->cooldown_s;
	if (out->cooldown_s && strcmp(out->row->reason, "SubscriptionQuotaReached") == 0 && limit_is_zero(s.message))
		out->cooldown_s = NO_QUOTA_COOLDOWN_S;
	word_message(out->message, &s, out->row);
}
