/* serve.c: the life of an inference server around an engine that somebody else opened. */
#include "serve/routes.h"

#include "base/clock.h"

static char *special_text(const struct tokenizer *t, int32_t id)
{
	if (id < 0)
		return NULL;
	str text = tokenizer_token(t, id);
	return mem_strndup(text.data, text.len);
}

static void release(struct serve *s)
{
	models_done(s);
	keys_done(&s->keys);
	metrics_free(s->metrics);
	pthread_mutex_destroy(&s->mu);
	free(s->bos);
	free(s->eos);
	free(s);
}

int serve_listen(struct serve *s, struct err *err)
{
	struct http_server_options o = {
		.host = s->o.host, .port = s->o.port, .context = s, .guard = admission_guard, .render_error = error_render, .on_done = serve_count_request,
		/* Every sequence that may run or wait has its thread; what comes on top waits for one. */
		.max_workers = s->max_sequences * 10 + 16,
	};
	o.routes = routes_table(&o.n_routes);
	return http_server_start(&s->http, &o, err);
}

int serve_new(struct serve **out, const struct serve_options *o, struct err *err)
{
	struct serve *s = mem_alloc(sizeof *s);
	struct engine_stats stats = {0};
	engine_stats(o->engine, &stats);
	s->o = *o;
	s->started = clock_wall_s();
	s->max_model_len = stats.max_model_len;
	s->max_sequences = stats.max_sequences;
	s->bos = special_text(o->tokenizer, tokenizer_bos(o->tokenizer));
	s->eos = special_text(o->tokenizer, tokenizer_eos(o->tokenizer));
	s->metrics = serve_metrics_new(o->names[0]);
	pthread_mutex_init(&s->mu, NULL);
	if (o->api_key_file && keys_load(&s->keys, o->api_key_file, err) < 0) {
		release(s);
		return -1;
	}
	*out = s;
	return 0;
}

int serve_add_adapter(struct serve *s, const char *name, const char *source, double strength, struct err *err)
{
	return models_add_adapter(s, name, source, strength, err);
}

int serve_port(const struct serve *s) { return http_server_port(s->http); }
void serve_drain(struct serve *s, int64_t grace_ms)
{
	atomic_store(&s->stopping, true); /* an adapter that comes now serves nobody */
	if (s->http)
		http_server_drain(s->http, grace_ms);
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	http_server_free(s->http);
	release(s);
}
