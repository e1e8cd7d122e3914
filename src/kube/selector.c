/* selector.c: see selector.h. A selector that is not well formed (an unknown operator, values of another type) matches
 * nothing: to match too little is the safe mistake. */
#include "kube/selector.h"

#include "base/vec.h"
#include <stdlib.h>
#include <string.h>

enum operator { OPERATOR_IN, OPERATOR_NOT_IN, OPERATOR_EXISTS, OPERATOR_NOT_EXISTS, OPERATOR_COUNT };
static const char *const OPERATORS[OPERATOR_COUNT] = {
	[OPERATOR_IN] = "In", [OPERATOR_NOT_IN] = "NotIn", [OPERATOR_EXISTS] = "Exists", [OPERATOR_NOT_EXISTS] = "DoesNotExist",
};

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

static enum operator operator_of(const json_t *expression)
{
	for (enum operator o = 0; o < OPERATOR_COUNT; o++)
		if (strcmp(text(expression, "operator"), OPERATORS[o]) == 0)
			return o;
	return OPERATOR_COUNT;
}

static bool holds(const json_t *values, const char *label)
{
	const json_t *value;
	size_t i;
	json_array_foreach(values, i, value)
		if (json_is_string(value) && strcmp(json_string_value(value), label) == 0)
			return true;
	return false;
}

static bool expression_matches(const json_t *expression, const json_t *labels)
{
	const char *label = json_string_value(json_object_get(labels, text(expression, "key")));
	const json_t *values = json_object_get(expression, "values");
	switch (operator_of(expression)) {
	case OPERATOR_IN:
		return label && holds(values, label);
	case OPERATOR_NOT_IN:
		return !label || !holds(values, label);
	case OPERATOR_EXISTS:
		return label;
	case OPERATOR_NOT_EXISTS:
		return !label;
	case OPERATOR_COUNT:
		break;
	}
	return false;
}

bool selector_matches(const json_t *selector, const json_t *labels)
{
	if (!json_is_object(selector))
		return false;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)json_object_get(selector, "matchLabels"), key, value) {
		const char *label = json_string_value(json_object_get(labels, key));
		if (!label || !json_is_string(value) || strcmp(label, json_string_value(value)) != 0)
			return false;
	}
	size_t i;
	json_array_foreach(json_object_get(selector, "matchExpressions"), i, value)
		if (!expression_matches(value, labels))
			return false;
	return true;
}

static int add_expression(json_t *map, const json_t *expression, struct err *err)
{
	const json_t *values = json_object_get(expression, "values");
	enum operator o = operator_of(expression);
	if (o == OPERATOR_COUNT)
		return err_set(err, ERR_INVALID, "\"%.100s\" is not a valid label selector operator", text(expression, "operator"));
	if (o != OPERATOR_IN)
		return err_set(err, ERR_INVALID, "operator \"%s\" cannot be converted into the old label selector format", OPERATORS[o]);
	if (json_array_size(values) != 1 || !json_is_string(json_array_get(values, 0)))
		return err_set(err, ERR_INVALID, "operator \"In\" without a single value cannot be converted into the old label selector format");
	json_object_set(map, text(expression, "key"), json_array_get(values, 0));
	return 0;
}

int selector_as_map(const json_t *selector, json_t **out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *map = json_object();
	const json_t *labels = json_object_get(selector, "matchLabels"), *expression;
	if (labels)
		json_object_update(map, (json_t *)(uintptr_t)labels);
	size_t i;
	json_array_foreach(json_object_get(selector, "matchExpressions"), i, expression)
		if (add_expression(map, expression, err) < 0)
			return -1;
	*out = json_incref(map);
	return 0;
}

/* One requirement; label: the value matchLabels asks for, or NULL and `expression` says it. */
struct requirement { const char *key, *label; const json_t *expression; };
typedef VEC(struct requirement) requirements;

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct requirement *)a)->key, ((const struct requirement *)b)->key);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void print_values(const json_t *values, struct buf *out)
{
	VEC(const char *) texts = {0};
	const json_t *value;
	size_t i;
	json_array_foreach(values, i, value)
		if (json_is_string(value))
			vec_push(&texts, json_string_value(value));
	if (texts.len)
		qsort(texts.data, texts.len, sizeof *texts.data, by_text);
	for (i = 0; i < texts.len; i++)
		buf_printf(out, "%s%s", i ? "," : "", texts.data[i]);
	vec_done(&texts);
}

static void print_expression(const struct requirement *q, struct buf *out)
{
	enum operator o = operator_of(q->expression);
	if (o == OPERATOR_EXISTS || o == OPERATOR_NOT_EXISTS) {
		buf_printf(out, "%s%s", o == OPERATOR_EXISTS ? "" : "!", q->key);
		return;
	}
	buf_printf(out, "%s %s (", q->key, o == OPERATOR_IN ? "in" : "notin");
	print_values(json_object_get(q->expression, "values"), out);
	buf_putc(out, ')');
}

static void collect(const json_t *selector, requirements *list)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)json_object_get(selector, "matchLabels"), key, value)
		if (json_is_string(value))
			vec_push(list, (struct requirement){key, json_string_value(value), NULL});
	size_t i;
	json_array_foreach(json_object_get(selector, "matchExpressions"), i, value)
		if (operator_of(value) != OPERATOR_COUNT)
			vec_push(list, (struct requirement){text(value, "key"), NULL, value});
}

void selector_print(const json_t *selector, struct buf *out)
{
	requirements list = {0};
	collect(selector, &list);
	if (list.len)
		qsort(list.data, list.len, sizeof *list.data, by_key);
	for (size_t i = 0; i < list.len; i++) {
		if (i)
			buf_putc(out, ',');
		if (list.data[i].label)
			buf_printf(out, "%s=%s", list.data[i].key, list.data[i].label);
		else
			print_expression(&list.data[i], out);
	}
	vec_done(&list);
}
