/* http_chat_request.c: the bodies of all POST routes through their whole handlers: JSON, field tables, messages, sampling
 * parameters, the answer. The first byte chooses the route; the engine, tokenizer and template are the test fakes. */
#include "http/exchange.h"
#include "serve/fake_engine.h"
#include "serve/routes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct serve *new_serve(struct engine *e)
{
	static const char *const NAMES[] = {"fake"};
	struct serve *s = NULL;
	struct err err = ERR_INIT;
	struct serve_options o = {.engine = e, .tokenizer = fake_tokenizer(), .chat_template = (const struct chat_template *)e, .hidden = 4, .vocab = 258,
				  .names = NAMES, .n_names = 1, .root = "fake", .request_timeout_s = 5};
	if (serve_new(&s, &o, &err) < 0)
		abort();
	return s;
}

static const struct http_route *choose(uint8_t number)
{
	size_t n;
	const struct http_route *routes = routes_table(&n);
	for (size_t i = number % n;; i = (i + 1) % n)
		if (((const struct endpoint *)routes[i].detail)->body)
			return &routes[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct engine *e = fake_engine_new(&(struct fake_engine){0});
	struct serve *s = new_serve(e);
	struct http_server server = {.o = {.context = s, .max_body_bytes = LIMIT_HTTP_BODY_BYTES, .render_error = error_render, .send_timeout_ms = 1}};
	fake_release(e);
	struct http_exchange *x = exchange_new(&server, NULL, "POST", "/");
	x->match.route = choose(data[0]);
	buf_put(&x->body, data + 1, size - 1);
	exchange_run(x);
	if (x->status < 200 || x->status > 599)
		abort();
	exchange_unref(x);
	serve_free(s);
	engine_free(e);
	return 0;
}
