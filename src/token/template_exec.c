/* template_exec.c: running statements: scopes, loops, macros, and where text goes. A for, a macro, a call and a with have a
 * scope of their own; an if has none, as in Jinja. */
#include "token/template_eval.h"

#include "base/vec.h"

struct scope *template_scope_push(struct eval *ev)
{
	struct scope *s = template_alloc(ev, sizeof *s);
	if (s) {
		s->parent = ev->scope;
		ev->scope = s;
	}
	return s;
}

void template_scope_set(struct eval *ev, struct scope *s, const char *name, struct value v)
{
	if (ev->failed)
		return;
	for (size_t i = 0; i < s->len; i++)
		if (s->items[i].name == name) {
			s->items[i].value = v;
			return;
		}
	if (s->len == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;
		struct binding *items = template_alloc(ev, cap * sizeof *items);
		if (!items)
			return;
		if (s->len)
			memcpy(items, s->items, s->len * sizeof *items);
		s->items = items;
		s->cap = cap;
	}
	s->items[s->len++] = (struct binding){name, v};
}

bool template_lookup(const struct eval *ev, const char *name, struct value *out)
{
	for (const struct scope *s = ev->scope; s; s = s->parent)
		for (size_t i = 0; i < s->len; i++)
			if (s->items[i].name == name) {
				*out = s->items[i].value;
				return true;
			}
	return false;
}

static void assign(struct eval *ev, const struct expr *target, struct value v)
{
	if (ev->failed)
		return;
	if (target->kind == EXPR_NAME) {
		template_scope_set(ev, ev->scope, target->name, v);
	} else if (target->kind == EXPR_ATTR) {
		struct value object = template_eval(ev, target->a);
		if (!ev->failed && object.kind != VALUE_NAMESPACE)
			template_error(ev, ERR_INVALID, "only attributes of a namespace can be set, not of a %s", template_kind(object));
		template_dict_set(ev, &object, (struct value){VALUE_STRING, {.string = str_of(target->name)}}, v);
	} else {
		struct value items = template_items(ev, v);
		if (!ev->failed && items.list->len != target->count)
			template_error(ev, ERR_INVALID, "%zu values cannot be assigned to %zu names", items.list->len, target->count);
		for (size_t i = 0; i < target->count && !ev->failed; i++)
			assign(ev, target->items[i], items.list->items[i]);
	}
}

/* The text a block writes. */
static struct value capture(struct eval *ev, const struct block *b)
{
	struct buf text = {.max = LIMIT_TEMPLATE_OUTPUT}, *out = ev->out;
	ev->out = &text;
	template_exec(ev, b);
	ev->out = out;
	return template_take(ev, &text);
}

static void exec_if(struct eval *ev, const struct stmt *s)
{
	for (size_t i = 0; i < s->n_branches && !ev->failed; i++)
		if (!s->branches[i].condition || template_truth(template_eval(ev, s->branches[i].condition))) {
			template_exec(ev, &s->branches[i].body);
			return;
		}
}

/* The items for which the loop's inline if holds. */
static struct value filter_items(struct eval *ev, const struct stmt *s, struct value items)
{
	struct value kept = template_list(ev, VALUE_LIST);
	struct scope *outer = ev->scope, *inner = template_scope_push(ev);
	for (size_t i = 0; !ev->failed && i < items.list->len; i++) {
		inner->len = 0;
		assign(ev, s->target, items.list->items[i]);
		if (template_truth(template_eval(ev, s->condition)))
			template_list_add(ev, &kept, items.list->items[i]);
	}
	ev->scope = outer;
	return kept;
}

static void exec_for(struct eval *ev, const struct stmt *s)
{
	struct value items = template_items(ev, template_eval(ev, s->value));
	if (!ev->failed && s->condition)
		items = filter_items(ev, s, items);
	if (ev->failed)
		return;
	if (items.list->len == 0) {
		template_exec(ev, &s->otherwise);
		return;
	}
	struct scope *outer = ev->scope, *inner = template_scope_push(ev);
	struct loop *loop = template_alloc(ev, sizeof *loop);
	const char *loop_name = map_get(&ev->t->names, STR("loop"));
	size_t len = items.list->len; /* the list may not grow under us: nothing can append to one */
	for (size_t i = 0; !ev->failed && i < len && ev->flow != FLOW_BREAK; i++) {
		loop->items = items.list;
		loop->index0 = i;
		inner->len = 0;
		if (loop_name)
			template_scope_set(ev, inner, loop_name, (struct value){VALUE_LOOP, {.loop = loop}});
		assign(ev, s->target, items.list->items[i]);
		ev->loops++;
		ev->flow = FLOW_NEXT;
		template_exec(ev, &s->body);
		ev->loops--;
	}
	ev->flow = FLOW_NEXT;
	ev->scope = outer;
}

