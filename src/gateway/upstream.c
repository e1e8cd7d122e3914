/* upstream.c: requests to the server behind. Nothing is retried: a generation may cost minutes, and the client knows better. */
#include "gateway/state.h"

#include "codec/json.h"

static struct gateway *of(struct http_exchange *x) { return http_context(x); }

static void leave(void *flag) { atomic_store((atomic_bool *)flag, true); }

/* Which failure it was, in words that do not depend on the library's. */
static int explain(struct http_exchange *x, struct err *err)
{
	CLEANUP(buf_done) struct buf label = {0};
	metrics_label(&label, "kind", err_traits(err->kind)->name);
	metrics_add(of(x)->metrics, GATEWAY_UPSTREAM_ERRORS, label.data, 1);
	if (err->kind == ERR_NETWORK)
		return err_set(err, ERR_NETWORK, "the model server is not ready, or went away during the answer; try again later");
	if (err->kind == ERR_TIMEOUT)
		return err_set(err, ERR_TIMEOUT, "the model server was silent for too long");
	return -1;
}

int upstream_send_with(struct http_client *client, struct http_exchange *x, struct http_request *request, const char *path, struct http_response *out, struct err *err)
{
	atomic_bool gone = false;
	request->url = arena_printf(http_arena(x), "%s%s", of(x)->upstream, path);
	request->once = request->no_redirect = request->trust_host = true;
	request->cancel = &gone;
	http_on_gone(x, leave, &gone);
	int rc = http_client_send(client, request, out, err);
	http_on_gone(x, NULL, NULL);
	return rc;
}

int upstream_send(struct http_exchange *x, struct http_request *request, const char *path, struct http_response *out, struct err *err)
{
	return upstream_send_with(of(x)->client, x, request, path, out, err) < 0 ? explain(x, err) : 0;
}

/* --- headers --------------------------------------------------------------------------------------------------------- */

const char *const *upstream_headers(struct http_exchange *x, const char **authorization)
{
	static const char *const NAMES[] = {"Content-Type", "Accept", "X-Request-Id"};
	const char **lines = arena_array(http_arena(x), sizeof NAMES / sizeof NAMES[0] + 1, sizeof *lines);
	size_t n = 0;
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
		const char *value = http_header(x, NAMES[i]);
		if (value)
			lines[n++] = arena_printf(http_arena(x), "%s: %s", NAMES[i], value);
	}
	*authorization = http_header(x, "Authorization");
	return lines;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------ */

/* The words of an error body: OpenAI's {"error":{"message"}}, vLLM's {"message"}, FastAPI's {"detail"}. */
static const char *words_of(struct http_exchange *x, const struct http_response *r)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct err ignored;
	if (json_parse(&json, buf_str(&r->body), "answer", &ignored) < 0)
		return arena_printf(http_arena(x), "the model server answered %d", r->status);
	const json_t *error = json_object_get(json, "error");
	const char *found[] = {json_string_value(json_object_get(error, "message")), json_string_value(json_object_get(json, "message")),
			       json_string_value(json_object_get(json, "detail")), json_string_value(error)};
	for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
		if (found[i] && found[i][0])
			return arena_strdup(http_arena(x), str_of(found[i]));
	return arena_printf(http_arena(x), "the model server answered %d", r->status);
}

static int read_answer(struct http_exchange *x, const struct http_response *r, json_t **out, const char **why, struct err *err)
{
	*out = NULL;
	if (r->status < 200 || r->status > 299) {
		*why = words_of(x, r);
		return 0;
	}
	if (json_parse(out, buf_str(&r->body), "the model server's answer", err) == 0)
		return 0;
	err->kind = ERR_PROTOCOL;
	return -1;
}

int upstream_ask(struct http_exchange *x, const char *path, json_t *body, int *status, json_t **out, const char **why, struct err *err)
{
	static const char *const HEADERS[] = {"Content-Type: application/json", "Accept: application/json", NULL};
	CLEANUP(buf_done) struct buf text = {.max = LIMIT_JSON_BYTES};
	struct http_response r = {0};
	struct http_request request = {.method = body ? "POST" : "GET", .body_max = LIMIT_JSON_BYTES};
	(void)upstream_headers(x, &request.authorization);
	if (body) {
		request.headers = HEADERS;
		json_print(body, JSON_PRINT_COMPACT, &text);
		request.body = (struct http_body){.data = text.data, .len = text.len};
		json_decref(body);
	}
	int rc = upstream_send(x, &request, path, &r, err);
	if (rc == 0) {
		*status = r.status;
		rc = read_answer(x, &r, out, why, err);
	}
	http_response_done(&r);
	return rc;
}

/* --- which model ------------------------------------------------------------------------------------------------------ */

static void remember(struct gateway *g, const json_t *list)
{
	const json_t *data = json_object_get(list, "data"), *item;
	const char *first = json_string_value(json_object_get(json_array_get(data, 0), "id"));
	size_t i;
	pthread_mutex_lock(&g->mu);
	if (first && !g->first_model)
		g->first_model = mem_strdup(first);
	json_array_foreach((json_t *)(uintptr_t)data, i, item)
		if (g->context_tokens == 0 && json_integer_value(json_object_get(item, "max_model_len")) > 0)
			g->context_tokens = json_integer_value(json_object_get(item, "max_model_len"));
	pthread_mutex_unlock(&g->mu);
}

/* False until the server told. */
static bool known(struct http_exchange *x, const char **model, int64_t *context_tokens)
{
	struct gateway *g = of(x);
	pthread_mutex_lock(&g->mu);
	bool is = g->first_model != NULL;
	*model = g->model ? g->model : is ? arena_strdup(http_arena(x), str_of(g->first_model)) : NULL;
	*context_tokens = g->context_tokens;
	pthread_mutex_unlock(&g->mu);
	return is;
}

int upstream_model(struct http_exchange *x, const char **model, int64_t *context_tokens, struct err *err)
{
	CLEANUP(json_decrefp) json_t *list = NULL;
	const char *why = NULL;
	int status;
	if (known(x, model, context_tokens))
		return 0;
	if (upstream_ask(x, "/v1/models", NULL, &status, &list, &why, err) < 0)
		return -1;
	remember(of(x), list);
	if (!known(x, model, context_tokens) && !*model)
		return err_set(err, ERR_PROTOCOL, "the model server lists no model%s%s", why ? ": " : "", why ? why : "");
	return 0;
}
