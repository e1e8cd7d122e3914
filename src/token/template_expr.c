/* template_expr.c: expressions, by precedence: conditional, or, and, not, comparison, + -, ~, * / // %, **, unary, then
 * attribute, index, call, filter and test. One function per level, as in the grammar of Jinja's own documentation. */
#include "base/vec.h"
#include "token/template_ast.h"

#define MAX_NESTING 200

static struct expr *new_expr(struct parser *p, enum expr_kind kind)
{
	struct expr *e = arena_alloc(&p->t->arena, sizeof *e);
	e->kind = kind;
	e->line = p->at->line;
	return e;
}

static struct expr *new_binary(struct parser *p, enum expr_kind kind, enum operator op, struct expr *a, struct expr *b)
{
	struct expr *e = new_expr(p, kind);
	e->op = op;
	e->a = a;
	e->b = b;
	return e;
}

static void add_item(struct parser *p, struct expr *e, size_t *cap, const char *name, struct expr *item)
{
	size_t names_cap = *cap;
	e->names = template_push(&p->t->arena, e->names, &names_cap, e->count, sizeof *e->names);
	e->items = template_push(&p->t->arena, e->items, cap, e->count, sizeof(struct expr *));
	e->names[e->count] = name;
	e->items[e->count++] = item;
}

static struct expr *parse_unary(struct parser *p, bool with_filters);

static struct expr *constant(struct parser *p, struct value value)
{
	struct expr *e = new_expr(p, EXPR_CONST);
	e->value = value;
	return e;
}

static const struct { const char *text; struct value value; } CONSTANTS[] = {
	{"true", {VALUE_BOOL, {.boolean = true}}}, {"True", {VALUE_BOOL, {.boolean = true}}},
	{"false", {VALUE_BOOL, {.boolean = false}}}, {"False", {VALUE_BOOL, {.boolean = false}}},
	{"none", {VALUE_NONE, {0}}}, {"None", {VALUE_NONE, {0}}},
};

static struct expr *parse_name(struct parser *p)
{
	str text = p->at->text;
	for (size_t i = 0; i < sizeof CONSTANTS / sizeof *CONSTANTS; i++)
		if (str_eqz(text, CONSTANTS[i].text)) {
			struct expr *e = constant(p, CONSTANTS[i].value);
			p->at++;
			return e;
		}
	struct expr *e = new_expr(p, EXPR_NAME);
	e->name = template_intern(p->t, text);
	p->at++;
	return e;
}

/* Neighbouring strings are one. */
static struct expr *parse_string(struct parser *p)
{
	struct buf text = {.max = LIMIT_TEMPLATE_BYTES};
	struct expr *e = new_expr(p, EXPR_CONST);
	for (; p->at->kind == TOKEN_STRING; p->at++)
		buf_put_str(&text, p->at->text);
	e->value = (struct value){VALUE_STRING, {.string = {arena_strdup(&p->t->arena, buf_str(&text)), text.len}}};
	buf_done(&text);
	return e;
}

static struct expr *parse_list(struct parser *p)
{
	struct expr *e = new_expr(p, EXPR_LIST);
	size_t cap = 0;
	p->at++;
	while (!p->failed && !template_accept(p, TOKEN_OPERATOR, "]")) {
		add_item(p, e, &cap, NULL, template_parse_expr(p, true));
		if (!template_is(p, TOKEN_OPERATOR, "]"))
			template_expect(p, TOKEN_OPERATOR, ",");
	}
	return e;
}

static struct expr *parse_dict(struct parser *p)
{
	struct expr *e = new_expr(p, EXPR_DICT);
	size_t cap = 0;
	p->at++;
	while (!p->failed && !template_accept(p, TOKEN_OPERATOR, "}")) {
		add_item(p, e, &cap, NULL, template_parse_expr(p, true));
		template_expect(p, TOKEN_OPERATOR, ":");
		add_item(p, e, &cap, NULL, template_parse_expr(p, true));
		if (!template_is(p, TOKEN_OPERATOR, "}"))
			template_expect(p, TOKEN_OPERATOR, ",");
	}
	return e;
}

static struct expr *parse_parentheses(struct parser *p)
{
	p->at++;
	if (template_accept(p, TOKEN_OPERATOR, ")"))
		return new_expr(p, EXPR_TUPLE);
	struct expr *e = template_parse_tuple(p, true);
	template_expect(p, TOKEN_OPERATOR, ")");
	return e;
}

