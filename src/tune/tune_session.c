/* tune_session.c: opens a run step by step; each step is a function that needs only the ones before it. */
#include "tune/tune_session.h"

#include "base/fd.h"
#include "contract/paths.h"
#include "tune/tune_session_parts.h"
#include <math.h>

/* Tokens of one pass through the model that are worth the memory: more rows at once do not run faster. */
enum { PASS_ROWS = 2048 };

static int open_config(struct tune_session *s, struct err *err)
{
	const struct tune_options *o = s->options;
	enum training_method method = o->method < 0 ? METHOD_QLORA : (enum training_method)o->method;
	CLEANUP(buf_done) struct buf all = {0};
	if (!o->config_path)
		return training_config_parse(&s->config, training_config_template(method), "default configuration", NULL, err) < 0 ? -1 : 0;
	if (training_config_load(&s->config, o->config_path, &all, err) == 0)
		return 0;
	if (memchr(buf_str(&all).data, '\n', all.len) && strchr(all.data, '\n')[1])
		progress_say(&s->progress, "%.*s", (int)(all.len - 1), all.data);
	return -1;
}

static int check_method(struct tune_session *s, struct err *err)
{
	enum training_method configured = training_config_method(&s->config);
	s->method = s->options->method < 0 ? configured : (enum training_method)s->options->method;
	if (s->method == configured)
		return 0;
	if (s->method == METHOD_QLORA)
		return err_set(err, ERR_CONFIG, "--method qlora needs QuantizationConfig.load_in_4bit or load_in_8bit in '%s'", s->options->config_path);
	return err_set(err, ERR_CONFIG, "--method lora does not go with QuantizationConfig.load_in_%s in '%s'", s->config.quantization.load_in_4bit ? "4bit" : "8bit",
		       s->options->config_path);
}

static int open_folders(struct tune_session *s, struct err *err)
{
	const struct tune_options *o = s->options;
	s->output = mem_strdup(o->output ? o->output : s->config.training.output_dir);
	s->resume = fd_join(s->output, FOLDER_RESUME);
	s->model_path = mem_strdup(o->model_path ? o->model_path : s->config.model.pretrained_model_name_or_path);
	return fd_make_dirs(s->output, err);
}

