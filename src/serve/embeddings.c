/* embeddings.c: POST /v1/embeddings: the mean of the last hidden states, of length 1, as numbers or as base64 of
 * little-endian float32. */
#include "serve/prompt.h"
#include "serve/routes.h"
#include "serve/sampling.h"

#include "base/clock.h"
#include "base/thread.h"
#include "codec/base64.h"
#include "codec/json.h"

struct embedding_body { const char *model, *format; const json_t *input; int64_t dimensions; double timeout; };
#define LOOK_MS 200
#define AT(member) offsetof(struct embedding_body, member)
static const struct body_field ROWS[] = {
	{"dimensions", BODY_INT, AT(dimensions), false, 1, 1e6, NULL, "only the model's own"},
	{"encoding_format", BODY_STRING, AT(format), false, 0, 0, "\"float\"", "float or base64"},
	{"input", BODY_ANY, AT(input), true, 0, 0, NULL, "text, list of texts, list of token ids, or list of such lists"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter; absent: the base model"},
	{"timeout", BODY_FLOAT, AT(timeout), false, 0, 1e6, NULL, "seconds after which the request ends with 504"},
	{"user", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
};
const struct body_table EMBEDDING_BODY = BODY_TABLE("embeddings", ROWS);

/* One input's way through the engine. */
struct job { struct batch *batch; float *values; uint64_t id; int32_t tokens; };
struct batch {
	struct http_exchange *x;
	struct job *jobs;
	size_t n_submitted;
	pthread_mutex_t mu;       /* guards the rest */
	pthread_cond_t done;
	size_t n_done;
	struct err err;           /* of the first failure */
};

static void on_event(void *arg, const struct engine_event *e)
{
	struct job *job = arg;
	struct batch *b = job->batch;
	if (e->finish == FINISH_NONE)
		return;
	pthread_mutex_lock(&b->mu);
	job->tokens = e->prompt_tokens;
	if (e->finish == FINISH_ERROR && b->err.kind == ERR_NONE && e->err)
		b->err = *e->err;
	else if (e->finish == FINISH_DEADLINE)
		err_set(&b->err, ERR_TIMEOUT, "the request took longer than its deadline allows");
	else if (e->finish == FINISH_CANCELLED)
		err_set(&b->err, ERR_CANCELLED, "the request was cancelled");
	b->n_done++;
	pthread_cond_signal(&b->done);
	pthread_mutex_unlock(&b->mu);
}

static void cancel_all(const struct batch *b)
{
	for (size_t i = 0; i < b->n_submitted; i++)
		engine_cancel(serve_of(b->x)->o.engine, b->jobs[i].id);
}

static int submit(struct batch *b, const struct generation_prompt *p, int32_t adapter, int64_t deadline_ms, struct err *err)
{
	struct serve *s = serve_of(b->x);
	struct job *job = &b->jobs[b->n_submitted];
	*job = (struct job){.batch = b, .values = arena_array(http_arena(b->x), (size_t)s->o.hidden, sizeof(float))};
	struct engine_request r = {
		.prompt = p->ids, .n_prompt = p->len, .sampling = sampling_default(), .adapter = adapter, .deadline_ms = deadline_ms,
		.embed = true, .embedding = job->values, .on_event = on_event, .arg = job,
	};
	if (engine_submit(s->o.engine, &r, &job->id, err) < 0)
		return -1;
	b->n_submitted++;
	return 0;
}

/* Looks now and then whether the client is still there: inputs of minutes would go on for nobody, and hold up the server's end. */
static void wait_for(struct batch *b, size_t n_done)
{
	bool gone = false;
	pthread_mutex_lock(&b->mu);
	while (b->n_done < n_done) {
		int64_t look = clock_now_ms() + LOOK_MS;
		pthread_cond_timedwait(&b->done, &b->mu, &(struct timespec){look / 1000, look % 1000 * 1000000});
		if (gone || !http_gone(b->x))
			continue;
		gone = true;
		pthread_mutex_unlock(&b->mu);
		cancel_all(b);
		pthread_mutex_lock(&b->mu);
	}
	pthread_mutex_unlock(&b->mu);
}

/* Keeps at most the engine's slots in flight: a long list of inputs must not fill the queue by itself. Returns as generation_start. */
static int run(struct batch *b, const struct generation_prompt *prompts, size_t n, int32_t adapter, int64_t deadline_ms, struct err *err)
{
	int rc = 0;
	size_t window = (size_t)serve_of(b->x)->max_sequences;
	for (size_t i = 0; i < n && rc == 0; i++) {
		wait_for(b, i >= window ? i - window + 1 : 0);
		rc = http_gone(b->x) ? err_set(err, ERR_CANCELLED, "the client left") : submit(b, &prompts[i], adapter, deadline_ms, err);
	}
	if (rc != 0)
		cancel_all(b);
	wait_for(b, b->n_submitted);
	if (rc < 0)
		return err->kind == ERR_BUSY ? admission_reply_full(b->x) + 1 : -1;
	if (b->err.kind == ERR_NONE)
		return 0;
	*err = b->err;
	return -1;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static json_t *as_base64(const float *values, size_t n)
{
	CLEANUP(mem_freep) char *text = base64_encode(BASE64_STANDARD, (str){(const char *)values, n * sizeof *values});
	return json_string(text);
}

/* The shortest text that reads back as the same float; the double's digits would double the answer. */
static json_t *as_numbers(const float *values, size_t n)
{
	json_t *list = json_array();
	CLEANUP(buf_done) struct buf digits = {0};
	for (size_t i = 0; i < n; i++) {
		buf_clear(&digits);
		json_put_float(&digits, values[i]);
		json_array_append_new(list, json_real(strtod(digits.data, NULL)));
	}
	return list;
}

static int reply(struct http_exchange *x, const struct batch *b, size_t n, const char *model, bool base64)
{
	json_t *data = json_array();
	size_t hidden = (size_t)serve_of(x)->o.hidden;
	json_int_t tokens = 0;
	for (size_t i = 0; i < n; i++) {
		json_t *values = base64 ? as_base64(b->jobs[i].values, hidden) : as_numbers(b->jobs[i].values, hidden);
		json_array_append_new(data, json_pack("{s:i,s:s,s:o}", "index", (int)i, "object", "embedding", "embedding", values));
		tokens += b->jobs[i].tokens;
	}
	const char *id = arena_printf(http_arena(x), "embd-%s", http_request_id(x));
	json_t *usage = json_pack("{s:I,s:I,s:i}", "prompt_tokens", tokens, "total_tokens", tokens, "completion_tokens", 0);
	return http_reply_json(x, 200, json_pack("{s:s,s:s,s:I,s:s,s:o,s:o}", "id", id, "object", "list", "created", (json_int_t)clock_wall_s(),
						 "model", model, "data", data, "usage", usage));
}

static int check(const struct serve *s, const struct embedding_body *b, struct err *err)
{
	if (strcmp(b->format, "float") != 0 && strcmp(b->format, "base64") != 0)
		return err_set(err, ERR_INVALID, "'encoding_format': must be float or base64, not '%.40s'", b->format);
	if (b->dimensions && b->dimensions != s->o.hidden)
		return err_set(err, ERR_INVALID, "'dimensions': this model has %d, and they cannot be reduced", s->o.hidden);
	return 0;
}

static int check_lengths(const struct serve *s, const struct generation_prompt *prompts, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (prompts[i].len == 0 || prompts[i].len > (size_t)s->max_model_len)
			return err_set(err, ERR_LIMIT, "'input': input %zu has %zu tokens; it must have 1 to %d", i, prompts[i].len, s->max_model_len);
	return 0;
}

int serve_embeddings(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct serve *s = serve_of(x);
	struct embedding_body body = {.format = "float"};
	struct generation_prompt *prompts;
	const char *model;
	int32_t adapter;
	size_t n;
	if (http_body_json(x, &json, err) < 0 || body_decode(&EMBEDDING_BODY, json, "", &body, err) < 0 || check(s, &body, err) < 0)
		return -1;
	if (models_find(x, body.model, &adapter, &model) > 0)
		return 0;
	if (prompt_from_any(x, body.input, "input", &prompts, &n, err) < 0 || check_lengths(s, prompts, n, err) < 0)
		return -1;
	struct batch b = {.x = x, .jobs = arena_array(http_arena(x), n, sizeof *b.jobs), .mu = PTHREAD_MUTEX_INITIALIZER};
	thread_cond_init(&b.done);
	int rc = run(&b, prompts, n, adapter, sampling_deadline(s, body.timeout), err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return reply(x, &b, n, model, strcmp(body.format, "base64") == 0);
}