static struct expr *parse_primary(struct parser *p)
{
	struct expr *e;
	switch (p->at->kind) {
	case TOKEN_NAME: return parse_name(p);
	case TOKEN_STRING: return parse_string(p);
	case TOKEN_INT:
		e = constant(p, (struct value){VALUE_INT, {.integer = p->at->integer}});
		p->at++;
		return e;
	case TOKEN_FLOAT:
		e = constant(p, (struct value){VALUE_FLOAT, {.real = p->at->real}});
		p->at++;
		return e;
	case TOKEN_OPERATOR:
		if (template_is(p, TOKEN_OPERATOR, "("))
			return parse_parentheses(p);
		if (template_is(p, TOKEN_OPERATOR, "["))
			return parse_list(p);
		if (template_is(p, TOKEN_OPERATOR, "{"))
			return parse_dict(p);
		break;
	case TOKEN_TEXT: case TOKEN_PRINT_BEGIN: case TOKEN_PRINT_END: case TOKEN_BLOCK_BEGIN: case TOKEN_BLOCK_END: case TOKEN_END: break;
	}
	template_fail(p, "an expression is missing");
	return new_expr(p, EXPR_CONST);
}

/* name=value, ... ) after the opening parenthesis. */
static void parse_arguments(struct parser *p, struct expr *call)
{
	size_t cap = 0;
	while (!p->failed && !template_accept(p, TOKEN_OPERATOR, ")")) {
		const char *name = NULL;
		if (p->at->kind == TOKEN_NAME && p->at[1].kind == TOKEN_OPERATOR && str_eqz(p->at[1].text, "=")) {
			name = template_intern(p->t, p->at->text);
			p->at += 2;
		} else if (template_is(p, TOKEN_OPERATOR, "*") || template_is(p, TOKEN_OPERATOR, "**")) {
			template_fail(p, "'*' arguments are not supported");
		} else if (call->count && call->names[call->count - 1]) {
			template_fail(p, "a positional argument follows a keyword argument");
		}
		add_item(p, call, &cap, name, template_parse_expr(p, true));
		if (!template_is(p, TOKEN_OPERATOR, ")"))
			template_expect(p, TOKEN_OPERATOR, ",");
	}
}

static struct expr *parse_call(struct parser *p, struct expr *callee)
{
	struct expr *e = new_expr(p, EXPR_CALL);
	e->a = callee;
	p->at++;
	parse_arguments(p, e);
	return e;
}

/* [key] or [from:to:step] */
static struct expr *parse_subscript(struct parser *p, struct expr *object)
{
	struct expr *e = new_expr(p, EXPR_INDEX), *bounds[3] = {NULL, NULL, NULL};
	size_t n = 0;
	e->a = object;
	p->at++;
	for (;; n++) {
		if (!template_is(p, TOKEN_OPERATOR, ":") && !template_is(p, TOKEN_OPERATOR, "]"))
			bounds[n] = template_parse_expr(p, true);
		if (n == 2 || !template_accept(p, TOKEN_OPERATOR, ":"))
			break;
	}
	template_expect(p, TOKEN_OPERATOR, "]");
	e->b = bounds[0];
	if (n == 0 && !e->b)
		template_fail(p, "an index is missing");
	if (n == 0)
		return e;
	e->kind = EXPR_SLICE;
	e->items = arena_array(&p->t->arena, 3, sizeof *e->items);
	memcpy(e->items, bounds, sizeof bounds);
	return e;
}

static struct expr *parse_attribute(struct parser *p, struct expr *object)
{
	struct expr *e = new_expr(p, EXPR_ATTR);
	e->a = object;
	p->at++;
	if (p->at->kind == TOKEN_INT) { /* list.0 */
		e->kind = EXPR_INDEX;
		e->b = parse_primary(p);
		return e;
	}
	if (p->at->kind != TOKEN_NAME) {
		template_fail(p, "a name is missing after '.'");
		return object;
	}
	e->name = template_intern(p->t, p->at->text);
	p->at++;
	return e;
}

struct expr *template_parse_postfix(struct parser *p, struct expr *e)
{
	while (!p->failed) {
		if (template_is(p, TOKEN_OPERATOR, "."))
			e = parse_attribute(p, e);
		else if (template_is(p, TOKEN_OPERATOR, "["))
			e = parse_subscript(p, e);
		else if (template_is(p, TOKEN_OPERATOR, "("))
			e = parse_call(p, e);
		else
			break;
	}
	return e;
}

static struct expr *parse_filter(struct parser *p, struct expr *operand)
{
	struct expr *e = new_expr(p, EXPR_FILTER);
	e->a = operand;
	if (p->at->kind != TOKEN_NAME) {
		template_fail(p, "a filter's name is missing");
		return e;
	}
	e->name = template_intern(p->t, p->at->text);
	p->at++;
	if (template_accept(p, TOKEN_OPERATOR, "("))
		parse_arguments(p, e);
	return e;
}

