/* template_globals.c: functions a template can call by name. To add one: a function and a row in GLOBALS. */
#include "token/template_eval.h"

#include "base/clock.h"
#include <time.h>

#define MAX_RANGE 100000 /* as Jinja's sandbox */

static struct value call_range(struct eval *ev, struct value self, const struct args *args)
{
	(void)self;
	int64_t from = 0, to = template_arg_int(ev, args, 0, "start", 0), step = template_arg_int(ev, args, 2, "step", 1);
	if (args->count > 1) {
		from = to;
		to = template_arg_int(ev, args, 1, "stop", 0);
	}
	if (step == 0 || step == INT64_MIN)
		template_error(ev, ERR_INVALID, "range: the step is zero");
	struct value out = template_list(ev, VALUE_LIST);
	for (int64_t i = from; !ev->failed && (step > 0 ? i < to : i > to);) {
		template_list_add(ev, &out, template_int(i));
		if (!ev->failed && out.list->len > MAX_RANGE)
			template_error(ev, ERR_LIMIT, "range: more than %d items", MAX_RANGE);
		if (__builtin_add_overflow(i, step, &i))
			break;
	}
	return out;
}

/* Named arguments over the pairs of a dict or of a list of pairs. */
static struct value make_dict(struct eval *ev, const struct args *args)
{
	struct value out = template_dict(ev);
	for (size_t i = 0; i < args->count && !ev->failed; i++) {
		struct value v = args->values[i];
		if (args->names[i]) {
			template_dict_set(ev, &out, (struct value){VALUE_STRING, {.string = str_of(args->names[i])}}, v);
			continue;
		}
		struct value keys = template_items(ev, v);
		for (size_t k = 0; !ev->failed && k < keys.list->len; k++) {
			if (v.kind == VALUE_DICT || v.kind == VALUE_NAMESPACE) {
				template_dict_set(ev, &out, v.dict->items[k].key, v.dict->items[k].value);
				continue;
			}
			struct value pair = template_items(ev, keys.list->items[k]);
			if (!ev->failed && pair.list->len != 2)
				template_error(ev, ERR_INVALID, "dict: an element is no pair");
			if (!ev->failed)
				template_dict_set(ev, &out, pair.list->items[0], pair.list->items[1]);
		}
	}
	return out;
}

static struct value call_dict(struct eval *ev, struct value self, const struct args *args) { return (void)self, make_dict(ev, args); }

static struct value call_namespace(struct eval *ev, struct value self, const struct args *args)
{
	(void)self;
	struct value v = make_dict(ev, args);
	if (v.kind == VALUE_DICT)
		v.kind = VALUE_NAMESPACE;
	return v;
}

/* The template's own refusal: its text is the whole message. */
static struct value call_raise_exception(struct eval *ev, struct value self, const struct args *args)
{
	(void)self;
	str text = template_arg_text(ev, args, 0, "message", "");
	if (!ev->failed) {
		ev->failed = true;
		err_set(ev->err, ERR_INVALID, "%.*s", (int)(text.len > ERR_MESSAGE_MAX ? ERR_MESSAGE_MAX : text.len), text.data);
	}
	return template_undefined("value");
}

static struct value call_strftime_now(struct eval *ev, struct value self, const struct args *args)
{
	(void)self;
	char out[256];
	time_t now = (time_t)clock_wall_s();
	struct tm tm;
	localtime_r(&now, &tm);
	struct value format = template_string(ev, template_arg_text(ev, args, 0, "format", "%Y-%m-%d"));
	if (ev->failed || format.string.len > 64) {
		template_error(ev, ERR_LIMIT, "strftime_now: the format is longer than 64 bytes");
		return template_undefined("value");
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	size_t n = strftime(out, sizeof out, format.string.data, &tm);
#pragma GCC diagnostic pop
	return template_string(ev, (str){out, n});
}

static const struct builtin GLOBALS[] = {
	{"dict", call_dict, "*"},
	{"namespace", call_namespace, "*"},
	{"raise_exception", call_raise_exception, "message"},
	{"range", call_range, "start stop step"},
	{"strftime_now", call_strftime_now, "format"},
};

const struct builtin *template_global(const char *name) { return template_find_builtin(GLOBALS, sizeof GLOBALS / sizeof *GLOBALS, name); }
