/* regex.c: see regex.h. */
#include "token/regex.h"

#include "base/buf.h"
#include "base/limits.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct regex { pcre2_code *code; bool jit; };

/* What the escape means in Oniguruma with Unicode, as the inside of a class. PCRE2's \s also takes U+180E. */
static const struct { char escape; const char *inside; } CLASSES[] = {
	{'s', "\\t-\\r\\x{85}\\p{Z}"},
	{'w', "\\p{L}\\p{M}\\p{Nd}\\p{Pc}"},
};

/* Copy one escape sequence, translated. \S and \W inside a class stay PCRE2's own: no published tokenizer has them. */
static void put_escape(struct buf *out, char c, bool in_class)
{
	for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; i++) {
		bool negated = c == CLASSES[i].escape - 'a' + 'A';
		if (c == CLASSES[i].escape || (negated && !in_class)) {
			buf_puts(out, in_class ? "" : negated ? "[^" : "[");
			buf_puts(out, CLASSES[i].inside);
			buf_puts(out, in_class ? "" : "]");
			return;
		}
	}
	buf_putc(out, '\\');
	buf_putc(out, c);
}

static void translate(str pattern, struct buf *out)
{
	bool in_class = false;
	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.data[i];
		if (c == '\\' && i + 1 < pattern.len) {
			put_escape(out, pattern.data[++i], in_class);
			continue;
		}
		if (c == '[' && in_class && !(i + 1 < pattern.len && pattern.data[i + 1] == ':'))
			buf_putc(out, '\\');
		buf_putc(out, c);
		if (c == '[' && !in_class) {
			in_class = true;
			if (i + 1 < pattern.len && pattern.data[i + 1] == '^')
				buf_putc(out, pattern.data[++i]);
			if (i + 1 < pattern.len && pattern.data[i + 1] == ']') {
				buf_puts(out, "\\]");
				i++;
			}
		} else if (c == ']') {
			in_class = false;
		}
	}
}

int regex_new(struct regex **out, str pattern, bool literal, struct err *err)
{
	struct buf text = {.max = LIMIT_TEMPLATE_BYTES};
	if (!literal && memmem(pattern.data, pattern.len, "&&", 2))
		return err_set(err, ERR_UNSUPPORTED, "the regular expression '%.*s' has an intersection of classes (&&), which is not supported", STR_FMT(pattern));
	if (literal)
		buf_put_str(&text, pattern);
	else
		translate(pattern, &text);
	uint32_t options = literal ? PCRE2_UTF | PCRE2_LITERAL : PCRE2_UTF | PCRE2_UCP;
	int code;
	PCRE2_SIZE offset;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)buf_str(&text).data, text.len, options, &code, &offset, NULL);
	bool overflow = text.overflow;
	buf_done(&text);
	if (!compiled || overflow) {
		PCRE2_UCHAR why[120];
		pcre2_get_error_message(code, why, sizeof why);
		pcre2_code_free(compiled);
		return err_set(err, ERR_MODEL, "the regular expression '%.*s' does not compile: %s at offset %zu", (int)(pattern.len > 80 ? 80 : pattern.len),
			       pattern.data, overflow ? "too long" : (const char *)why, overflow ? 0 : (size_t)offset);
	}
	struct regex *r = mem_alloc(sizeof *r);
	r->code = compiled;
	r->jit = pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE) == 0;
	*out = r;
	return 0;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	free(r);
}

struct regex_state *regex_state_new(void) { return (struct regex_state *)pcre2_match_data_create(1, NULL); }
void regex_state_free(struct regex_state *s) { pcre2_match_data_free((pcre2_match_data *)s); }

int regex_find(const struct regex *r, struct regex_state *s, str text, size_t from, size_t *match_from, size_t *match_to, struct err *err)
{
	pcre2_match_data *data = (pcre2_match_data *)s;
	PCRE2_SPTR subject = (PCRE2_SPTR)text.data;
	int rc = PCRE2_ERROR_JIT_STACKLIMIT;
	if (r->jit)
		rc = pcre2_jit_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK, data, NULL);
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter keeps its stack on the heap */
		rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, NULL);
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc < 0) {
		PCRE2_UCHAR why[120];
		pcre2_get_error_message(rc, why, sizeof why);
		return err_set(err, ERR_LIMIT, "the tokenizer's regular expression fails on this text: %s", (const char *)why);
	}
	const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(data);
	*match_from = pair[0];
	*match_to = pair[1] < pair[0] ? pair[0] : pair[1]; /* \K can put the start past the end */
	return 1;
}
