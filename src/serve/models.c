/* models.c: the names a request may give as "model" (the base's served names, loaded adapters), /v1/models, and loading
 * adapters while running. The table here mirrors the engine's, with what people want to read about each. */
#include "serve/routes.h"

#include "base/clock.h"
#include "codec/json.h"
#include <stdio.h>
#include <string.h>

static struct serve_adapter *find(struct serve *s, const char *name)
{
	for (size_t i = 0; i < s->n_adapters; i++)
		if (strcmp(s->adapters[i].name, name) == 0)
			return &s->adapters[i];
	return NULL;
}

static const char *base_name(const struct serve *s, const char *name)
{
	for (size_t i = 0; i < s->o.n_names; i++)
		if (strcmp(s->o.names[i], name) == 0)
			return s->o.names[i];
	return NULL;
}

static int reply_unknown(struct http_exchange *x, const char *name)
{
	struct err text = ERR_INIT;
	err_set(&text, ERR_NOT_FOUND, "The model `%s` does not exist.", name);
	return error_reply(x, 404, NULL, "model", NULL, text.message);
}

int models_find(struct http_exchange *x, const char *name, int32_t *adapter, const char **shown)
{
	struct serve *s = serve_of(x);
	const char *base = name && *name ? base_name(s, name) : s->o.names[0];
	*adapter = base ? -1 : engine_adapter_find(s->o.engine, name);
	*shown = base ? base : name;
	if (base || *adapter >= 0)
		return 0;
	reply_unknown(x, name);
	return 1;
}

/* --- adapters ---------------------------------------------------------------------------------------------- */

static int check_name(struct serve *s, const char *name, struct err *err)
{
	if (!*name || strlen(name) > 127)
		return err_set(err, ERR_INVALID, "'lora_name': must have 1 to 127 bytes");
	if (base_name(s, name))
		return err_set(err, ERR_EXISTS, "'lora_name': '%s' is the base model's name", name);
	return 0;
}

int models_add_adapter(struct serve *s, const char *name, const char *source, double strength, struct err *err)
{
	char *folder = NULL;
	if (check_name(s, name, err) < 0)
		return -1;
	if (s->o.resolve ? s->o.resolve(source, &s->stopping, &folder, err) < 0 : !(folder = mem_strdup(source)))
		return -1;
	int rc = engine_adapter_add(s->o.engine, name, folder, (float)strength, err); /* slow, so not under mu */
	pthread_mutex_lock(&s->mu);
	if (rc == 0 && s->n_adapters < LIMIT_ADAPTERS) {
		s->adapters[s->n_adapters++] = (struct serve_adapter){mem_strdup(name), mem_strdup(source), strength, clock_wall_s()};
		CLEANUP(buf_done) struct buf label = {0};
		metrics_label(&label, "lora_name", name);
		metrics_set(s->metrics, METRIC_LORA_INFO, label.data, 1);
	}
	pthread_mutex_unlock(&s->mu);
	free(folder);
	return rc;
}

static void release(struct serve_adapter *a)
{
	free(a->name);
	free(a->source);
}

int models_remove_adapter(struct serve *s, const char *name, struct err *err)
{
	int rc = engine_adapter_remove(s->o.engine, name, err); /* waits for its requests, so not under mu */
	pthread_mutex_lock(&s->mu);
	struct serve_adapter *a = rc == 0 ? find(s, name) : NULL;
	if (a) {
		CLEANUP(buf_done) struct buf label = {0};
		metrics_label(&label, "lora_name", name);
		metrics_set(s->metrics, METRIC_LORA_INFO, label.data, 0);
		release(a);
		*a = s->adapters[--s->n_adapters];
	}
	pthread_mutex_unlock(&s->mu);
	return rc;
}

void models_done(struct serve *s)
{
	for (size_t i = 0; i < s->n_adapters; i++)
		release(&s->adapters[i]);
}

/* --- /v1/models ---------------------------------------------------------------------------------------------- */

static json_t *card(const struct serve *s, const char *id, const char *root, const char *parent, int64_t created)
{
	return json_pack("{s:s,s:s,s:I,s:s,s:s,s:s?,s:i,s:[]}", "id", id, "object", "model", "created", (json_int_t)created, "owned_by", "kaito",
			 "root", root, "parent", parent, "max_model_len", s->max_model_len, "permission");
}

