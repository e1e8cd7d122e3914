/* template_lex.c: Jinja source -> tokens, with the white space rules of trim_blocks and lstrip_blocks: a line feed right
 * after a block or comment goes, and so does the indent before one; "-" takes all white space on its side, "+" none. */
#include "base/vec.h"
#include "token/template_ast.h"
#include "token/unicode.h"

struct lexer {
	struct arena *arena;
	str src;
	size_t at;
	int line;
	bool line_start; /* the text that follows begins a line */
	struct template_tokens *out;
	struct err *err;
};

static int fail(const struct lexer *l, const char *what)
{
	return err_set(l->err, ERR_INVALID, "chat template line %d: %s", l->line, what);
}

static void push(struct lexer *l, enum token_kind kind, str text)
{
	vec_push(l->out, (struct template_token){.kind = kind, .line = l->line, .text = text});
}

static bool looking_at(const struct lexer *l, size_t at, const char *text)
{
	size_t n = strlen(text);
	return l->src.len - at >= n && memcmp(l->src.data + at, text, n) == 0;
}

static void advance(struct lexer *l, size_t to)
{
	for (; l->at < to; l->at++)
		l->line += l->src.data[l->at] == '\n';
}

static size_t skip_space(str s, size_t at)
{
	int32_t c;
	for (size_t n; at < s.len && (n = unicode_next(s, at, &c), unicode_is_space(c)); at += n)
		;
	return at;
}

/* "%}", "-%}", "+%}" and the like at `at`: where the tag ends with the white space it takes, or 0. */
static size_t tag_end(const struct lexer *l, size_t at, const char *close, bool trims_line)
{
	char sign = at < l->src.len ? l->src.data[at] : 0;
	size_t mark = at + (sign == '-' || sign == '+');
	if (mark > l->src.len || !looking_at(l, mark, close))
		return 0;
	size_t end = mark + 2;
	if (sign == '-')
		return skip_space(l->src, end);
	return trims_line && sign != '+' && end < l->src.len && l->src.data[end] == '\n' ? end + 1 : end;
}

/* The text before a tag, without what the tag's sign or lstrip_blocks takes. */
static str trim_before(const struct lexer *l, str text, char sign, bool is_print)
{
	if (sign == '-')
		return unicode_strip(text, false, true);
	if (sign == '+' || is_print)
		return text;
	size_t line = text.len;
	while (line > 0 && text.data[line - 1] != '\n')
		line--;
	if ((line > 0 || l->line_start) && skip_space(text, line) == text.len)
		text.len = line;
	return text;
}

static void push_text(struct lexer *l, str text)
{
	if (text.len)
		push(l, TOKEN_TEXT, text);
}

static int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* \xHH, \uHHHH, \UHHHHHHHH: digits consumed, or 0 when they are not all there. */
static size_t put_hex(str s, size_t at, size_t digits, struct buf *out)
{
	int64_t c = 0;
	for (size_t i = 0; i < digits; i++) {
		int v = at + i < s.len ? hex_value(s.data[at + i]) : -1;
		if (v < 0)
			return 0;
		c = c * 16 + v;
	}
	if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return 0;
	unicode_put(out, (int32_t)c);
	return digits;
}

/* Python's escapes; an unknown one stays as it is. */
static void unescape(str s, struct buf *out)
{
	static const char FROM[] = "\\'\"abfnrtv", TO[] = "\\'\"\a\b\f\n\r\t\v";
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] != '\\' || i + 1 == s.len) {
			buf_putc(out, s.data[i]);
			continue;
		}
		char c = s.data[++i];
		const char *found = c ? strchr(FROM, c) : NULL;
		size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, used;
		if (found) {
			buf_putc(out, TO[found - FROM]);
		} else if (digits && (used = put_hex(s, i + 1, digits, out)) > 0) {
			i += used;
		} else if (c == '0') {
			buf_putc(out, 0);
		} else if (c != '\n') {
			buf_putc(out, '\\');
			buf_putc(out, c);
		}
	}
}

static int lex_string(struct lexer *l)
{
	char quote = l->src.data[l->at];
	size_t end = l->at + 1;
	while (end < l->src.len && l->src.data[end] != quote)
		end += l->src.data[end] == '\\' ? 2 : 1;
	if (end >= l->src.len)
		return fail(l, "a string is not closed");
	struct buf text = {0};
	unescape(str_sub(l->src, l->at + 1, end), &text);
	push(l, TOKEN_STRING, (str){arena_strdup(l->arena, buf_str(&text)), text.len});
	buf_done(&text);
	advance(l, end + 1);
	return 0;
}

static int lex_number(struct lexer *l)
{
	char digits[64];
	size_t n = 0, i = l->at;
	bool real = false;
	for (; i < l->src.len; i++) {
		char c = l->src.data[i], next = i + 1 < l->src.len ? l->src.data[i + 1] : 0;
		bool point = c == '.' && !real && next >= '0' && next <= '9';
		bool exponent = (c == 'e' || c == 'E') && ((next >= '0' && next <= '9') || next == '-' || next == '+');
		bool sign = (c == '-' || c == '+') && n && (digits[n - 1] == 'e' || digits[n - 1] == 'E');
		if (c == '_')
			continue;
		if (!(c >= '0' && c <= '9') && !point && !exponent && !sign)
			break;
		if (n + 1 == sizeof digits)
			return fail(l, "a number is too long");
		real = real || point || exponent;
		digits[n++] = c;
	}
	struct template_token t = {.kind = real ? TOKEN_FLOAT : TOKEN_INT, .line = l->line};
	if (real ? !str_to_f64((str){digits, n}, &t.real) : !str_to_i64((str){digits, n}, &t.integer))
		return fail(l, "a number is out of range");
	vec_push(l->out, t);
	advance(l, i);
	return 0;
}

