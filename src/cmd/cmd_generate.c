/* cmd_generate.c: `kaito generate`: one request from the command line, text streamed to standard output. */
#include "cmd/command.h"
#include "cmd/flags.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "token/chat_template.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

struct options {
	const char *model, *prompt, *chat, *adapter, *dtype;
	int64_t max_tokens, threads, seed, top_k, max_model_len;
	double temperature, top_p;
	bool json;
};

/* What the engine's thread reports and the main thread waits for. */
struct answer {
	pthread_mutex_t mu;
	pthread_cond_t over;
	bool done, quiet;
	int64_t start_ns, first_ns, end_ns;
	struct buf text;
	VEC(int32_t) ids;
	struct engine_event last;
	struct err err;
};

static const char *finish_name(enum finish f)
{
	static const char *const names[] = {
		[FINISH_NONE] = "none", [FINISH_STOP] = "stop", [FINISH_LENGTH] = "length", [FINISH_CANCELLED] = "cancelled", [FINISH_DEADLINE] = "deadline",
		[FINISH_ERROR] = "error",
	};
	return names[f];
}

static void on_event(void *arg, const struct engine_event *e)
{
	struct answer *a = arg;
	if (a->first_ns == 0)
		a->first_ns = clock_now_ns();
	if (e->id >= 0)
		vec_push(&a->ids, e->id);
	buf_put_str(&a->text, e->text);
	if (!a->quiet) {
		fwrite(e->text.data, 1, e->text.len, stdout);
		fflush(stdout);
	}
	if (e->finish == FINISH_NONE)
		return;
	pthread_mutex_lock(&a->mu);
	a->end_ns = clock_now_ns();
	a->last = *e;
	a->done = true;
	pthread_cond_signal(&a->over);
	pthread_mutex_unlock(&a->mu);
}

static const char *token_text(const struct tokenizer *t, int32_t id, struct buf *out)
{
	buf_clear(out);
	if (id >= 0)
		buf_put_str(out, tokenizer_token(t, id));
	return id >= 0 ? out->data : NULL;
}

/* The message as a conversation of one turn, through the model's own template. */
static int render_chat(const struct tokenizer *t, const char *message, struct buf *out, struct err *err)
{
	struct chat_template *template;
	struct buf bos CLEANUP(buf_done) = {0}, eos CLEANUP(buf_done) = {0};
	str source = tokenizer_chat_template(t);
	if (source.len == 0)
		return err_set(err, ERR_MODEL, "this model has no chat template; use --prompt");
	if (chat_template_parse(&template, source, err) < 0)
		return err_wrap(err, "chat template");
	json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", message);
	int rc = messages ? 0 : err_set(err, ERR_INVALID, "the message is not UTF-8");
	if (rc == 0) {
		struct chat_render r = {.messages = messages, .add_generation_prompt = true, .bos_token = token_text(t, tokenizer_bos(t), &bos),
					.eos_token = token_text(t, tokenizer_eos(t), &eos)};
		rc = chat_template_render(template, &r, out, err);
	}
	json_decref(messages);
	chat_template_free(template);
	return rc;
}

static int encode(const struct tokenizer *t, const struct options *o, struct token_vec *ids, struct err *err)
{
	struct buf text CLEANUP(buf_done) = {0};
	if (o->prompt)
		return tokenizer_encode(t, str_of(o->prompt), true, false, ids, err);
	if (render_chat(t, o->chat, &text, err) < 0)
		return -1;
	return tokenizer_encode(t, buf_str(&text), false, true, ids, err);
}