struct expr *template_parse_filters(struct parser *p, struct expr *operand)
{
	do
		operand = parse_filter(p, operand);
	while (!p->failed && template_accept(p, TOKEN_OPERATOR, "|"));
	return operand;
}

/* `is divisibleby 3`: one argument may stand without parentheses. */
static bool begins_argument(const struct parser *p)
{
	static const char *const NOT[] = {"else", "or", "and", "is", "if", "in", "not"};
	if (p->at->kind == TOKEN_OPERATOR)
		return str_eqz(p->at->text, "[") || str_eqz(p->at->text, "{");
	for (size_t i = 0; p->at->kind == TOKEN_NAME && i < sizeof NOT / sizeof *NOT; i++)
		if (str_eqz(p->at->text, NOT[i]))
			return false;
	return p->at->kind == TOKEN_NAME || p->at->kind == TOKEN_STRING || p->at->kind == TOKEN_INT || p->at->kind == TOKEN_FLOAT;
}

static struct expr *parse_test(struct parser *p, struct expr *operand)
{
	p->at++;
	bool negated = template_accept(p, TOKEN_NAME, "not");
	struct expr *e = new_expr(p, EXPR_TEST);
	size_t cap = 0;
	e->a = operand;
	if (p->at->kind != TOKEN_NAME) {
		template_fail(p, "a test's name is missing after 'is'");
		return e;
	}
	e->name = template_intern(p->t, p->at->text);
	p->at++;
	if (template_accept(p, TOKEN_OPERATOR, "("))
		parse_arguments(p, e);
	else if (begins_argument(p))
		add_item(p, e, &cap, NULL, template_parse_postfix(p, parse_primary(p)));
	return negated ? new_binary(p, EXPR_NOT, OP_NONE, e, NULL) : e;
}

static struct expr *parse_filters_and_tests(struct parser *p, struct expr *e)
{
	while (!p->failed) {
		if (template_accept(p, TOKEN_OPERATOR, "|"))
			e = parse_filter(p, e);
		else if (template_is(p, TOKEN_NAME, "is"))
			e = parse_test(p, e);
		else if (template_is(p, TOKEN_OPERATOR, "("))
			e = parse_call(p, e);
		else
			break;
	}
	return e;
}

static struct expr *parse_unary(struct parser *p, bool with_filters)
{
	struct expr *e;
	if (++p->depth > MAX_NESTING)
		template_fail(p, "expressions are nested deeper than %d levels", MAX_NESTING);
	if (p->failed)
		e = new_expr(p, EXPR_CONST);
	else if (template_accept(p, TOKEN_OPERATOR, "-"))
		e = new_binary(p, EXPR_UNARY, OP_SUB, parse_unary(p, false), NULL);
	else if (template_accept(p, TOKEN_OPERATOR, "+"))
		e = new_binary(p, EXPR_UNARY, OP_ADD, parse_unary(p, false), NULL);
	else
		e = parse_primary(p);
	e = template_parse_postfix(p, e);
	if (with_filters)
		e = parse_filters_and_tests(p, e);
	p->depth--;
	return e;
}

/* Left-associative levels, loosest first. */
static const struct { const char *text; enum operator op; int level; } BINARY[] = {
	{"+", OP_ADD, 0}, {"-", OP_SUB, 0}, {"~", OP_CONCAT, 1}, {"*", OP_MUL, 2}, {"/", OP_DIV, 2}, {"//", OP_FLOORDIV, 2}, {"%", OP_MOD, 2}, {"**", OP_POW, 3},
};

static struct expr *parse_binary(struct parser *p, int level)
{
	if (level > 3)
		return parse_unary(p, true);
	struct expr *left = parse_binary(p, level + 1);
	for (size_t i = 0; i < sizeof BINARY / sizeof *BINARY && !p->failed;) {
		if (BINARY[i].level != level || !template_accept(p, TOKEN_OPERATOR, BINARY[i].text)) {
			i++;
			continue;
		}
		left = new_binary(p, EXPR_BINARY, BINARY[i].op, left, parse_binary(p, level + 1));
		i = 0;
	}
	return left;
}

static enum operator accept_comparison(struct parser *p)
{
	static const struct { const char *text; enum operator op; } COMPARISONS[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT}, {"<=", OP_LE}, {">", OP_GT}, {">=", OP_GE}};
	for (size_t i = 0; i < sizeof COMPARISONS / sizeof *COMPARISONS; i++)
		if (template_accept(p, TOKEN_OPERATOR, COMPARISONS[i].text))
			return COMPARISONS[i].op;
	if (template_accept(p, TOKEN_NAME, "in"))
		return OP_IN;
	if (template_is(p, TOKEN_NAME, "not") && p->at[1].kind == TOKEN_NAME && str_eqz(p->at[1].text, "in")) {
		p->at += 2;
		return OP_NOT_IN;
	}
	return OP_NONE;
}

