/* harness.c: see harness.h. */
#include "serve/harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const NAMES[] = {"fake", "fake-alias"};

void harness_start(struct harness *h, const struct serve_options *options, const struct fake_engine *engine)
{
	struct err err = ERR_INIT;
	struct serve_options o = options ? *options : (struct serve_options){0};
	h->engine = fake_engine_new(engine ? engine : &(struct fake_engine){0});
	o.engine = h->engine;
	o.tokenizer = fake_tokenizer();
	o.hidden = 4;
	o.vocab = 258;
	o.names = NAMES;
	o.n_names = 2;
	o.root = "/models/fake";
	o.host = "127.0.0.1";
	ck_assert_msg(serve_new(&h->serve, &o, &err) == 0 && serve_listen(h->serve, &err) == 0, "%s", err.message);
	h->port = serve_port(h->serve);
}

void harness_stop(struct harness *h)
{
	serve_free(h->serve);
	engine_free(h->engine);
}

struct answer harness_ask_with(const struct harness *h, const char *method, const char *path, const char *extra, const char *body)
{
	struct raw_reply r = raw_request(h->port, method, path, extra, body);
	struct err err = ERR_INIT;
	struct answer a = {.status = r.status, .head = r.head, .text = buf_take(&r.body)};
	if (json_parse(&a.json, str_of(a.text), "answer", &err) < 0)
		a.json = NULL;
	return a;
}

struct answer harness_ask(const struct harness *h, const char *method, const char *path, const char *body)
{
	return harness_ask_with(h, method, path, NULL, body);
}

void harness_answer_done(struct answer *a)
{
	free(a->head);
	free(a->text);
	json_decref(a->json);
}

const json_t *json_at(const json_t *value, const char *path)
{
	char key[64];
	while (value && *path) {
		size_t len = strcspn(path, ".");
		snprintf(key, sizeof key, "%.*s", (int)len, path);
		value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10)) : json_object_get(value, key);
		path += len + (path[len] == '.');
	}
	return value;
}

const char *text_at(const json_t *value, const char *path)
{
	const char *text = json_string_value(json_at(value, path));
	return text ? text : "";
}

json_t *events_of(const char *stream)
{
	json_t *list = json_array();
	for (const char *line = stream; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, "data: ", 6) != 0)
			continue;
		size_t len = strcspn(line + 6, "\n");
		json_t *value = json_loadb(line + 6, len, JSON_DECODE_ANY, NULL);
		json_array_append_new(list, value ? value : json_stringn(line + 6, len));
	}
	return list;
}