static void exec_set_block(struct eval *ev, const struct stmt *s)
{
	struct scope *outer = ev->scope;
	if (!template_scope_push(ev))
		return;
	struct value text = capture(ev, &s->body);
	ev->scope = outer;
	assign(ev, s->target, template_filter_chain(ev, s->value, text));
}

static struct macro *new_macro(struct eval *ev, const char *name, const struct macro_params *params, const struct block *body)
{
	struct macro *m = template_alloc(ev, sizeof *m);
	if (m)
		*m = (struct macro){name, params, body, ev->scope};
	return m;
}

static void exec_macro(struct eval *ev, const struct stmt *s)
{
	struct macro *m = new_macro(ev, s->name, &s->params, &s->body);
	template_scope_set(ev, ev->scope, s->name, (struct value){VALUE_MACRO, {.macro = m}});
}

static void bind_params(struct eval *ev, struct scope *s, const struct macro *m, const struct args *args)
{
	const struct macro_params *p = m->params;
	size_t positional = 0;
	while (positional < args->count && !args->names[positional])
		positional++;
	if (positional > p->count)
		template_error(ev, ERR_INVALID, "macro '%s' takes at most %zu arguments", m->name, p->count);
	for (size_t i = 0; i < p->count && !ev->failed; i++) {
		struct value v = template_undefined(p->names[i]);
		bool given = i < positional;
		if (given)
			v = args->values[i];
		for (size_t k = positional; k < args->count; k++)
			if (args->names[k] == p->names[i]) {
				v = args->values[k];
				given = true;
			}
		if (!given && p->defaults[i])
			v = template_eval(ev, p->defaults[i]);
		template_scope_set(ev, s, p->names[i], v);
	}
	for (size_t k = positional; k < args->count; k++) {
		bool known = false;
		for (size_t i = 0; i < p->count; i++)
			known = known || args->names[k] == p->names[i];
		if (!known && strcmp(args->names[k], "caller") != 0)
			template_error(ev, ERR_INVALID, "macro '%s' takes no argument '%s'", m->name, args->names[k]);
	}
}

struct value template_macro_call(struct eval *ev, const struct macro *m, const struct args *args, const struct macro *caller)
{
	struct scope *outer = ev->scope;
	const char *caller_name = map_get(&ev->t->names, STR("caller"));
	int loops = ev->loops;
	if (++ev->depth > LIMIT_TEMPLATE_DEPTH)
		template_error(ev, ERR_LIMIT, "nested deeper than the limit of %d levels", LIMIT_TEMPLATE_DEPTH);
	ev->scope = m->scope;
	struct scope *s = template_scope_push(ev);
	struct value text = template_undefined("value");
	if (!ev->failed) {
		bind_params(ev, s, m, args);
		if (caller && caller_name)
			template_scope_set(ev, s, caller_name, (struct value){VALUE_MACRO, {.macro = (struct macro *)caller}});
		ev->loops = 0;
		text = capture(ev, m->body);
		ev->loops = loops;
		ev->flow = FLOW_NEXT;
	}
	ev->scope = outer;
	ev->depth--;
	return text;
}

static void exec_call(struct eval *ev, const struct stmt *s)
{
	const struct macro *caller = new_macro(ev, "caller", &s->params, &s->body);
	struct value callee = template_eval(ev, s->value->a);
	struct args args = template_args(ev, s->value);
	template_put(ev, ev->out, template_call(ev, callee, &args, caller));
}

static void exec_with(struct eval *ev, const struct stmt *s)
{
	struct scope *outer = ev->scope, *inner = template_scope_push(ev);
	for (size_t i = 0; i < s->params.count && !ev->failed; i++) {
		ev->scope = outer; /* values are seen from outside */
		struct value v = template_eval(ev, s->params.defaults[i]);
		template_scope_set(ev, inner, s->params.names[i], v);
	}
	if (!ev->failed) {
		ev->scope = inner;
		template_exec(ev, &s->body);
	}
	ev->scope = outer;
}

