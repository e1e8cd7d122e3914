/* publish.c: what a run leaves for others: the adapter folder, trainer_state.json, the loss curve, the sentinel, and
 * checkpoint-N folders as transformers' Trainer names them. Folders appear under their final name only when complete. */
#include "tune/trainer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/json.h"
#include "contract/paths.h"
#include "tune/checkpoint.h"
#include "tune/history.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* Adds the keys that adapter_meta does not know to the adapter_config.json that was just written. */
static int extend_config(const struct tune_session *s, const char *folder, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, FILE_ADAPTER_CONFIG);
	CLEANUP(json_decrefp) json_t *config = NULL;
	CLEANUP(buf_done) struct buf text = {0};
	if (!s->adapter_extra)
		return 0;
	if (json_parse_file(&config, path, err) < 0)
		return -1;
	json_object_update(config, s->adapter_extra);
	json_print(config, JSON_PRINT_INDENT | JSON_PRINT_SORTED, &text);
	return fd_write_file(path, text.data, text.len, 0644, err);
}

static int save_adapter(const struct trainer *t, const char *folder, struct err *err)
{
	const struct tune_session *s = t->s;
	const struct config_lora *c = &s->config.lora;
	struct adapter a = {0};
	struct adapter_meta meta = {.base_model = s->model_path, .rank = (int32_t)c->r, .alpha = c->lora_alpha, .dropout = c->lora_dropout,
				    .rslora = c->use_rslora, .target_modules = s->targets.modules, .n_targets = s->targets.n_modules};
	lora_export(trainstep_lora(s->step), &a);
	int rc = adapter_save(&a, folder, &meta, err);
	arena_done(&a.arena);
	return rc < 0 ? -1 : extend_config(s, folder, err);
}

static int write_state(const struct trainer *t, const char *folder, struct err *err)
{
	const struct tune_session *s = t->s;
	const struct config_training *c = &s->config.training;
	CLEANUP(mem_freep) char *path = fd_join(folder, FILE_TRAINER_STATE);
	CLEANUP(buf_done) struct buf text = {.max = LIMIT_JSON_BYTES};
	char best[64];
	snprintf(best, sizeof best, FOLDER_CHECKPOINT_FORMAT, (long long)t->best_step);
	bool has_best = isfinite(t->best) && strcmp(c->save_strategy, "no") != 0;
	CLEANUP(mem_freep) char *best_path = fd_join(s->output, best);
	CLEANUP(json_decrefp) json_t *state = history_trainer_state(t->history, &(struct history_state){
		.step = t->step, .total_steps = s->plan.total_updates, .tokens = t->tokens, .batch = s->plan.batch, .save_total_limit = c->save_total_limit,
		.epoch = plan_epoch_after(&s->plan, t->step), .epochs = c->num_train_epochs, .logging_steps = c->logging_steps, .eval_steps = c->eval_steps,
		.save_steps = c->save_steps, .best_metric = t->best, .best_step = t->best_step, .best_checkpoint = has_best && fd_is_dir(best_path) ? best_path : NULL});
	json_print(state, JSON_PRINT_INDENT, &text);
	buf_putc(&text, '\n');
	return fd_write_file(path, text.data, text.len, 0644, err);
}

/* --- checkpoint-N ------------------------------------------------------------------------------------------------- */

static int64_t checkpoint_number(const char *name)
{
	int64_t n;
	str s = str_of(name), prefix = STR("checkpoint-");
	return str_starts(s, prefix) && str_to_i64(str_sub(s, prefix.len, s.len), &n) && n >= 0 ? n : -1;
}

/* The lowest-numbered published checkpoint (but `keep`), and how many there are. */
static int64_t oldest_checkpoint(const char *output, int64_t keep, int64_t *count)
{
	DIR *dir = opendir(output);
	int64_t oldest = -1;
	*count = 0;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		int64_t n = checkpoint_number(e->d_name);
		if (n < 0)
			continue;
		++*count;
		if (n != keep && (oldest < 0 || n < oldest))
			oldest = n;
	}
	if (dir)
		closedir(dir);
	return oldest;
}

