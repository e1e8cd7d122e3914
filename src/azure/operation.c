/* operation.c: see operation.h. Which style an operation has is decided once, by its first answer; from then on one function per style
 * says what an answer means. Nothing here sends a request. */
#include "azure/operation.h"

#include "base/limits.h"
#include "base/mem.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>
#include <strings.h>

#define DELAY_MAX_MS 600000 /* a Retry-After past this is looked at sooner */

void operation_done(struct operation *o)
{
	free(o->url);
	free(o->resource);
	*o = (struct operation){0};
}

/* The words that end an operation; every other one, known or not, is progress. */
static enum operation_state state_of(const char *word)
{
	static const struct { const char *word; enum operation_state state; } WORDS[] = {
		{"Succeeded", OPERATION_SUCCEEDED}, {"Completed", OPERATION_SUCCEEDED}, {"Failed", OPERATION_FAILED},
		{"Canceled", OPERATION_CANCELED},   {"Cancelled", OPERATION_CANCELED},
	};
	for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
		if (strcasecmp(word, WORDS[i].word) == 0)
			return WORDS[i].state;
	return OPERATION_RUNNING;
}

static const char *provisioning_state(const json_t *body) { return json_text_at(body, "", "properties", "provisioningState", NULL); }

static int64_t delay_of(const struct arm_answer *a)
{
	if (a->retry_after_ms < 0)
		return OPERATION_POLL_MS;
	return a->retry_after_ms < DELAY_MAX_MS ? a->retry_after_ms : DELAY_MAX_MS;
}

/* NULL for an address that could not be stored with the claim. */
static const char *usable(const char *url) { return url && url[0] && strlen(url) <= LIMIT_ARM_URL_BYTES ? url : NULL; }

/* Without a header the resource tells how its own creation goes. */
static enum operation_state state_of_resource(int status, const json_t *body)
{
	const char *state = provisioning_state(body);
	if (state[0])
		return state_of(state);
	return status == 200 || status == 204 ? OPERATION_SUCCEEDED : OPERATION_RUNNING;
}

static bool writes_resource(const char *method) { return strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0; }

/* The style and the address to ask, in the order of precedence; NULL: nothing to ask. */
static const char *choose(enum operation_style *style, const char *method, const char *resource, const struct arm_answer *first)
{
	const char *url = usable(first->async_url);
	*style = OPERATION_ASYNC;
	if (!url)
		url = usable(first->operation_url);
	if (!url) {
		*style = OPERATION_LOCATION;
		url = usable(first->location);
	}
	if (!url && writes_resource(method)) {
		*style = OPERATION_BODY;
		url = resource;
	}
	if (!url)
		*style = OPERATION_NONE;
	return url;
}

int operation_begin(struct operation *o, const char *method, const char *resource, const struct arm_answer *first, enum operation_state *state, struct err *err)
{
	enum operation_style style;
	if (first->status < 200 || first->status > 299)
		return err_set(err, ERR_PROTOCOL, "%s answered %d, which begins no operation", method, first->status);
	const char *url = choose(&style, method, resource, first);
	if (!url && first->status == 202)
		return err_set(err, ERR_PROTOCOL, "%s was accepted without saying where to ask for the result; read the resource", method);
	const char *word = provisioning_state(first->body);
	*state = OPERATION_SUCCEEDED;
	if (style == OPERATION_BODY)
		*state = state_of_resource(first->status, first->body);
	else if (style != OPERATION_NONE)
		*state = writes_resource(method) && word[0] ? state_of(word) : OPERATION_RUNNING;
	if (*state != OPERATION_RUNNING)
		style = OPERATION_NONE;
	*o = (struct operation){.style = style, .url = mem_strdup(url ? url : ""), .resource = mem_strdup(resource), .delay_ms = delay_of(first)};
	snprintf(o->method, sizeof o->method, "%s", method);
	return 0;
}

static void move_to(struct operation *o, const char *url)
{
	url = usable(url);
	if (!url || strcmp(url, o->url) == 0)
		return;
	free(o->url);
	o->url = mem_strdup(url);
}

/* The error an ended operation names, or one that says that it names none. */
static void describe(struct arm_error *failure, const json_t *error, const char *word)
{
	if (json_is_object(error)) {
		arm_error_of_json(failure, 0, error);
		return;
	}
	char message[160];
	snprintf(message, sizeof message, "the operation ended as %.40s without saying why; the cluster's activity log may know more", word);
	json_t *made = json_pack("{s:s,s:s}", "code", "OperationFailed", "message", message);
	arm_error_of_json(failure, 0, made);
	json_decref(made);
}

/* The poll itself was answered with the operation's error. */
static void refuse(struct arm_error *failure, const struct arm_error *said, int status)
{
	json_t *error = said->tree ? json_incref(said->tree) : json_pack("{s:s,s:s}", "code", said->code, "message", said->message);
	arm_error_of_json(failure, status, error);
	json_decref(error);
}

static bool ended_badly(enum operation_state state) { return state == OPERATION_FAILED || state == OPERATION_CANCELED; }

/* 200 also when the operation failed: the body's status decides. */
static int feed_async(struct operation *o, const struct arm_answer *a, enum operation_state *state, struct arm_error *failure, struct err *err)
{
	const char *word = json_text_at(a->body, "", "status", NULL);
	if (!word[0])
		return err_set(err, ERR_PROTOCOL, "the answer about a running operation has no status; read the resource");
	*state = state_of(word);
	if (ended_badly(*state))
		describe(failure, json_object_get(a->body, "error"), word);
	move_to(o, a->async_url ? a->async_url : a->operation_url);
	return 0;
}

