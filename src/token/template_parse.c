/* template_parse.c: tokens -> statements. To add a statement: a parser, a row in STATEMENTS, a kind, a row in template_exec.c. */
#include "base/vec.h"
#include "token/template_ast.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_BLOCKS 100

int template_fail(struct parser *p, const char *fmt, ...)
{
	if (p->failed)
		return -1;
	char text[160];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	p->failed = true;
	return err_set(p->err, ERR_INVALID, "chat template line %d: %s", p->at->line, text);
}

const char *template_intern(struct chat_template *t, str name)
{
	char *known = map_get(&t->names, name);
	if (!known) {
		known = arena_strdup(&t->arena, name);
		map_put(&t->names, name, known);
	}
	return known;
}

bool template_is(const struct parser *p, enum token_kind kind, const char *text)
{
	return p->at->kind == kind && (!text || str_eqz(p->at->text, text));
}

bool template_accept(struct parser *p, enum token_kind kind, const char *text)
{
	if (!template_is(p, kind, text))
		return false;
	p->at++;
	return true;
}

void template_expect(struct parser *p, enum token_kind kind, const char *text)
{
	if (p->failed || template_accept(p, kind, text))
		return;
	if (kind == TOKEN_BLOCK_END || kind == TOKEN_PRINT_END)
		template_fail(p, "expected the end of the tag, found '%.*s'", STR_FMT(p->at->text));
	else
		template_fail(p, "expected '%s', found '%.*s'", text ? text : "a name", STR_FMT(p->at->text));
}

void *template_push(struct arena *a, void *items, size_t *cap, size_t len, size_t size)
{
	if (len < *cap)
		return items;
	*cap = *cap ? *cap * 2 : 4;
	void *grown = arena_array(a, *cap, size);
	if (len)
		memcpy(grown, items, len * size);
	return grown;
}

static void add_stmt(struct parser *p, struct block *b, struct stmt *s)
{
	b->items = template_push(&p->t->arena, b->items, &b->cap, b->len, sizeof *b->items);
	b->items[b->len++] = s;
}

static void parse_block(struct parser *p, struct block *b, const char *const *ends);

/* The rest of a tag, the body, and the end tag's word; the word is taken. */
static void parse_body(struct parser *p, struct block *body, const char *const *ends)
{
	template_expect(p, TOKEN_BLOCK_END, NULL);
	parse_block(p, body, ends);
}

#define ENDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void parse_if(struct parser *p, struct stmt *s)
{
	size_t cap = 0;
	s->kind = STMT_IF;
	for (bool more = true; more && !p->failed;) {
		s->branches = template_push(&p->t->arena, s->branches, &cap, s->n_branches, sizeof *s->branches);
		struct branch *b = &s->branches[s->n_branches++];
		b->condition = template_parse_tuple(p, true);
		parse_body(p, &b->body, ENDS("elif", "else", "endif"));
		more = template_accept(p, TOKEN_NAME, "elif");
	}
	if (template_accept(p, TOKEN_NAME, "else")) {
		s->branches = template_push(&p->t->arena, s->branches, &cap, s->n_branches, sizeof *s->branches);
		parse_body(p, &s->branches[s->n_branches++].body, ENDS("endif"));
	}
	template_expect(p, TOKEN_NAME, "endif");
}

static void parse_for(struct parser *p, struct stmt *s)
{
	s->kind = STMT_FOR;
	s->target = template_parse_target(p, false);
	template_expect(p, TOKEN_NAME, "in");
	s->value = template_parse_tuple(p, false);
	if (template_accept(p, TOKEN_NAME, "if"))
		s->condition = template_parse_expr(p, true);
	if (template_is(p, TOKEN_NAME, "recursive"))
		template_fail(p, "'recursive' loops are not supported");
	parse_body(p, &s->body, ENDS("else", "endfor"));
	if (template_accept(p, TOKEN_NAME, "else"))
		parse_body(p, &s->otherwise, ENDS("endfor"));
	template_expect(p, TOKEN_NAME, "endfor");
}