static bool is_name_byte(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80 || (!first && c >= '0' && c <= '9');
}

static int lex_operator(struct lexer *l, int *braces)
{
	static const char *const OPERATORS[] = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
						"<", ">", "=", ".", ":", "|", ",", ";"};
	for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++)
		if (looking_at(l, l->at, OPERATORS[i])) {
			char c = OPERATORS[i][0];
			*braces += (c == '{' || c == '(' || c == '[') - (c == '}' || c == ')' || c == ']');
			push(l, TOKEN_OPERATOR, str_of(OPERATORS[i]));
			advance(l, l->at + strlen(OPERATORS[i]));
			return 0;
		}
	return fail(l, "an unexpected character");
}

/* Tokens up to the closing mark. */
static int lex_tag(struct lexer *l, bool is_print)
{
	int braces = 0;
	for (;;) {
		advance(l, skip_space(l->src, l->at));
		if (l->at >= l->src.len)
			return fail(l, is_print ? "'{{' is not closed" : "'{%' is not closed");
		size_t end = braces > 0 ? 0 : tag_end(l, l->at, is_print ? "}}" : "%}", !is_print);
		if (end) {
			push(l, is_print ? TOKEN_PRINT_END : TOKEN_BLOCK_END, STR(""));
			l->line_start = l->src.data[end - 1] == '\n';
			advance(l, end);
			return 0;
		}
		char c = l->src.data[l->at];
		int rc = 0;
		if (c == '"' || c == '\'') {
			rc = lex_string(l);
		} else if (c >= '0' && c <= '9') {
			rc = lex_number(l);
		} else if (is_name_byte(c, true)) {
			size_t from = l->at, to = from;
			while (to < l->src.len && is_name_byte(l->src.data[to], false))
				to++;
			push(l, TOKEN_NAME, str_sub(l->src, from, to));
			advance(l, to);
		} else {
			rc = lex_operator(l, &braces);
		}
		if (rc < 0)
			return -1;
	}
}

static int lex_comment(struct lexer *l)
{
	for (size_t i = l->at + 2; i + 1 < l->src.len; i++) {
		if (l->src.data[i] == '#' && l->src.data[i + 1] == '}') {
			char sign = l->src.data[i - 1];
			size_t end = tag_end(l, i > l->at + 2 && (sign == '-' || sign == '+') ? i - 1 : i, "#}", true);
			l->line_start = l->src.data[end - 1] == '\n';
			advance(l, end);
			return 0;
		}
	}
	return fail(l, "'{#' is not closed");
}

/* At "{%": where the word (raw, endraw) tag ends with the space it takes, 0 when it is another tag. */
static size_t word_tag(const struct lexer *l, size_t at, const char *word, bool trims_line)
{
	size_t i = at + 2;
	i += i < l->src.len && (l->src.data[i] == '-' || l->src.data[i] == '+');
	i = skip_space(l->src, i);
	if (!looking_at(l, i, word))
		return 0;
	return tag_end(l, skip_space(l->src, i + strlen(word)), "%}", trims_line);
}

static int lex_raw(struct lexer *l, size_t begin)
{
	for (size_t i = begin; i + 1 < l->src.len; i++) {
		size_t end = looking_at(l, i, "{%") ? word_tag(l, i, "endraw", true) : 0;
		if (end) {
			l->line_start = l->src.data[begin - 1] == '\n';
			push_text(l, trim_before(l, str_sub(l->src, begin, i), l->src.data[i + 2], false));
			l->line_start = l->src.data[end - 1] == '\n';
			advance(l, end);
			return 0;
		}
	}
	return fail(l, "'{% raw %}' is not closed");
}

static size_t find_tag(const struct lexer *l)
{
	for (size_t i = l->at; i + 1 < l->src.len; i++)
		if (l->src.data[i] == '{' && strchr("{%#", l->src.data[i + 1]) && l->src.data[i + 1])
			return i;
	return l->src.len;
}

int template_lex(struct arena *arena, str source, struct template_tokens *out, struct err *err)
{
	struct lexer l = {.arena = arena, .src = source, .line = 1, .line_start = true, .out = out, .err = err};
	while (l.at < source.len) {
		size_t tag = find_tag(&l);
		str text = str_sub(source, l.at, tag);
		if (tag == source.len) {
			push_text(&l, text);
			advance(&l, tag);
			break;
		}
		char kind = source.data[tag + 1], sign = tag + 2 < source.len ? source.data[tag + 2] : 0;
		push_text(&l, trim_before(&l, text, sign, kind == '{'));
		advance(&l, tag);
		size_t raw = kind == '%' ? word_tag(&l, tag, "raw", false) : 0;
		int rc;
		if (kind == '#') {
			rc = lex_comment(&l);
		} else if (raw) {
			rc = lex_raw(&l, raw);
		} else {
			push(&l, kind == '{' ? TOKEN_PRINT_BEGIN : TOKEN_BLOCK_BEGIN, STR(""));
			advance(&l, tag + 2 + (sign == '-' || sign == '+'));
			rc = lex_tag(&l, kind == '{');
		}
		if (rc < 0)
			return -1;
	}
	push(&l, TOKEN_END, STR(""));
	return 0;
}