/* 202 goes on, another 2xx is success; but a body that says otherwise is believed. */
static int feed_location(struct operation *o, const struct arm_answer *a, enum operation_state *state, struct arm_error *failure, struct err *err)
{
	(void)err;
	const char *word = provisioning_state(a->body);
	const json_t *error = json_object_get(a->body, "error");
	if (!word[0] && json_is_object(error))
		word = json_text_at(a->body, "", "status", NULL);
	if (a->status >= 400) {
		*state = OPERATION_FAILED;
		refuse(failure, &a->error, a->status);
		return 0;
	}
	*state = word[0] ? state_of(word) : a->status == 202 ? OPERATION_RUNNING : OPERATION_SUCCEEDED;
	if (ended_badly(*state))
		describe(failure, error, word);
	move_to(o, a->location);
	return 0;
}

static int feed_body(struct operation *o, const struct arm_answer *a, enum operation_state *state, struct arm_error *failure, struct err *err)
{
	(void)o;
	(void)err;
	*state = state_of_resource(a->status, a->body);
	if (ended_badly(*state))
		describe(failure, json_at(a->body, "properties", "status", "provisioningError", NULL), provisioning_state(a->body));
	return 0;
}

static bool passing(int status) { return status == 408 || status == 429 || status >= 500; }

static int feed_none(struct operation *o, const struct arm_answer *a, enum operation_state *state, struct arm_error *failure, struct err *err)
{
	(void)o;
	(void)a;
	(void)state;
	(void)failure;
	return err_set(err, ERR_PROTOCOL, "no operation is running; read the resource");
}

/* Rows in the order of enum operation_style. `name` is part of the stored form. */
static const struct style {
	const char *name;
	int (*feed)(struct operation *, const struct arm_answer *, enum operation_state *, struct arm_error *, struct err *);
} STYLES[] = {
	[OPERATION_NONE] = {"", feed_none}, [OPERATION_ASYNC] = {"async", feed_async},
	[OPERATION_LOCATION] = {"location", feed_location}, [OPERATION_BODY] = {"body", feed_body},
};

int operation_feed(struct operation *o, const struct arm_answer *a, enum operation_state *state, struct arm_error *failure, struct err *err)
{
	if (passing(a->status)) {
		*state = OPERATION_RUNNING;
		o->delay_ms = delay_of(a);
		return 0;
	}
	if (a->status == 401 || a->status == 403)
		return err_set(err, ERR_DENIED, "asking for the result of an operation answered %d: %.150s", a->status, a->error.message);
	bool meant = a->status >= 200 && (a->status < 300 || (a->status >= 400 && o->style == OPERATION_LOCATION));
	if (!meant || a->status == 404)
		return err_set(err, ERR_PROTOCOL, "asking for the result of an operation answered %d; read the resource", a->status);
	if (STYLES[o->style].feed(o, a, state, failure, err) < 0)
		return -1;
	o->delay_ms = delay_of(a);
	return 0;
}

json_t *operation_json(const struct operation *o)
{
	return json_pack("{s:s,s:s,s:s,s:s}", "style", STYLES[o->style].name, "method", o->method, "url", o->url ? o->url : "", "resource", o->resource ? o->resource : "");
}

static bool plain_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s == 0x7f)
			return false;
	return true;
}

/* A path of ARM, or a URL below its endpoint: "https://management.azure.com.evil/" is not. */
static bool at_arm(const char *url, const struct azure_environment *e)
{
	size_t n = e->arm ? strlen(e->arm) : 0;
	if (url[0] == '/')
		return url[1] != '/' && strchr(url, '\\') == NULL;
	return n > 0 && strncasecmp(url, e->arm, n) == 0 && url[n] == '/';
}

static int read_url(const json_t *text, const char *key, const struct azure_environment *e, const char **out, struct err *err)
{
	*out = "";
	if (json_get_string(text, key, "the stored operation", out, err) < 0)
		return -1;
	if (!usable(*out) || !plain_text(*out) || !at_arm(*out, e))
		return err_set(err, ERR_INVALID, "the stored operation's %s is no address at azure resource manager of at most %d bytes", key, LIMIT_ARM_URL_BYTES);
	return 0;
}

static enum operation_style style_of(const char *name)
{
	for (size_t i = 1; i < sizeof STYLES / sizeof STYLES[0]; i++)
		if (strcmp(name, STYLES[i].name) == 0)
			return (enum operation_style)i;
	return OPERATION_NONE;
}

static bool known_method(const char *method)
{
	static const char *const METHODS[] = {"PUT", "DELETE", "PATCH", "POST"};
	for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
		if (strcmp(method, METHODS[i]) == 0)
			return true;
	return false;
}

int operation_of_json(struct operation *o, const json_t *text, const struct azure_environment *e, struct err *err)
{
	const char *style = "", *method = "", *url, *resource;
	if (!json_is_object(text))
		return err_set(err, ERR_INVALID, "the stored operation must be an object");
	if (json_get_string(text, "style", "the stored operation", &style, err) < 0 || json_get_string(text, "method", "the stored operation", &method, err) < 0)
		return -1;
	if (style_of(style) == OPERATION_NONE || !known_method(method))
		return err_set(err, ERR_INVALID, "the stored operation has style '%.20s' and method '%.20s', which are not both known", style, method);
	if (read_url(text, "url", e, &url, err) < 0 || read_url(text, "resource", e, &resource, err) < 0)
		return -1;
	*o = (struct operation){.style = style_of(style), .url = mem_strdup(url), .resource = mem_strdup(resource), .delay_ms = 0};
	snprintf(o->method, sizeof o->method, "%s", method);
	return 0;
}