static void parse_set(struct parser *p, struct stmt *s)
{
	s->kind = STMT_SET;
	s->target = template_parse_target(p, true);
	if (template_accept(p, TOKEN_OPERATOR, "=")) {
		s->value = template_parse_tuple(p, true);
		return;
	}
	s->kind = STMT_SET_BLOCK;
	if (template_accept(p, TOKEN_OPERATOR, "|"))
		s->value = template_parse_filters(p, NULL);
	parse_body(p, &s->body, ENDS("endset"));
	template_expect(p, TOKEN_NAME, "endset");
}

/* (a, b=1) */
static void parse_params(struct parser *p, struct macro_params *m)
{
	size_t cap = 0;
	template_expect(p, TOKEN_OPERATOR, "(");
	while (!p->failed && !template_accept(p, TOKEN_OPERATOR, ")")) {
		size_t names_cap = cap;
		m->names = template_push(&p->t->arena, m->names, &names_cap, m->count, sizeof *m->names);
		m->defaults = template_push(&p->t->arena, m->defaults, &cap, m->count, sizeof *m->defaults);
		m->names[m->count] = template_intern(p->t, p->at->text);
		template_expect(p, TOKEN_NAME, NULL);
		if (template_accept(p, TOKEN_OPERATOR, "="))
			m->defaults[m->count] = template_parse_expr(p, true);
		m->count++;
		if (!template_is(p, TOKEN_OPERATOR, ")"))
			template_expect(p, TOKEN_OPERATOR, ",");
	}
}

static void parse_macro(struct parser *p, struct stmt *s)
{
	s->kind = STMT_MACRO;
	s->name = template_intern(p->t, p->at->text);
	template_expect(p, TOKEN_NAME, NULL);
	parse_params(p, &s->params);
	parse_body(p, &s->body, ENDS("endmacro"));
	template_expect(p, TOKEN_NAME, "endmacro");
	template_accept(p, TOKEN_NAME, s->name);
}

static void parse_call(struct parser *p, struct stmt *s)
{
	s->kind = STMT_CALL;
	if (template_is(p, TOKEN_OPERATOR, "("))
		parse_params(p, &s->params);
	s->value = template_parse_expr(p, true);
	if (s->value->kind != EXPR_CALL)
		template_fail(p, "'call' needs a call of a macro");
	parse_body(p, &s->body, ENDS("endcall"));
	template_expect(p, TOKEN_NAME, "endcall");
}

static void parse_filter(struct parser *p, struct stmt *s)
{
	s->kind = STMT_FILTER;
	s->value = template_parse_filters(p, NULL);
	parse_body(p, &s->body, ENDS("endfilter"));
	template_expect(p, TOKEN_NAME, "endfilter");
}

static void parse_with(struct parser *p, struct stmt *s)
{
	struct macro_params *m = &s->params;
	size_t cap = 0;
	s->kind = STMT_WITH;
	while (!p->failed && p->at->kind == TOKEN_NAME) {
		size_t names_cap = cap;
		m->names = template_push(&p->t->arena, m->names, &names_cap, m->count, sizeof *m->names);
		m->defaults = template_push(&p->t->arena, m->defaults, &cap, m->count, sizeof *m->defaults);
		m->names[m->count] = template_intern(p->t, p->at->text);
		p->at++;
		template_expect(p, TOKEN_OPERATOR, "=");
		m->defaults[m->count++] = template_parse_expr(p, true);
		if (!template_accept(p, TOKEN_OPERATOR, ","))
			break;
	}
	parse_body(p, &s->body, ENDS("endwith"));
	template_expect(p, TOKEN_NAME, "endwith");
}

static void parse_generation(struct parser *p, struct stmt *s)
{
	s->kind = STMT_GENERATION;
	parse_body(p, &s->body, ENDS("endgeneration"));
	template_expect(p, TOKEN_NAME, "endgeneration");
}

static void parse_break(struct parser *p, struct stmt *s) { (void)p, s->kind = STMT_BREAK; }
static void parse_continue(struct parser *p, struct stmt *s) { (void)p, s->kind = STMT_CONTINUE; }