/* Of this program alone: getrusage would also count what the parent had mapped before exec. 0 where /proc is missing. */
static int64_t peak_rss_bytes(void)
{
	char line[128];
	long long kb = 0;
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %lld kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

static int print_json(const struct answer *a, struct err *err)
{
	json_t *ids = json_array();
	for (size_t i = 0; i < a->ids.len; i++)
		json_array_append_new(ids, json_integer(a->ids.data[i]));
	double decode_s = (double)(a->end_ns - a->first_ns) / 1e9;
	json_t *j = json_pack("{s:s%, s:o, s:s, s:i, s:i, s:f, s:f, s:I}", "text", a->text.data ? a->text.data : "", a->text.len, "ids", ids, "finish_reason",
			      finish_name(a->last.finish), "prompt_tokens", a->last.prompt_tokens, "output_tokens", a->last.output_tokens, "first_token_ms",
			      (double)(a->first_ns - a->start_ns) / 1e6, "tokens_per_second", decode_s > 0 ? (a->last.output_tokens - 1) / decode_s : 0, "peak_rss_bytes", (json_int_t)peak_rss_bytes());
	if (j == NULL)
		return err_set(err, ERR_INTERNAL, "the answer cannot be written as JSON");
	int rc = json_dumpf(j, stdout, JSON_COMPACT);
	json_decref(j);
	putchar('\n');
	return rc == 0 ? 0 : err_set(err, ERR_IO, "write the answer");
}

static int run(struct engine *e, const struct options *o, const struct token_vec *ids, struct answer *a, struct err *err)
{
	struct engine_request r = {.prompt = ids->data, .n_prompt = ids->len, .sampling = sampling_default(), .adapter = -1, .on_event = on_event, .arg = a};
	r.sampling.temperature = (float)o->temperature;
	r.sampling.max_tokens = (int32_t)o->max_tokens;
	r.sampling.seed = (uint64_t)o->seed;
	r.sampling.top_k = (int32_t)o->top_k;
	r.sampling.top_p = (float)o->top_p;
	if (o->adapter) {
		if (engine_adapter_add(e, "adapter", o->adapter, 1, err) < 0)
			return -1;
		r.adapter = engine_adapter_find(e, "adapter");
	}
	a->quiet = o->json;
	if (engine_submit(e, &r, NULL, err) < 0)
		return -1;
	pthread_mutex_lock(&a->mu);
	while (!a->done)
		pthread_cond_wait(&a->over, &a->mu);
	pthread_mutex_unlock(&a->mu);
	if (o->json)
		return print_json(a, err);
	putchar('\n');
	return 0;
}

static int with_engine(struct model *m, const struct tokenizer *t, const struct options *o, struct answer *a, struct err *err)
{
	struct engine *e;
	struct token_vec ids = {0};
	bool exact = strcmp(o->dtype, "float32") == 0;
	struct engine_options eo = {.threads = (int)o->threads, .compute = exact ? COMPUTE_F32 : COMPUTE_FAST, .max_sequences = 1, .max_model_len = (int32_t)o->max_model_len};
	if (encode(t, o, &ids, err) < 0 || engine_new(&e, m, t, &eo, err) < 0) {
		vec_done(&ids);
		return -1;
	}
	int rc = run(e, o, &ids, a, err);
	engine_free(e);
	vec_done(&ids);
	return rc;
}

static int generate(const struct options *o, struct err *err)
{
	struct model *m;
	struct tokenizer *t;
	struct answer a = {.mu = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER, .start_ns = clock_now_ns()};
	if (model_open(&m, o->model, err) < 0)
		return -1;
	int rc = tokenizer_open(&t, m->weights, err);
	if (rc == 0) {
		rc = with_engine(m, t, o, &a, err);
		tokenizer_free(t);
	}
	model_close(m);
	buf_done(&a.text);
	vec_done(&a.ids);
	return rc;
}

static int check(const struct options *o, struct err *err)
{
	static const char *const dtypes[] = {"auto", "float32", "bfloat16"};
	if ((o->prompt == NULL) == (o->chat == NULL))
		return err_set(err, ERR_USAGE, "give either --prompt or --chat");
	for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
		if (strcmp(o->dtype, dtypes[i]) == 0)
			return 0;
	return err_set(err, ERR_USAGE, "--dtype is '%.40s', it must be auto, float32 or bfloat16", o->dtype);
}

int cmd_generate(int argc, char **argv, struct err *err)
{
	struct options o = {.dtype = "auto", .max_tokens = 128, .top_p = 1};
	const struct flag flags[] = {
		{"adapter", "DIR", FLAG_STRING, &o.adapter, "LoRA adapter folder (none)", false, 0, 0},
		{"chat", "TEXT", FLAG_STRING, &o.chat, "one user message, rendered with the model's chat template", false, 0, 0},
		{"dtype", "TYPE", FLAG_STRING, &o.dtype, "auto: fast kernels; float32: exact arithmetic; bfloat16: as auto (auto)", false, 0, 0},
		{"json", NULL, FLAG_BOOL, &o.json, "print one JSON object with text, ids and timings", false, 0, 0},
		{"max-model-len", "N", FLAG_INT, &o.max_model_len, "prompt and answer together (the model's context, at most 4096)", false, 0, LIMIT_CONTEXT_TOKENS},
		{"max-tokens", "N", FLAG_INT, &o.max_tokens, "tokens to generate at most (128)", false, 1, LIMIT_CONTEXT_TOKENS},
		{"model", "PATH", FLAG_STRING, &o.model, "GGUF file or folder with safetensors, config.json and tokenizer.json", true, 0, 0},
		{"prompt", "TEXT", FLAG_STRING, &o.prompt, "text to continue", false, 0, 0},
		{"seed", "N", FLAG_INT, &o.seed, "seed of the draws (0)", false, 0, 9e15},
		{"temperature", "T", FLAG_FLOAT, &o.temperature, "0 takes the most probable token (0)", false, 0, 100},
		{"threads", "N", FLAG_INT, &o.threads, "threads (all CPUs of this process)", false, 0, 256},
		{"top-k", "K", FLAG_INT, &o.top_k, "draw among the K most probable tokens (0: all)", false, 0, 1e6},
		{"top-p", "P", FLAG_FLOAT, &o.top_p, "draw among the most probable tokens of mass P (1: all)", false, 1e-6, 1},
	};
	size_t n = sizeof flags / sizeof flags[0];
	int rc = flags_parse("generate --model PATH (--prompt TEXT | --chat TEXT) [flags]", flags, n, argc, argv, NULL, 0, NULL, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = check(&o, err);
	if (rc == 0)
		rc = generate(&o, err);
	flags_done(flags, n);
	return rc;
}
