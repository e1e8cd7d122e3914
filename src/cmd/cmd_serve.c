/* cmd_serve.c: `kaito serve`: opens a model and its adapters, plans and prints memory, serves until SIGTERM, then drains. */
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/flags.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/thread.h"
#include "contract/paths.h"
#include "contract/termination.h"
#include "engine/engine.h"
#include "serve/config_file.h"
#include "serve/serve.h"
#include "serve/source.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define WATCH_STACK_BYTES ((size_t)64 << 10)
#define ADAPTERS_DIR "/mnt/adapter" /* where upstream's pods mount them */

struct options {
	const char *model, *api_key_file, *config_file;
	struct flag_list adapters;
	struct serve_settings s;
	double drain_timeout_s;
	bool no_runtime_adapters, log_requests, log_json;
};

/* What stands while serving, in order of opening. */
struct service {
	struct options *o;
	char *path, *name;
	struct model *model;
	struct tokenizer *tokenizer;
	struct chat_template *template;
	struct engine *engine;
	struct serve *serve;
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int open_template(struct service *v, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	str source = tokenizer_chat_template(v->tokenizer);
	const char *file = v->o->s.chat_template;
	if (file && fd_read_file(file, LIMIT_TEMPLATE_BYTES, &text, err) < 0)
		return err_wrap(err, "--chat-template");
	if (file)
		source = buf_str(&text);
	if (source.len == 0)
		return 0;
	if (chat_template_parse(&v->template, source, err) < 0)
		return err_wrap(err, "chat template");
	return 0;
}

static int compute_of(const char *dtype, enum compute *out, struct err *err)
{
	static const char *const NAMES[] = {"auto", "float32", "float", "bfloat16", "float16", "half"};
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
		if (strcmp(dtype, NAMES[i]) == 0) {
			*out = i == 1 || i == 2 ? COMPUTE_F32 : COMPUTE_FAST;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "--dtype must be auto, float32 or bfloat16, not '%s'", dtype);
}

static int open_engine(struct service *v, struct err *err)
{
	const struct serve_settings *s = &v->o->s;
	struct engine_options e = {.threads = (int)s->threads, .max_model_len = (int32_t)s->max_model_len, .max_sequences = (int32_t)s->max_num_seqs};
	if (compute_of(s->dtype, &e.compute, err) < 0 || source_resolve(v->o->model, NULL, &v->path, err) < 0 || model_open(&v->model, v->path, err) < 0 ||
	    tokenizer_open(&v->tokenizer, v->model->weights, err) < 0 || open_template(v, err) < 0)
		return -1;
	return engine_new(&v->engine, v->model, v->tokenizer, &e, err);
}

static void print_plan(const struct service *v)
{
	const double mib = 1024.0 * 1024.0;
	struct engine_stats e;
	engine_stats(v->engine, &e);
	log_info("memory plan: weights %.1f MiB, KV cache %.1f MiB for %d sequences of %d tokens (touched as it fills), scratch %.1f MiB",
		 (double)e.weight_bytes / mib, (double)e.kv_bytes / mib, e.max_sequences, e.max_model_len, (double)e.scratch_bytes / mib);
	if (!v->template)
		log_warning("the model has no chat template: chat endpoints will refuse; --chat-template FILE gives one");
}

static int open_server(struct service *v, struct err *err)
{
	const struct options *o = v->o;
	v->name = o->s.served_model_name ? mem_strdup(o->s.served_model_name) : source_name(o->model);
	struct serve_options s = {
		.engine = v->engine, .tokenizer = v->tokenizer, .chat_template = v->template, .hidden = v->model->config.hidden,
		.vocab = v->model->config.vocab, .names = (const char *const *)&v->name, .n_names = 1, .root = o->model, .host = o->s.host,
		.port = (int)o->s.port, .api_key_file = o->api_key_file, .request_timeout_s = o->s.request_timeout_s, .no_rate_limit = o->s.no_rate_limit,
		.no_runtime_adapters = o->no_runtime_adapters, .log_requests = o->log_requests, .resolve = source_resolve,
	};
	return serve_new(&v->serve, &s, err);
}

/* --- adapters ----------------------------------------------------------------------------------------------------- */

static int add_adapter(struct service *v, const char *name, const char *source, double strength, struct err *err)
{
	if (serve_add_adapter(v->serve, name, source, strength, err) < 0)
		return err_wrap(err, "adapter '%s'", name);
	log_info("adapter '%s' from %s, strength %g", name, source, strength);
	return 0;
}

static int add_named(struct service *v, struct err *err)
{
	for (size_t i = 0; i < v->o->adapters.len; i++) {
		struct source_adapter a;
		if (source_adapter_parse(v->o->adapters.items[i], &a, err) < 0)
			return -1;
		int rc = add_adapter(v, a.name, a.source, a.strength, err);
		source_adapter_done(&a);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Upstream's pods put an adapter's strength into an environment variable of its name. */
static double strength_of(const char *name)
{
	double strength;
	const char *text = getenv(name);
	return text && str_to_f64(str_of(text), &strength) ? strength : 1;
}

static int add_found(struct service *v, const char *dir, const struct dirent *entry, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(dir, entry->d_name);
	CLEANUP(mem_freep) char *config = fd_join(path, FILE_ADAPTER_CONFIG);
	if (entry->d_name[0] == '.' || !fd_exists(config))
		return 0;
	return add_adapter(v, entry->d_name, path, strength_of(entry->d_name), err);
}

static int add_folder(struct service *v, struct err *err)
{
	const char *dir = v->o->s.adapters_dir ? v->o->s.adapters_dir : ADAPTERS_DIR;
	struct dirent **entries;
	int rc = 0, n = scandir(dir, &entries, NULL, alphasort);
	if (n < 0)
		return v->o->s.adapters_dir ? err_set_errno(err, ERR_IO, errno, "--kaito-adapters-dir %s", dir) : 0;
	for (int i = 0; i < n; i++) {
		rc = rc < 0 ? rc : add_found(v, dir, entries[i], err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* A thread of its own waits for SIGTERM and SIGINT. Before anything is served there is nothing to finish, and a model may take minutes to
 * come: the signal ends the process at once. Then it lets the main thread go on, which drains. */
struct watch { sigset_t set; pthread_t thread; int number; atomic_bool serving; };

static void *watch_signals(void *context)
{
	struct watch *w = context;
	sigwait(&w->set, &w->number);
	if (!atomic_load(&w->serving))
		_exit(128 + w->number);
	return NULL;
}

/* Before any other thread. */
static int watch_start(struct watch *w, struct err *err)
{
	daemon_block_signals(&w->set);
	int rc = thread_start(&w->thread, WATCH_STACK_BYTES, watch_signals, w);
	return rc ? err_set_errno(err, ERR_INTERNAL, rc, "start a thread") : 0;
}

static void wait_and_drain(struct service *v, struct watch *w)
{
	atomic_store(&w->serving, true);
	pthread_join(w->thread, NULL);
	log_info("%s: finishing the requests in flight, at most %g s", w->number == SIGINT ? "interrupted" : "terminated", v->o->drain_timeout_s);
	pthread_sigmask(SIG_UNBLOCK, &w->set, NULL); /* a second signal ends at once */
	serve_drain(v->serve, (int64_t)(v->o->drain_timeout_s * 1000));
	log_info("stopped");
}

static void watch_end(struct watch *w)
{
	atomic_store(&w->serving, true);
	pthread_kill(w->thread, SIGTERM);
	pthread_join(w->thread, NULL);
}

static void close_service(struct service *v)
{
	serve_free(v->serve);
	if (v->engine)
		engine_free(v->engine);
	if (v->template)
		chat_template_free(v->template);
	if (v->tokenizer)
		tokenizer_free(v->tokenizer);
	if (v->model)
		model_close(v->model);
	free(v->path);
	free(v->name);
}

static int open_all(struct service *v, struct err *err)
{
	int64_t begun = clock_now_ms();
	if (open_engine(v, err) < 0)
		return -1;
	print_plan(v);
	if (open_server(v, err) < 0 || add_named(v, err) < 0 || add_folder(v, err) < 0 || serve_listen(v->serve, err) < 0)
		return -1;
	log_info("ready: model '%s' on http://%s:%d after %lld ms", v->name, v->o->s.host ? v->o->s.host : "0.0.0.0", serve_port(v->serve),
		 (long long)(clock_now_ms() - begun));
	return 0;
}

static int run(struct service *v, struct err *err)
{
	struct watch w = {0};
	if (watch_start(&w, err) < 0)
		return -1;
	if (open_all(v, err) < 0) {
		watch_end(&w);
		return -1;
	}
	wait_and_drain(v, &w);
	return 0;
}

static int read_config(struct options *o, struct err *err)
{
	CLEANUP(buf_done) struct buf ignored = {0};
	if (!o->config_file)
		return 0;
	if (serve_config_read(o->config_file, &o->s, &ignored, err) < 0)
		return err_wrap(err, "--kaito-config-file");
	if (ignored.len)
		log_warning("%s: without effect here: %s", o->config_file, ignored.data);
	return 0;
}

int cmd_serve(int argc, char **argv, struct err *err)
{
	struct options o = {.model = PATH_WEIGHTS, .drain_timeout_s = 25, .s = {.dtype = "auto", .port = 5000}};
	const struct flag flags[] = {
		{"model", "PATH|IMAGE", FLAG_STRING, &o.model, "GGUF file, folder or image (" PATH_WEIGHTS ")", false, 0, 0},
		{"adapter", "NAME=PATH|IMAGE[@STRENGTH]", FLAG_LIST, &o.adapters, "LoRA adapter that requests may name as model; repeatable", false, 0, 0},
		{"served-model-name", "NAME", FLAG_STRING, &o.s.served_model_name, "the model's name in requests (last part of --model)", false, 0, 0},
		{"dtype", "TYPE", FLAG_STRING, &o.s.dtype, "auto, float32 (exact) or bfloat16 (auto)", false, 0, 0},
		{"chat-template", "FILE", FLAG_STRING, &o.s.chat_template, "Jinja template instead of the model's own", false, 0, 0},
		{"max-model-len", "TOKENS", FLAG_INT, &o.s.max_model_len, "prompt and answer together (0: the model's context, at most 4096)", false, 0, 1e9},
		{"max-num-seqs", "N", FLAG_INT, &o.s.max_num_seqs, "sequences computed at once (8)", false, 0, 256},
		{"threads", "N", FLAG_INT, &o.s.threads, "compute threads (0: all)", false, 0, 4096},
		{"kaito-config-file", "FILE", FLAG_STRING, &o.config_file, "inference_config.yaml; its vllm: keys win over flags", false, 0, 0},
		{"kaito-adapters-dir", "DIR", FLAG_STRING, &o.s.adapters_dir, "each folder in it is an adapter (" ADAPTERS_DIR " if it exists)", false, 0, 0},
		{"kaito-disable-rate-limit", NULL, FLAG_BOOL, &o.s.no_rate_limit, "no 429 before the queue is full", false, 0, 0},
		{"disable-runtime-adapters", NULL, FLAG_BOOL, &o.no_runtime_adapters, "refuse to load or unload adapters by request", false, 0, 0},
		{"host", "ADDRESS", FLAG_STRING, &o.s.host, "numeric address to listen on (all)", false, 0, 0},
		{"port", "PORT", FLAG_INT, &o.s.port, "port to listen on, 0: any free one (5000)", false, 0, 65535},
		{"api-key-file", "FILE", FLAG_STRING, &o.api_key_file, "ask for one of the keys in it, one a line", false, 0, 0},
		{"request-timeout", "SECONDS", FLAG_FLOAT, &o.s.request_timeout_s, "longest time of one request (0: none)", false, 0, 1e6},
		{"drain-timeout", "SECONDS", FLAG_FLOAT, &o.drain_timeout_s, "patience with running requests after SIGTERM (25)", false, 0, 1e6},
		{"log-requests", NULL, FLAG_BOOL, &o.log_requests, "a log line for each request", false, 0, 0},
		{"log-json", NULL, FLAG_BOOL, &o.log_json, "log lines as JSON", false, 0, 0},
	};
	size_t n = sizeof flags / sizeof flags[0];
	struct service v = {.o = &o};
	int rc = flags_parse("serve --model PATH|IMAGE [--adapter NAME=PATH|IMAGE[@STRENGTH]]... [flags]", flags, n, argc, argv, NULL, 0, NULL, err);
	if (rc == 0) {
		log_setup(LOG_INFO, o.log_json);
		rc = read_config(&o, err) < 0 || run(&v, err) < 0 ? -1 : 0;
		close_service(&v);
	}
	if (rc < 0)
		termination_failure(err);
	flags_done(flags, n);
	return rc < 0 ? -1 : 0;
}