static json_t *adapter_card(const struct serve *s, const struct serve_adapter *a)
{
	json_t *c = card(s, a->name, a->source, s->o.names[0], a->created);
	json_object_set_new(c, "strength", json_real(a->strength));
	return c;
}

int serve_models(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct serve *s = serve_of(x);
	json_t *list = json_array();
	for (size_t i = 0; i < s->o.n_names; i++)
		json_array_append_new(list, card(s, s->o.names[i], s->o.root, NULL, s->started));
	pthread_mutex_lock(&s->mu);
	for (size_t i = 0; i < s->n_adapters; i++)
		json_array_append_new(list, adapter_card(s, &s->adapters[i]));
	pthread_mutex_unlock(&s->mu);
	return http_reply_json(x, 200, json_pack("{s:s,s:o}", "object", "list", "data", list));
}

int serve_model(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct serve *s = serve_of(x);
	const char *name = arena_strdup(http_arena(x), http_param(x, "model"));
	json_t *found = base_name(s, name) ? card(s, name, s->o.root, NULL, s->started) : NULL;
	pthread_mutex_lock(&s->mu);
	if (!found && find(s, name))
		found = adapter_card(s, find(s, name));
	pthread_mutex_unlock(&s->mu);
	return found ? http_reply_json(x, 200, found) : reply_unknown(x, name);
}

/* --- loading while running ------------------------------------------------------------------------------------ */

struct adapter_body { const char *name, *path; double strength; };
static const struct body_field LOAD_ROWS[] = {
	{"lora_name", BODY_STRING, offsetof(struct adapter_body, name), true, 0, 0, NULL, "name that requests give as model"},
	{"lora_path", BODY_STRING, offsetof(struct adapter_body, path), true, 0, 0, NULL, "folder with adapter_config.json, or an image reference"},
	{"strength", BODY_FLOAT, offsetof(struct adapter_body, strength), false, -16, 16, "1.0", "factor on the adapter's contribution"},
	{"lora_int_id", BODY_UNUSED, 0, false, 0, 0, NULL, "vLLM's number; not needed here"},
};
const struct body_table LOAD_ADAPTER_BODY = BODY_TABLE("load adapter", LOAD_ROWS);
static const struct body_field UNLOAD_ROWS[] = {
	{"lora_name", BODY_STRING, offsetof(struct adapter_body, name), true, 0, 0, NULL, "name of a loaded adapter"},
	{"lora_int_id", BODY_UNUSED, 0, false, 0, 0, NULL, "vLLM's number; not needed here"},
};
const struct body_table UNLOAD_ADAPTER_BODY = BODY_TABLE("unload adapter", UNLOAD_ROWS);

static int decode(struct http_exchange *x, const struct body_table *table, json_t **json, struct adapter_body *out, struct err *err)
{
	if (serve_of(x)->o.no_runtime_adapters)
		return err_set(err, ERR_DENIED, "this server does not change its adapters while it runs");
	if (http_body_json(x, json, err) < 0)
		return -1;
	return body_decode(table, *json, "", out, err);
}

static int reply_done(struct http_exchange *x, const char *name, const char *what)
{
	const char *text = arena_printf(http_arena(x), "Success: LoRA adapter '%s' %s successfully.", name, what);
	return http_reply(x, 200, "text/plain; charset=utf-8", str_of(text));
}

int serve_load_adapter(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct adapter_body body = {.strength = 1};
	if (decode(x, &LOAD_ADAPTER_BODY, &json, &body, err) < 0 || models_add_adapter(serve_of(x), body.name, body.path, body.strength, err) < 0)
		return -1;
	return reply_done(x, body.name, "added");
}

int serve_unload_adapter(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct adapter_body body = {0};
	if (decode(x, &UNLOAD_ADAPTER_BODY, &json, &body, err) < 0 || models_remove_adapter(serve_of(x), body.name, err) < 0)
		return -1;
	return reply_done(x, body.name, "removed");
}