static void report_ignored(struct tune_session *s)
{
	struct buf list = {0};
	if (!s->options->config_path)
		return;
	for (size_t i = 0; i < s->config.n_ignored && list.len < 400; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", s->config.ignored[i]);
	if (list.len)
		progress_say(&s->progress, "no effect on this machine: %s", list.data);
	buf_done(&list);
}

static enum packing packing_of(const struct config_training *t, bool wanted)
{
	if (!wanted)
		return PACKING_NONE;
	if (strcmp(t->packing_strategy, "wrapped") == 0)
		return PACKING_WRAPPED;
	return strcmp(t->packing_strategy, "bfd_split") == 0 ? PACKING_SPLIT : PACKING_BEST_FIT;
}

static bool eval_is_packed(const struct config_training *t) { return t->eval_packing < 0 ? t->packing : t->eval_packing == 1; }

static int open_layout(struct tune_session *s, struct err *err)
{
	const struct config_training *t = &s->config.training;
	const struct config_dataset *d = &s->config.dataset;
	if (layout_split(s->examples.count, d->train_test_split, d->shuffle_dataset, (uint64_t)d->shuffle_seed, &s->train_list, &s->n_train, &s->eval_list,
			 &s->n_eval, err) < 0)
		return -1;
	if (units_build(&s->train, &s->examples, s->train_list, s->n_train, packing_of(t, t->packing), s->max_length, err) < 0 ||
	    units_build(&s->eval, &s->examples, s->eval_list, s->n_eval, packing_of(t, eval_is_packed(t)), s->max_length, err) < 0)
		return -1;
	s->plan = (struct plan){.units = s->train.count, .batch = t->per_device_train_batch_size, .accumulation = t->gradient_accumulation_steps,
				.drop_last = t->dataloader_drop_last, .random = strcmp(t->train_sampling_strategy, "random") == 0,
				.seed = (uint64_t)(t->data_seed >= 0 ? t->data_seed : t->seed), .epochs = t->num_train_epochs, .max_steps = t->max_steps};
	plan_finish(&s->plan);
	int64_t most = units_max_tokens(&s->train, s->plan.batch * s->plan.accumulation);
	int32_t longest = s->train.longest > s->eval.longest ? s->train.longest : s->eval.longest;
	s->max_rows = most < PASS_ROWS ? (int32_t)most : PASS_ROWS;
	if (s->max_rows < longest)
		s->max_rows = longest;
	return 0;
}

static double schedule_number(const json_t *kwargs, const char *key)
{
	const json_t *v = json_object_get(kwargs, key);
	return json_is_number(v) ? json_number_value(v) : 0;
}

static int open_schedule(struct tune_session *s, struct err *err)
{
	const struct config_training *t = &s->config.training;
	double ratio = t->warmup_steps > 0 && t->warmup_steps < 1 ? t->warmup_steps : t->warmup_ratio;
	int64_t steps = t->warmup_steps >= 1 ? (int64_t)t->warmup_steps : 0;
	s->schedule = (struct schedule){.lr = t->learning_rate, .total_steps = s->plan.total_updates,
					.warmup_steps = schedule_warmup_steps(steps, ratio, s->plan.total_updates),
					.cycles = schedule_number(t->lr_scheduler_kwargs, "num_cycles"), .power = schedule_number(t->lr_scheduler_kwargs, "power"),
					.lr_end = schedule_number(t->lr_scheduler_kwargs, "lr_end")};
	return schedule_parse(&s->schedule.kind, t->lr_scheduler_type, err);
}

static void report_dataset(struct tune_session *s)
{
	const struct examples *e = &s->examples;
	struct progress *p = &s->progress;
	progress_say(p, "dataset: %s; %lld rows to train on, %lld to evaluate, %lld tokens, longest row %lld", data_describe(s->data), (long long)s->n_train,
		     (long long)s->n_eval, (long long)e->total_tokens, (long long)e->longest);
	if (e->bad)
		progress_say(p, "bad rows: %lld skipped; first: %s", (long long)e->bad, e->first_bad);
	if (e->cut)
		progress_say(p, "long rows: %lld cut to %d tokens; first: %s", (long long)e->cut, s->collator.max_length, e->first_cut);
	if (e->empty)
		progress_say(p, "rows with nothing to learn: %lld left out", (long long)e->empty);
}

static void report_plan(struct tune_session *s)
{
	const struct trainstep_plan *plan = trainstep_plan(s->step);
	progress_say(&s->progress, "model: %s, %d layers; %s, %zu trainable parameters; memory for training %.1f MB (%d of %d layers keep their activations)",
		     s->model->arch->name, s->model->config.layers, s->method == METHOD_QLORA ? "qlora" : "lora", trainstep_lora(s->step)->n,
		     (double)plan->total / 1e6, plan->layers_kept, plan->layers);
	progress_say(&s->progress, "plan: %lld updates of %lld rows, %.4g epochs, %d threads", (long long)s->plan.total_updates,
		     (long long)(s->plan.batch * s->plan.accumulation), plan_epoch_after(&s->plan, s->plan.total_updates), pool_threads(s->pool));
}

static void set_dataset_metrics(struct tune_session *s)
{
	struct metrics *m = tune_server_metrics(s->server);
	metrics_set(m, TUNE_ROWS, NULL, (double)s->n_train);
	metrics_set(m, TUNE_BAD_ROWS, NULL, (double)s->examples.bad);
	metrics_set(m, TUNE_TRUNCATED_ROWS, NULL, (double)s->examples.cut);
	metrics_set(m, TUNE_STEPS_PLANNED, NULL, (double)s->plan.total_updates);
	metrics_set(m, TUNE_STEP, NULL, 0);
}

static int open_server(struct tune_session *s, struct err *err)
{
	const struct tune_options *o = s->options;
	struct err fault = ERR_INIT;
	if (tune_server_start(&s->server, o->metrics_port, &fault) == 0)
		return 0;
	if (!o->metrics_optional || fault.kind != ERR_BUSY) {
		*err = fault;
		return -1;
	}
	progress_say(&s->progress, "no /metrics: %s", fault.message);
	return tune_server_start(&s->server, 0, err);
}

static int open_all(struct tune_session *s, struct tune_result *result, struct err *err)
{
	if (open_config(s, err) < 0 || check_method(s, err) < 0 || open_folders(s, err) < 0)
		return -1;
	report_ignored(s);
	if (open_server(s, err) < 0 || tune_session_open_model(s, err) < 0 || tune_session_open_text(s, err) < 0 ||
	    tune_session_open_data(s, result, err) < 0 || open_layout(s, err) < 0 || open_schedule(s, err) < 0)
		return -1;
	report_dataset(s);
	set_dataset_metrics(s);
	if (tune_session_open_step(s, err) < 0)
		return -1;
	report_plan(s);
	return 0;
}

int tune_session_open(struct tune_session *s, const struct tune_options *o, struct tune_result *result, struct err *err)
{
	*s = (struct tune_session){.options = o};
	progress_init(&s->progress, o->out, true);
	if (open_all(s, result, err) == 0) {
		s->progress.bar = s->progress.bar && !s->config.training.disable_tqdm;
		return 0;
	}
	tune_session_close(s);
	return -1;
}

void tune_session_close(struct tune_session *s)
{
	trainstep_free(s->step);
	if (s->init_is_file)
		adapter_close(s->init);
	arena_done(&s->init_arena);
	targets_done(&s->targets);
	json_decref(s->adapter_extra);
	units_done(&s->train);
	units_done(&s->eval);
	free(s->train_list);
	free(s->eval_list);
	examples_done(&s->examples);
	data_close(s->data);
	chat_template_free(s->chat);
	tokenizer_free(s->tokenizer);
	free(s->bos);
	free(s->eos);
	model_close(s->model);
	lora_requantised_free(s->requantised);
	pool_free(s->pool);
	tune_server_stop(s->server);
	free(s->model_path);
	free(s->output);
	free(s->resume);
	training_config_done(&s->config);
	*s = (struct tune_session){0};
}
