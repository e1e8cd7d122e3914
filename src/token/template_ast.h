/* template_ast.h: a parsed chat template: values that a program text can hold, expressions and statements.
 * Everything lives in the template's arena; names are interned, so two names are equal when their pointers are. */
#pragma once
#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "token/chat_template.h"

enum value_kind { VALUE_UNDEFINED, VALUE_NONE, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STRING, VALUE_LIST, VALUE_TUPLE, VALUE_DICT,
		  VALUE_NAMESPACE, VALUE_LOOP, VALUE_MACRO, VALUE_FUNCTION, VALUE_METHOD };
/* A value is copied freely; what it points to lives in an arena. Lists and dicts are shared, as in Python. */
struct value {
	enum value_kind kind;
	union {
		const char *undefined; /* what was not defined, for errors */
		bool boolean;
		int64_t integer;
		double real;
		str string;
		struct value_list *list;           /* LIST, TUPLE */
		struct value_dict *dict;           /* DICT, NAMESPACE */
		struct loop *loop;
		struct macro *macro;
		const struct builtin *function;
		struct method *method;
	};
};
struct value_list { struct value *items; size_t len, cap; };
struct value_pair { struct value key, value; };
struct value_dict { struct value_pair *items; size_t len, cap; };

enum expr_kind { EXPR_CONST, EXPR_NAME, EXPR_LIST, EXPR_TUPLE, EXPR_DICT, EXPR_ATTR, EXPR_INDEX, EXPR_SLICE, EXPR_CALL, EXPR_FILTER,
		 EXPR_TEST, EXPR_UNARY, EXPR_BINARY, EXPR_AND, EXPR_OR, EXPR_NOT, EXPR_COMPARE, EXPR_COND };
enum operator { OP_NONE, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_FLOORDIV, OP_MOD, OP_POW, OP_CONCAT,
		OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_NOT_IN };
struct expr {
	enum expr_kind kind;
	enum operator op;
	int line;
	const char *name;        /* NAME, ATTR, FILTER, TEST */
	struct value value;      /* CONST */
	struct expr *a, *b, *c;  /* operands; INDEX: a[b]; COND: a if b else c (c may be NULL); SLICE: a is the object, items the three bounds */
	struct expr **items;     /* LIST, TUPLE; DICT: keys and values alternate; CALL, FILTER, TEST: arguments; COMPARE: right sides; SLICE: bounds, may be NULL */
	const char **names;      /* keyword of each argument, NULL when positional */
	enum operator *ops;      /* COMPARE */
	size_t count;
};

enum stmt_kind { STMT_TEXT, STMT_PRINT, STMT_IF, STMT_FOR, STMT_SET, STMT_SET_BLOCK, STMT_MACRO, STMT_CALL, STMT_FILTER, STMT_WITH,
		 STMT_GENERATION, STMT_BREAK, STMT_CONTINUE };
struct block { struct stmt **items; size_t len, cap; };
struct macro_params { const char **names; struct expr **defaults; size_t count; };
struct branch { struct expr *condition; struct block body; }; /* condition NULL: else */
struct stmt {
	enum stmt_kind kind;
	int line;
	str text;                 /* TEXT */
	struct expr *target;      /* FOR, SET, SET_BLOCK: NAME, TUPLE of them, or ATTR of a namespace */
	struct expr *value;       /* PRINT, SET, FOR: what is iterated, CALL: the call, FILTER and SET_BLOCK: chain over a missing operand, or NULL */
	struct expr *condition;   /* FOR: the inline if, or NULL */
	const char *name;         /* MACRO */
	struct macro_params params; /* MACRO, CALL; WITH: names and values */
	struct block body, otherwise; /* FOR: otherwise is else */
	struct branch *branches;  /* IF */
	size_t n_branches;
};

enum token_kind { TOKEN_TEXT, TOKEN_PRINT_BEGIN, TOKEN_PRINT_END, TOKEN_BLOCK_BEGIN, TOKEN_BLOCK_END, TOKEN_NAME, TOKEN_STRING, TOKEN_INT, TOKEN_FLOAT,
		  TOKEN_OPERATOR, TOKEN_END };
struct template_token { enum token_kind kind; int line; str text; int64_t integer; double real; };
struct template_tokens { struct template_token *data; size_t len, cap; };

struct chat_template {
	struct arena arena;
	struct map names;      /* interned names */
	struct block body;
};

/* template_lex.c: source (with \n line ends) -> tokens; text already trimmed. Strings live in the arena. */
WARN_UNUSED int template_lex(struct arena *arena, str source, struct template_tokens *out, struct err *err);

struct parser {
	struct chat_template *t;
	const struct template_token *at; /* ends with TOKEN_END */
	struct err *err;
	int depth;
	bool failed;
};
/* template_parse.c */
int template_fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* sets the error once; -1 */
const char *template_intern(struct chat_template *t, str name);
bool template_is(const struct parser *p, enum token_kind kind, const char *text); /* the next token is; text NULL: any */
bool template_accept(struct parser *p, enum token_kind kind, const char *text);   /* and takes it */
void template_expect(struct parser *p, enum token_kind kind, const char *text);
void *template_push(struct arena *a, void *items, size_t *cap, size_t len, size_t size); /* room for one more */
/* template_expr.c; after an error the result is a constant and p->failed is set, so callers need no checks. */
struct expr *template_parse_expr(struct parser *p, bool with_condition);
struct expr *template_parse_tuple(struct parser *p, bool with_condition);    /* a, b, c without parentheses */
struct expr *template_parse_target(struct parser *p, bool attributes);       /* what for and set assign to */
struct expr *template_parse_filters(struct parser *p, struct expr *operand); /* | name(args) ..., the first name next */
struct expr *template_parse_postfix(struct parser *p, struct expr *operand);