static struct expr *parse_comparison(struct parser *p)
{
	struct expr *first = parse_binary(p, 0), *chain = NULL;
	size_t cap = 0, ops_cap = 0;
	for (enum operator op; !p->failed && (op = accept_comparison(p)) != OP_NONE;) {
		if (!chain) {
			chain = new_expr(p, EXPR_COMPARE);
			chain->a = first;
		}
		chain->ops = template_push(&p->t->arena, chain->ops, &ops_cap, chain->count, sizeof *chain->ops);
		chain->ops[chain->count] = op;
		add_item(p, chain, &cap, NULL, parse_binary(p, 0));
	}
	return chain ? chain : first;
}

static struct expr *parse_not(struct parser *p)
{
	if (!template_accept(p, TOKEN_NAME, "not"))
		return parse_comparison(p);
	if (++p->depth > MAX_NESTING)
		template_fail(p, "expressions are nested deeper than %d levels", MAX_NESTING);
	struct expr *operand = p->failed ? new_expr(p, EXPR_CONST) : parse_not(p);
	p->depth--;
	return new_binary(p, EXPR_NOT, OP_NONE, operand, NULL);
}

static struct expr *parse_and(struct parser *p)
{
	struct expr *left = parse_not(p);
	while (!p->failed && template_accept(p, TOKEN_NAME, "and"))
		left = new_binary(p, EXPR_AND, OP_NONE, left, parse_not(p));
	return left;
}

static struct expr *parse_or(struct parser *p)
{
	struct expr *left = parse_and(p);
	while (!p->failed && template_accept(p, TOKEN_NAME, "or"))
		left = new_binary(p, EXPR_OR, OP_NONE, left, parse_and(p));
	return left;
}

struct expr *template_parse_expr(struct parser *p, bool with_condition)
{
	if (++p->depth > MAX_NESTING)
		template_fail(p, "expressions are nested deeper than %d levels", MAX_NESTING);
	struct expr *e = p->failed ? new_expr(p, EXPR_CONST) : parse_or(p);
	while (with_condition && !p->failed && template_accept(p, TOKEN_NAME, "if")) {
		struct expr *condition = new_expr(p, EXPR_COND);
		condition->a = e;
		condition->b = parse_or(p);
		if (template_accept(p, TOKEN_NAME, "else"))
			condition->c = template_parse_expr(p, true);
		e = condition;
	}
	p->depth--;
	return e;
}

struct expr *template_parse_tuple(struct parser *p, bool with_condition)
{
	struct expr *first = template_parse_expr(p, with_condition);
	if (!template_is(p, TOKEN_OPERATOR, ","))
		return first;
	struct expr *tuple = new_expr(p, EXPR_TUPLE);
	size_t cap = 0;
	add_item(p, tuple, &cap, NULL, first);
	while (!p->failed && template_accept(p, TOKEN_OPERATOR, ",")) {
		if (p->at->kind == TOKEN_PRINT_END || p->at->kind == TOKEN_BLOCK_END || template_is(p, TOKEN_OPERATOR, ")") || template_is(p, TOKEN_NAME, "in"))
			break;
		add_item(p, tuple, &cap, NULL, template_parse_expr(p, with_condition));
	}
	return tuple;
}

static struct expr *parse_target_name(struct parser *p, bool attributes)
{
	struct expr *e = new_expr(p, EXPR_NAME);
	if (p->at->kind != TOKEN_NAME) {
		template_fail(p, "a variable's name is missing");
		return e;
	}
	e->name = template_intern(p->t, p->at->text);
	p->at++;
	return attributes && template_is(p, TOKEN_OPERATOR, ".") ? parse_attribute(p, e) : e;
}

struct expr *template_parse_target(struct parser *p, bool attributes)
{
	bool parentheses = template_accept(p, TOKEN_OPERATOR, "(");
	struct expr *first = parse_target_name(p, attributes), *tuple = NULL;
	size_t cap = 0;
	while (!p->failed && template_accept(p, TOKEN_OPERATOR, ",")) {
		if (!tuple) {
			tuple = new_expr(p, EXPR_TUPLE);
			add_item(p, tuple, &cap, NULL, first);
		}
		add_item(p, tuple, &cap, NULL, parse_target_name(p, attributes));
	}
	if (parentheses)
		template_expect(p, TOKEN_OPERATOR, ")");
	return tuple ? tuple : first;
}