static void exec_generation(struct eval *ev, const struct stmt *s)
{
	size_t from = ev->out->len;
	template_exec(ev, &s->body);
	if (!ev->failed && ev->generation && ev->out == ev->main_out)
		vec_push(ev->generation, (struct chat_span){from, ev->out->len});
}

static void exec_stmt(struct eval *ev, const struct stmt *s)
{
	struct scope *outer = ev->scope;
	switch (s->kind) {
	case STMT_TEXT: buf_put_str(ev->out, s->text); break;
	case STMT_PRINT: template_put(ev, ev->out, template_eval(ev, s->value)); break;
	case STMT_IF: exec_if(ev, s); break;
	case STMT_FOR: exec_for(ev, s); break;
	case STMT_SET: assign(ev, s->target, template_eval(ev, s->value)); break;
	case STMT_SET_BLOCK: exec_set_block(ev, s); break;
	case STMT_MACRO: exec_macro(ev, s); break;
	case STMT_CALL: exec_call(ev, s); break;
	case STMT_WITH: exec_with(ev, s); break;
	case STMT_GENERATION: exec_generation(ev, s); break;
	case STMT_FILTER:
		if (template_scope_push(ev))
			template_put(ev, ev->out, template_filter_chain(ev, s->value, capture(ev, &s->body)));
		ev->scope = outer;
		break;
	case STMT_BREAK: case STMT_CONTINUE:
		if (ev->loops == 0)
			template_error(ev, ERR_INVALID, "'break' or 'continue' outside of a loop");
		ev->flow = s->kind == STMT_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
		break;
	}
	if (ev->out->overflow)
		template_error(ev, ERR_LIMIT, "the rendered text is larger than the limit of %zu bytes", LIMIT_TEMPLATE_OUTPUT);
}

void template_exec(struct eval *ev, const struct block *b)
{
	if (++ev->depth > LIMIT_TEMPLATE_DEPTH)
		template_error(ev, ERR_LIMIT, "nested deeper than the limit of %d levels", LIMIT_TEMPLATE_DEPTH);
	for (size_t i = 0; i < b->len && ev->flow == FLOW_NEXT && !ev->failed && template_step(ev, 0); i++) {
		ev->line = b->items[i]->line ? b->items[i]->line : ev->line;
		exec_stmt(ev, b->items[i]);
	}
	ev->depth--;
}

static void set_global(struct eval *ev, const char *name, struct value v)
{
	const char *known = map_get(&ev->t->names, str_of(name)); /* a name the template never says needs no binding */
	if (known)
		template_scope_set(ev, ev->scope, known, v);
}

static void set_globals(struct eval *ev, const struct chat_render *r)
{
	const struct { const char *name; const char *text; } TEXTS[] = {{"bos_token", r->bos_token}, {"eos_token", r->eos_token}};
	const struct value none = {.kind = VALUE_NONE};
	const char *key;
	json_t *item;
	set_global(ev, "messages", r->messages ? template_from_json(ev, r->messages, 0) : none);
	set_global(ev, "tools", r->tools ? template_from_json(ev, r->tools, 0) : none);
	set_global(ev, "documents", none);
	set_global(ev, "add_generation_prompt", template_bool(r->add_generation_prompt));
	for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
		if (TEXTS[i].text)
			set_global(ev, TEXTS[i].name, (struct value){VALUE_STRING, {.string = str_of(TEXTS[i].text)}});
	json_object_foreach((json_t *)r->extra, key, item)
		set_global(ev, key, template_from_json(ev, item, 0));
}

int chat_template_render(const struct chat_template *t, const struct chat_render *r, struct buf *out, struct err *err)
{
	struct buf text = {.max = LIMIT_TEMPLATE_OUTPUT};
	struct eval ev = {.t = t, .err = err, .out = &text, .main_out = &text, .generation = r->generation, .line = 1};
	size_t spans = r->generation ? r->generation->len : 0;
	if (template_scope_push(&ev)) {
		set_globals(&ev, r);
		template_scope_push(&ev); /* the template's own names over the given ones */
		template_exec(&ev, &t->body);
	}
	if (!ev.failed)
		buf_put_str(out, buf_str(&text));
	else if (r->generation)
		r->generation->len = spans;
	buf_done(&text);
	arena_done(&ev.arena);
	return ev.failed ? -1 : 0;
}
