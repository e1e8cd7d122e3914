/* template_eval.h: what rendering is made of. Errors are sticky: the first one is kept in ev->err, ev->failed makes every later step
 * a no-op that gives undefined, so the code between needs no checks. Values live in the rendering's arena. */
#pragma once
#include "token/template_ast.h"

struct binding { const char *name; struct value value; };
struct scope { struct scope *parent; struct binding *items; size_t len, cap; };
struct loop { /* what `loop` is inside a for */
	const struct value_list *items;
	size_t index0;
	struct value changed; /* last arguments of loop.changed() */
};
struct macro { const char *name; const struct macro_params *params; const struct block *body; struct scope *scope; };
struct args { struct value *values; const char **names; size_t count; }; /* names[i] NULL: positional */

struct eval {
	struct arena arena;
	const struct chat_template *t;
	struct err *err;
	bool failed;
	int64_t steps;
	int depth, loops;
	int line;              /* of what runs now, for errors */
	struct scope *scope;
	struct buf *out;       /* where text goes now */
	const struct buf *main_out;
	struct chat_spans *generation;
	enum { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE } flow;
};

/* A function of the table in template_globals.c, template_filters.c, template_tests.c or template_methods.c. `self` is the operand of a filter
 * or test and the object of a method. params: names of the arguments, separated by spaces; "*" at the end: any more. */
struct builtin {
	const char *name;
	struct value (*call)(struct eval *ev, struct value self, const struct args *args);
	const char *params;
};
struct method { struct value self; const struct builtin *builtin; };

/* template_value.c */
void template_error(struct eval *ev, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void *template_alloc(struct eval *ev, size_t bytes);  /* NULL past LIMIT_TEMPLATE_MEMORY, with the error set */
bool template_step(struct eval *ev, size_t cost);     /* false when it is over */
struct value template_undefined(const char *what);
struct value template_bool(bool b);
struct value template_int(int64_t i);
struct value template_float(double d);
struct value template_string(struct eval *ev, str s);    /* copies */
struct value template_take(struct eval *ev, struct buf *b); /* the text of b, which is freed */
struct value template_list(struct eval *ev, enum value_kind kind);
void template_list_add(struct eval *ev, struct value *list, struct value item);
struct value template_dict(struct eval *ev);
struct value template_dict_get(struct eval *ev, const struct value_dict *d, struct value key, const char *what);
void template_dict_set(struct eval *ev, struct value *dict, struct value key, struct value value);
struct value template_from_json(struct eval *ev, const json_t *json, int depth);
bool template_truth(struct value v);
bool template_equal(struct eval *ev, struct value a, struct value b);
int template_order(struct eval *ev, struct value a, struct value b); /* -1, 0, 1; an error when they have no order */
bool template_contains(struct eval *ev, struct value box, struct value item);
int64_t template_length(struct eval *ev, struct value v);  /* an error when it has none */
struct value template_items(struct eval *ev, struct value v); /* what iterating gives, as a list */
bool template_number(struct value v, double *out);            /* also bools */
bool template_integer(struct value v, int64_t *out);          /* int or bool */
const char *template_kind(struct value v);
/* template_print.c */
void template_put(struct eval *ev, struct buf *out, struct value v);  /* as str() */
void template_put_repr(struct eval *ev, struct buf *out, struct value v, int depth);
str template_text(struct eval *ev, struct value v);                   /* str() in the arena */
struct json_style { int indent; bool ascii, sort; str item, pair; };  /* indent < 0: one line */
void template_put_json(struct eval *ev, struct buf *out, struct value v, const struct json_style *style, int depth);
/* template_expr_eval.c */
struct value template_eval(struct eval *ev, const struct expr *e);
struct value template_filter_chain(struct eval *ev, const struct expr *e, struct value operand); /* operand where the chain has none */
struct value template_attribute(struct eval *ev, struct value object, const char *name);
struct value template_item(struct eval *ev, struct value object, struct value key);
struct value template_apply(struct eval *ev, const char *filter, struct value operand, const struct args *args);
bool template_check(struct eval *ev, const char *test, struct value operand, const struct args *args);
struct value template_call(struct eval *ev, struct value callee, const struct args *args, const struct macro *caller);
struct args template_args(struct eval *ev, const struct expr *e);
struct value template_arithmetic(struct eval *ev, enum operator op, struct value a, struct value b);
/* template_exec.c */
void template_exec(struct eval *ev, const struct block *b);
struct scope *template_scope_push(struct eval *ev);
void template_scope_set(struct eval *ev, struct scope *s, const char *name, struct value v);
bool template_lookup(const struct eval *ev, const char *name, struct value *out);
struct value template_macro_call(struct eval *ev, const struct macro *m, const struct args *args, const struct macro *caller);
/* template_args.c: arguments of builtins by position or name */
bool template_args_fit(struct eval *ev, const struct builtin *b, const struct args *args);
struct value template_arg(const struct args *args, size_t index, const char *name); /* undefined when not given */
int64_t template_arg_int(struct eval *ev, const struct args *args, size_t index, const char *name, int64_t otherwise);
bool template_arg_bool(const struct args *args, size_t index, const char *name, bool otherwise);
str template_arg_text(struct eval *ev, const struct args *args, size_t index, const char *name, const char *otherwise);
/* The tables; NULL when there is none of the name. */
const struct builtin *template_global(const char *name);
const struct builtin *template_filter(const char *name);
const struct builtin *template_test(const char *name);
const struct builtin *template_method(struct value object, const char *name);
const struct builtin *template_find_builtin(const struct builtin *table, size_t count, const char *name);
