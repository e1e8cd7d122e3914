/* json.c: the parsing side of json.h. Jansson parses; what it lacks is done in one pass before it: the nesting
 * limit (its own is fixed at 2048) and integers past int64 (it refuses them), which are rewritten as reals. */
#include "codec/json.h"

#include "base/fd.h"
#include <stdint.h>

struct scan {
	str text;
	const char *name;
	const struct json_rules *rules;
	long line;
	size_t line_start;
	int depth, max_depth;
	bool rewrite;          /* an integer past int64 was met */
	struct buf out;        /* the rewritten text, only when rewrite */
	size_t copied;         /* bytes of text already in out */
};

static long first_line(const struct json_rules *rules) { return rules->first_line > 0 ? rules->first_line : 1; }

static int too_deep(const struct scan *s, size_t i, struct err *err)
{
	return err_set(err, ERR_LIMIT, "'%s' line %ld column %zu: nested deeper than the limit of %d levels", s->name, s->line,
		       i - s->line_start + 1, s->max_depth);
}

static size_t skip_string(const struct scan *s, size_t i)
{
	for (i++; i < s->text.len; i++) {
		if (s->text.data[i] == '\\')
			i++;
		else if (s->text.data[i] == '"')
			return i + 1;
	}
	return s->text.len;
}

/* A run of digits at `from`: if it is an integer token that does not fit int64, ".0" goes after it. */
static size_t scan_number(struct scan *s, size_t from)
{
	size_t i = from + (s->text.data[from] == '-');
	while (i < s->text.len && s->text.data[i] >= '0' && s->text.data[i] <= '9')
		i++;
	str token = str_sub(s->text, from, i);
	bool real = i < s->text.len && (s->text.data[i] == '.' || s->text.data[i] == 'e' || s->text.data[i] == 'E');
	int64_t value;
	if (token.len < 19 || real || str_to_i64(token, &value))
		return i;
	s->rewrite = true;
	buf_put(&s->out, s->text.data + s->copied, i - s->copied);
	buf_puts(&s->out, ".0");
	s->copied = i;
	return i;
}

/* Exponents are skipped as part of the number, so that "1e99999999999999999999" is left to Jansson. */
static size_t skip_fraction(const struct scan *s, size_t i)
{
	while (i < s->text.len && s->text.data[i] && strchr("0123456789.eE+-", s->text.data[i]))
		i++;
	return i;
}

static int scan_text(struct scan *s, struct err *err)
{
	for (size_t i = 0; i < s->text.len;) {
		char c = s->text.data[i];
		if (c == '"') {
			i = skip_string(s, i);
			continue;
		}
		if (c == '-' || (c >= '0' && c <= '9')) {
			i = skip_fraction(s, scan_number(s, i));
			continue;
		}
		if ((c == '[' || c == '{') && ++s->depth > s->max_depth)
			return too_deep(s, i, err);
		if (c == ']' || c == '}')
			s->depth--;
		i++;
		if (c == '\n') {
			s->line++;
			s->line_start = i;
		}
	}
	if (s->rewrite)
		buf_put(&s->out, s->text.data + s->copied, s->text.len - s->copied);
	return 0;
}

static int load(json_t **out, str text, const char *name, const struct json_rules *rules, struct err *err)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | (rules->allow_nul ? JSON_ALLOW_NUL : 0);
	json_error_t e;
	json_t *value = json_loadb(text.data ? text.data : "", text.len, flags, &e);
	if (!value)
		return err_set(err, ERR_INVALID, "'%s' line %ld column %d: %s", name, (long)(e.line > 0 ? e.line : 1) + first_line(rules) - 1,
			       e.column > 0 ? e.column : 1, e.text);
	*out = value;
	return 0;
}

int json_parse_with(json_t **out, str text, const char *name, const struct json_rules *rules, struct err *err)
{
	size_t max = rules->max_bytes ? rules->max_bytes : LIMIT_JSON_BYTES;
	if (text.len > max)
		return err_set(err, ERR_LIMIT, "'%s' is larger than the limit of %zu bytes", name, max);
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_sub(text, 3, text.len);
	struct scan s = {.text = text, .name = name, .rules = rules, .line = first_line(rules), .out.max = max * 2 + 16,
			 .max_depth = rules->max_depth ? rules->max_depth : LIMIT_JSON_DEPTH};
	int rc = scan_text(&s, err);
	if (rc == 0)
		rc = load(out, s.rewrite ? buf_str(&s.out) : text, name, rules, err);
	buf_done(&s.out);
	return rc;
}

int json_parse(json_t **out, str text, const char *name, struct err *err)
{
	return json_parse_with(out, text, name, &(struct json_rules){0}, err);
}

int json_parse_file_with(json_t **out, const char *path, const struct json_rules *rules, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, rules->max_bytes ? rules->max_bytes : LIMIT_JSON_BYTES, &text, err) < 0)
		return -1;
	return json_parse_with(out, buf_str(&text), path, rules, err);
}

int json_parse_file(json_t **out, const char *path, struct err *err)
{
	return json_parse_file_with(out, path, &(struct json_rules){0}, err);
}
