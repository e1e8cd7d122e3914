/* template_args.c: arguments of builtins, by position or by name. */
#include "token/template_eval.h"

/* Position of a name in "a b c", or -1; count gets how many there are (SIZE_MAX when the list ends with "*"). */
static int find_param(const char *params, const char *name, size_t *count)
{
	int found = -1, i = 0;
	const char *p = params;
	for (; *p && *p != '*'; i++) {
		size_t len = strcspn(p, " ");
		if (name && strlen(name) == len && memcmp(p, name, len) == 0)
			found = i;
		p += len;
		p += strspn(p, " ");
	}
	*count = *p == '*' ? SIZE_MAX : (size_t)i;
	return found;
}

bool template_args_fit(struct eval *ev, const struct builtin *b, const struct args *args)
{
	size_t max = 0;
	find_param(b->params, NULL, &max);
	for (size_t i = 0; i < args->count; i++) {
		if (!args->names[i] && i >= max)
			template_error(ev, ERR_INVALID, "'%s' takes at most %zu arguments", b->name, max);
		if (args->names[i] && max != SIZE_MAX && find_param(b->params, args->names[i], &max) < 0)
			template_error(ev, ERR_INVALID, "'%s' takes no argument '%.60s'", b->name, args->names[i]);
	}
	return !ev->failed;
}

struct value template_arg(const struct args *args, size_t index, const char *name)
{
	if (index < args->count && !args->names[index])
		return args->values[index];
	for (size_t i = 0; i < args->count; i++)
		if (args->names[i] && strcmp(args->names[i], name) == 0)
			return args->values[i];
	return template_undefined(name);
}

int64_t template_arg_int(struct eval *ev, const struct args *args, size_t index, const char *name, int64_t otherwise)
{
	struct value v = template_arg(args, index, name);
	int64_t i = otherwise;
	if (v.kind != VALUE_UNDEFINED && v.kind != VALUE_NONE && !template_integer(v, &i))
		template_error(ev, ERR_INVALID, "'%s' must be an integer, not a %s", name, template_kind(v));
	return i;
}

bool template_arg_bool(const struct args *args, size_t index, const char *name, bool otherwise)
{
	struct value v = template_arg(args, index, name);
	return v.kind == VALUE_UNDEFINED ? otherwise : template_truth(v);
}

str template_arg_text(struct eval *ev, const struct args *args, size_t index, const char *name, const char *otherwise)
{
	struct value v = template_arg(args, index, name);
	return v.kind == VALUE_UNDEFINED ? str_of(otherwise) : template_text(ev, v);
}

const struct builtin *template_find_builtin(const struct builtin *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}