static char *checkpoint_folder(const char *output, int64_t number, const char *suffix)
{
	char name[64];
	snprintf(name, sizeof name, FOLDER_CHECKPOINT_FORMAT, (long long)number);
	return mem_printf("%s/%s%s", output, name, suffix);
}

static int rotate(const struct trainer *t, struct err *err)
{
	int64_t limit = t->s->config.training.save_total_limit, count;
	int64_t best = t->s->config.training.load_best_model_at_end ? t->best_step : -1;
	for (;;) {
		int64_t oldest = oldest_checkpoint(t->s->output, best, &count);
		if (limit <= 0 || count <= limit || oldest < 0 || oldest == t->step)
			return 0;
		CLEANUP(mem_freep) char *folder = checkpoint_folder(t->s->output, oldest, "");
		if (fd_remove_tree(folder, err) < 0)
			return -1;
	}
}

int publish_checkpoint(struct trainer *t, struct err *err)
{
	CLEANUP(mem_freep) char *folder = checkpoint_folder(t->s->output, t->step, "");
	CLEANUP(mem_freep) char *next = checkpoint_folder(t->s->output, t->step, ".next");
	struct err ignored = ERR_INIT;
	int rc = fd_remove_tree(next, err);
	if (rc == 0)
		rc = save_adapter(t, next, err);
	if (rc == 0)
		rc = write_state(t, next, err);
	if (rc == 0)
		rc = fd_remove_tree(folder, err);
	if (rc == 0 && rename(next, folder) < 0)
		rc = err_set_errno(err, ERR_IO, errno, "cannot create '%s'", folder);
	if (rc < 0 && fd_remove_tree(next, &ignored) < 0)
		return -1;
	return rc < 0 ? -1 : rotate(t, err);
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static int write_curve(const struct trainer *t, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(t->s->output, FILE_LOSS_CURVE);
	CLEANUP(buf_done) struct buf text = {0};
	history_draw(t->history, &text);
	return fd_write_file(path, text.data, text.len, 0644, err);
}

static int write_sentinel(const struct trainer *t, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(t->s->output, FILE_SENTINEL);
	char text[64];
	time_t now = (time_t)clock_wall_s();
	struct tm tm;
	gmtime_r(&now, &tm);
	size_t n = strftime(text, sizeof text, SENTINEL_FORMAT, &tm);
	return fd_write_file(path, text, n, 0644, err);
}

static void take_best(struct trainer *t)
{
	struct lora *lora = trainstep_lora(t->s->step);
	if (!t->best_parameters || isnan(t->best))
		return;
	memcpy(lora->p, t->best_parameters, lora->n * sizeof *lora->p);
	progress_say(&t->s->progress, "the result is the adapter of step %lld (eval_loss %.4f)", (long long)t->best_step, t->best);
}

static int write_result(struct trainer *t, struct err *err)
{
	int64_t rows = (int64_t)(plan_epoch_after(&t->s->plan, t->step) * (double)t->s->n_train);
	take_best(t);
	history_add_end(t->history, &(struct history_end){t->step, rows, plan_epoch_after(&t->s->plan, t->step),
							  t->all_loss / (double)(t->step ? t->step : 1), trainer_seconds(t)});
	if (save_adapter(t, t->s->output, err) < 0 || write_state(t, t->s->output, err) < 0 || write_curve(t, err) < 0)
		return -1;
	return write_sentinel(t, err);
}

/* The finished state is saved first: if the disk is full now, nothing is lost, and the same command finishes later. */
int publish_result(struct trainer *t, struct err *err)
{
	struct err fault = ERR_INIT;
	bool saved = trainer_save(t, &fault) == 0;
	if (write_result(t, err) < 0)
		return saved ? err_wrap(err, "training is complete and kept in '%s'; run the same command again", t->s->resume)
			     : err_wrap(err, "training is complete but could not be written (step %lld is kept)", (long long)t->saved_step);
	return checkpoint_remove(t->s->resume, err);
}
