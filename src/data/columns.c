/* columns.c: the conventions by which a row's columns are found, as one table in order of preference. The user's names
 * come first; upstream's default response column "text" is only a wish, since it is always sent. */
#include "data/columns.h"

#include <stdio.h>

const char *const MESSAGE_MEMBERS[2][2] = {{"role", "content"}, {"from", "value"}};

/* To add a convention: a row here, in the order in which they should win. A name ending in '?' may be absent. */
static const struct {
	enum binding_style style;
	const char *names[BINDING_MAX];
} CONVENTIONS[] = {
	{BIND_MESSAGES, {"messages"}},
	{BIND_MESSAGES, {"conversations"}},
	{BIND_MESSAGES, {"conversation"}},
	{BIND_INSTRUCTION, {"instruction", "input?", "output"}},
	{BIND_INSTRUCTION, {"instruction", "context?", "response"}},
	{BIND_COMPLETION, {"prompt", "completion"}},
	{BIND_COMPLETION, {"prompt", "response"}},
	{BIND_COMPLETION, {"question", "answer"}},
	{BIND_COMPLETION, {"input", "output"}},
	{BIND_MESSAGES_JSON, {"messages"}},
	{BIND_MESSAGES_JSON, {"conversations"}},
	{BIND_TEXT, {"text"}},
};

void columns_add(struct columns *c, str name, enum column_kind kind, const char *type)
{
	if (str_find(name, 0, 0) == name.len) /* a name with NUL inside could not be found again */
		vec_push(&c->list, (struct column){mem_strndup(name.data, name.len), kind, type});
}

const struct column *columns_find(const struct columns *c, const char *name)
{
	for (size_t i = 0; i < c->list.len; i++)
		if (strcmp(c->list.data[i].name, name) == 0)
			return &c->list.data[i];
	return NULL;
}

void columns_done(struct columns *c)
{
	for (size_t i = 0; i < c->list.len; i++)
		free(c->list.data[i].name);
	vec_done(&c->list);
}

enum data_shape binding_shape(const struct binding *b)
{
	static const enum data_shape SHAPES[] = {
		[BIND_MESSAGES] = DATA_MESSAGES,     [BIND_MESSAGES_JSON] = DATA_MESSAGES, [BIND_INSTRUCTION] = DATA_MESSAGES,
		[BIND_COMPLETION] = DATA_COMPLETION, [BIND_TEXT] = DATA_TEXT,
	};
	return SHAPES[b->style];
}

static void set_name(struct binding *b, const char *name)
{
	snprintf(b->names[b->n++], sizeof b->names[0], "%s", name);
}

static bool given(const char *name) { return name && name[0]; }

/* "'a', 'b', …" for messages. */
static void list_names(const struct columns *c, char *out, size_t size)
{
	size_t used = 0;
	out[0] = 0;
	for (size_t i = 0; i < c->list.len && used + 1 < size; i++) {
		int n = snprintf(out + used, size - used, "%s'%s'", i ? ", " : "", c->list.data[i].name);
		used += n < 0 ? 0 : (size_t)n;
	}
	if (used >= size)
		memcpy(out + size - 4, "...", 4);
}

static int need_column(const struct columns *c, const char *option, const char *name, const struct column **out, struct err *err)
{
	*out = columns_find(c, name);
	if (!*out) {
		char names[120];
		list_names(c, names, sizeof names);
		return err_set(err, ERR_DATA, "%s '%s' is not in the file, which has %s", option, name, names);
	}
	if (strlen(name) >= sizeof((struct binding *)0)->names[0])
		return err_set(err, ERR_DATA, "%s is longer than 255 bytes", option);
	return 0;
}

static int need_text(const struct columns *c, const char *option, const char *name, struct binding *b, struct err *err)
{
	const struct column *column;
	if (need_column(c, option, name, &column, err) < 0)
		return -1;
	if (column->kind != COLUMN_TEXT)
		return err_set(err, ERR_DATA, "%s '%s' holds %s, text is needed", option, name, column->type);
	set_name(b, name);
	return 0;
}

static int bind_messages_column(const struct columns *c, const char *name, struct binding *b, struct err *err)
{
	const struct column *column;
	if (need_column(c, "messages_column", name, &column, err) < 0)
		return -1;
	if (column->kind == COLUMN_OTHER)
		return err_set(err, ERR_DATA, "messages_column '%s' holds %s, a list of {role, content} is needed", name, column->type);
	b->style = column->kind == COLUMN_MESSAGES ? BIND_MESSAGES : BIND_MESSAGES_JSON;
	set_name(b, name);
	return 0;
}

static bool matches(const struct columns *c, size_t row, struct binding *b)
{
	struct binding trial = {.style = CONVENTIONS[row].style};
	enum column_kind kind = trial.style == BIND_MESSAGES ? COLUMN_MESSAGES : COLUMN_TEXT;
	for (size_t i = 0; i < BINDING_MAX && CONVENTIONS[row].names[i]; i++) {
		char name[32];
		snprintf(name, sizeof name, "%s", CONVENTIONS[row].names[i]);
		char *optional = strchr(name, '?');
		if (optional)
			*optional = 0;
		const struct column *column = columns_find(c, name);
		bool fits = column && column->kind == kind;
		if (!fits && !optional)
			return false;
		set_name(&trial, fits ? name : "");
	}
	*b = trial;
	return true;
}

static int bind_by_convention(const struct columns *c, struct binding *b, struct err *err)
{
	for (size_t row = 0; row < sizeof CONVENTIONS / sizeof CONVENTIONS[0]; row++)
		if (matches(c, row, b))
			return 0;
	char names[80];
	list_names(c, names, sizeof names);
	return err_set(
		err, ERR_DATA,
		"no known columns (messages, prompt and completion, instruction and output, or text) among %s; name them in DatasetConfig",
		names);
}

int columns_bind(const struct columns *c, const struct data_options *options, struct binding *out, struct err *err)
{
	struct binding b = {.style = BIND_TEXT};
	const char *context = options->context_column, *response = options->response_column;
	bool response_is_default = !given(response) || (strcmp(response, "text") == 0 && (!given(context) || !columns_find(c, response)));
	int rc;
	if (given(options->messages_column)) {
		rc = bind_messages_column(c, options->messages_column, &b, err);
	} else if (given(context)) {
		if (response_is_default)
			return err_set(err, ERR_DATA, "context_column '%s' is given without a response_column that the file has", context);
		b.style = BIND_COMPLETION;
		rc = need_text(c, "context_column", context, &b, err);
		if (rc == 0)
			rc = need_text(c, "response_column", response, &b, err);
	} else if (!response_is_default) {
		rc = need_text(c, "response_column", response, &b, err);
	} else {
		rc = bind_by_convention(c, &b, err);
	}
	if (rc == 0)
		*out = b;
	return rc;
}