static const struct { const char *word; void (*parse)(struct parser *, struct stmt *); } STATEMENTS[] = {
	{"break", parse_break},   {"call", parse_call}, {"continue", parse_continue}, {"filter", parse_filter}, {"for", parse_for},   {"generation", parse_generation},
	{"if", parse_if}, {"macro", parse_macro}, {"set", parse_set}, {"with", parse_with},
};

static void parse_statement(struct parser *p, struct block *b)
{
	struct stmt *s = arena_alloc(&p->t->arena, sizeof *s);
	s->line = p->at->line;
	str word = p->at->text;
	for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++)
		if (template_accept(p, TOKEN_NAME, STATEMENTS[i].word)) {
			STATEMENTS[i].parse(p, s);
			template_expect(p, TOKEN_BLOCK_END, NULL);
			add_stmt(p, b, s);
			return;
		}
	template_fail(p, "'%.*s' is not a known statement, or has no beginning", STR_FMT(word));
}

static void parse_print(struct parser *p, struct block *b)
{
	struct stmt *s = arena_alloc(&p->t->arena, sizeof *s);
	s->kind = STMT_PRINT;
	s->line = p->at->line;
	s->value = template_parse_tuple(p, true);
	template_expect(p, TOKEN_PRINT_END, NULL);
	add_stmt(p, b, s);
}

static bool at_end_word(const struct parser *p, const char *const *ends)
{
	for (; ends && *ends; ends++)
		if (template_is(p, TOKEN_NAME, *ends))
			return true;
	return false;
}

/* Statements up to a tag that begins with one of ends (which is then the next token), or to the end of the template. */
static void parse_block(struct parser *p, struct block *b, const char *const *ends)
{
	if (++p->depth > MAX_BLOCKS)
		template_fail(p, "blocks are nested deeper than %d levels", MAX_BLOCKS);
	while (!p->failed) {
		if (p->at->kind == TOKEN_END) {
			if (ends)
				template_fail(p, "the template ends before '{%% %s %%}'", ends[0]);
			break;
		}
		if (p->at->kind == TOKEN_TEXT) {
			struct stmt *s = arena_alloc(&p->t->arena, sizeof *s);
			s->kind = STMT_TEXT;
			s->text = p->at->text;
			add_stmt(p, b, s);
			p->at++;
		} else if (template_accept(p, TOKEN_PRINT_BEGIN, NULL)) {
			parse_print(p, b);
		} else {
			p->at++; /* TOKEN_BLOCK_BEGIN: nothing else can stand between tags */
			if (at_end_word(p, ends))
				break;
			parse_statement(p, b);
		}
	}
	p->depth--;
}

/* Line ends become \n; one at the very end goes, as Jinja does by default. */
static str normalize_source(struct arena *a, str source)
{
	char *out = arena_alloc(a, source.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < source.len; i++) {
		if (source.data[i] == '\r' && i + 1 < source.len && source.data[i + 1] == '\n')
			continue;
		out[n++] = source.data[i] == '\r' ? '\n' : source.data[i];
	}
	if (n && out[n - 1] == '\n')
		n--;
	return (str){out, n};
}

int chat_template_parse(struct chat_template **out, str source, struct err *err)
{
	size_t bad = 0;
	if (source.len > LIMIT_TEMPLATE_BYTES)
		return err_set(err, ERR_LIMIT, "the chat template has %zu bytes, more than the limit of %zu", source.len, LIMIT_TEMPLATE_BYTES);
	if (!str_is_utf8(source, &bad))
		return err_set(err, ERR_INVALID, "the chat template is not UTF-8 at byte %zu", bad);
	struct chat_template *t = mem_alloc(sizeof *t);
	struct template_tokens tokens = {0};
	struct parser p = {.t = t, .err = err};
	int rc = template_lex(&t->arena, normalize_source(&t->arena, source), &tokens, err);
	if (rc == 0) {
		p.at = tokens.data;
		parse_block(&p, &t->body, NULL);
	}
	vec_done(&tokens);
	if (rc < 0 || p.failed) {
		chat_template_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

void chat_template_free(struct chat_template *t)
{
	if (!t)
		return;
	map_done(&t->names);
	arena_done(&t->arena);
	free(t);
}
