/* sim_script.c: scripted replies: rows that match a method and a path (POSIX extended regular expression, any case), pass `after` matches,
 * then change `times` requests: another answer, none, a broken one, a later one, or an operation that is accepted and then fails. */
#include "simulate/sim.h"

#include "codec/json.h"
#include <regex.h>
#include <stdio.h>

struct sim_script {
	char method[12];                /* "": any */
	char *path; regex_t regex;
	int64_t after, times;           /* times -1: without end */
	uint64_t used;
	struct sim_effect effect;       /* its pointers are the row's */
};

static const struct { const char *word; enum sim_action action; } ACTIONS[] = {
	{"reply", SIM_REPLY}, {"drop", SIM_DROP}, {"drop_after", SIM_DROP_AFTER}, {"malformed", SIM_MALFORMED}, {"proceed", SIM_PROCEED},
};

void sim_effect_done(struct sim_effect *e)
{
	json_decref(e->headers);
	json_decref(e->operation_error);
	free(e->body);
	*e = (struct sim_effect){0};
}

static void free_row(struct sim_script *row)
{
	sim_effect_done(&row->effect);
	if (row->path)
		regfree(&row->regex);
	free(row->path);
	free(row);
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static int read_match(struct sim_script *row, const json_t *o, struct err *err)
{
	const json_t *match = NULL;
	const char *method = "", *path = ".*";
	char why[120];
	if (json_get_object(o, "match", "", &match, err) < 0 || (match && (json_get_string(match, "method", "match", &method, err) < 0 ||
	    json_get_string(match, "path", "match", &path, err) < 0)))
		return -1;
	if (strlen(method) >= sizeof row->method || strlen(path) > 1000)
		return err_set(err, ERR_LIMIT, "match.method or match.path is too long");
	snprintf(row->method, sizeof row->method, "%s", method);
	int rc = regcomp(&row->regex, path, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (rc) {
		regerror(rc, &row->regex, why, sizeof why);
		return err_set(err, ERR_INVALID, "match.path '%.60s' is no regular expression: %s", path, why);
	}
	row->path = mem_strdup(path);
	return 0;
}

/* Taken as it is: details, innererror and whatever else an error may carry. */
static int read_operation(struct sim_effect *e, const json_t *o, struct err *err)
{
	const json_t *operation = NULL, *details = NULL;
	const char *code = "InternalOperationError", *message = "The operation failed.";
	if (json_get_object(o, "operation", "", &operation, err) < 0)
		return -1;
	if (!operation)
		return 0;
	if (json_get_string(operation, "code", "operation", &code, err) < 0 || json_get_string(operation, "message", "operation", &message, err) < 0 ||
	    json_get_array(operation, "details", "operation", &details, err) < 0)
		return -1;
	e->operation_error = json_pack("{s:s, s:s}", "code", code, "message", message);
	json_object_update_missing(e->operation_error, (json_t *)(uintptr_t)operation);
	return 0;
}

static int read_body(struct sim_effect *e, const json_t *o, struct err *err)
{
	const json_t *body = json_object_get(o, "body");
	const char *text = NULL;
	if (json_get_string(o, "text", "", &text, err) < 0)
		return -1;
	if (text && body)
		return err_set(err, ERR_INVALID, "a script has body or text, not both");
	if (text)
		e->body = mem_strdup(text);
	if (body) {
		struct buf out = {0};
		json_print(body, JSON_PRINT_COMPACT, &out);
		e->body = buf_take(&out);
	}
	return 0;
}

static int read_headers(struct sim_effect *e, const json_t *o, struct err *err)
{
	const json_t *headers = NULL;
	const char *key;
	json_t *value;
	if (json_get_object(o, "headers", "", &headers, err) < 0)
		return -1;
	json_object_foreach((json_t *)(uintptr_t)headers, key, value)
		if (!json_is_string(value) || strpbrk(json_string_value(value), "\r\n") || strpbrk(key, "\r\n: ") || !key[0])
			return err_set(err, ERR_INVALID, "headers.%.60s must be one line of text", key);
	if (json_object_size(headers) > 8)
		return err_set(err, ERR_LIMIT, "a script sets at most 8 headers");
	e->headers = headers ? json_deep_copy(headers) : NULL;
	return 0;
}

static int read_action(struct sim_effect *e, const json_t *o, struct err *err)
{
	const char *word = NULL;
	int64_t status = 0;
	if (json_get_string(o, "action", "", &word, err) < 0 || json_get_int_in(o, "status", "", 200, 599, &status, err) < 0)
		return -1;
	e->action = status || e->body ? SIM_REPLY : SIM_PROCEED;
	size_t i = 0, n = sizeof ACTIONS / sizeof ACTIONS[0];
	while (word && i < n && strcmp(ACTIONS[i].word, word) != 0)
		i++;
	if (word && i == n)
		return err_set(err, ERR_INVALID, "action '%.40s' is none of reply, drop, drop_after, malformed, proceed", word);
	if (word)
		e->action = ACTIONS[i].action;
	e->status = status ? (int)status : 200;
	return 0;
}

static int read_row(struct sim_script *row, const json_t *o, struct err *err)
{
	struct sim_effect *e = &row->effect;
	static const char *const KEYS[] = {"match", "times", "after", "status", "headers", "body", "text", "delay_ms", "action", "operation", NULL};
	const char *key;
	json_t *value;
	row->times = 1;
	if (!json_is_object(o))
		return err_set(err, ERR_INVALID, "a script must be a JSON object");
	json_object_foreach((json_t *)(uintptr_t)o, key, value) {
		size_t i = 0;
		while (KEYS[i] && strcmp(KEYS[i], key) != 0)
			i++;
		if (!KEYS[i])
			return err_set(err, ERR_INVALID, "a script has no member '%.40s'", key);
	}
	if (read_match(row, o, err) < 0 || json_get_int_in(o, "times", "", -1, 1000000, &row->times, err) < 0 ||
	    json_get_int_in(o, "after", "", 0, 1000000, &row->after, err) < 0 || json_get_int_in(o, "delay_ms", "", 0, 600000, &e->delay_ms, err) < 0)
		return -1;
	return read_headers(e, o, err) < 0 || read_body(e, o, err) < 0 || read_operation(e, o, err) < 0 ? -1 : read_action(e, o, err);
}

static int add_row(struct sim_scripts *list, const json_t *o, struct err *err)
{
	if (list->rows.len >= LIMIT_SIMULATOR_SCRIPTS)
		return err_set(err, ERR_LIMIT, "more than %d scripts wait; DELETE /_sim/script removes them", LIMIT_SIMULATOR_SCRIPTS);
	struct sim_script *row = mem_alloc(sizeof *row);
	if (read_row(row, o, err) < 0) {
		free_row(row);
		return -1;
	}
	vec_push(&list->rows, row);
	return 0;
}

int sim_script_add(struct sim_scripts *list, const json_t *rows, struct err *err)
{
	size_t before = list->rows.len, i;
	json_t *row;
	if (!json_is_array(rows))
		return add_row(list, rows, err);
	json_array_foreach(rows, i, row) {
		if (add_row(list, row, err) == 0)
			continue;
		while (list->rows.len > before)
			free_row(list->rows.data[--list->rows.len]);
		return err_wrap(err, "script %zu", i);
	}
	return 0;
}

/* --- using ------------------------------------------------------------------------------------------------------------------ */

static bool concerns(const struct sim_script *row, str method, const char *path)
{
	return row->times != 0 && (!row->method[0] || str_eqz(method, row->method)) && regexec(&row->regex, path, 0, NULL, 0) == 0;
}

static void copy_effect(struct sim_effect *out, const struct sim_effect *e)
{
	*out = *e;
	out->headers = json_incref(e->headers);
	out->body = e->body ? mem_strdup(e->body) : NULL;
	out->operation_error = json_incref(e->operation_error);
}

bool sim_script_match(struct sim_scripts *list, str method, str path, struct sim_effect *out)
{
	CLEANUP(mem_freep) char *text = list->rows.len ? mem_strndup(path.data, path.len) : NULL;
	for (size_t i = 0; i < list->rows.len; i++) {
		struct sim_script *row = list->rows.data[i];
		if (!concerns(row, method, text))
			continue;
		if (row->after > 0) {
			row->after--;
			continue;
		}
		copy_effect(out, &row->effect);
		row->used++;
		if (row->times > 0 && --row->times == 0) {
			free_row(row);
			memmove(list->rows.data + i, list->rows.data + i + 1, (list->rows.len - i - 1) * sizeof list->rows.data[0]);
			list->rows.len--;
		}
		return true;
	}
	return false;
}

json_t *sim_script_show(const struct sim_scripts *list)
{
	json_t *out = json_array();
	for (size_t i = 0; i < list->rows.len; i++) {
		const struct sim_script *row = list->rows.data[i];
		json_array_append_new(out, json_pack("{s:{s:s, s:s}, s:I, s:I, s:I, s:s, s:i, s:b}", "match", "method", row->method, "path", row->path, "after", (json_int_t)row->after,
			"times", (json_int_t)row->times, "used", (json_int_t)row->used, "action", row->effect.action == SIM_PROCEED ? "proceed" : ACTIONS[row->effect.action - 1].word,
			"status", row->effect.status, "operation", row->effect.operation_error != NULL));
	}
	return out;
}

void sim_script_clear(struct sim_scripts *list)
{
	for (size_t i = 0; i < list->rows.len; i++)
		free_row(list->rows.data[i]);
	vec_done(&list->rows);
}
