/* tune.c: one run from options to result; the order of life and death of its parts. */
#include "tune/tune.h"

#include "base/fd.h"
#include "contract/paths.h"
#include "tune/checkpoint.h"
#include "tune/trainer.h"
#include <math.h>

/* A stale sentinel would tell a watcher that the new run is done already. */
static int remove_sentinel(const struct tune_session *s, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(s->output, FILE_SENTINEL);
	return fd_remove_tree(path, err);
}

static char *model_name_of(const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	const char *slash = memrchr(path, '/', n);
	str name = slash ? (str){slash + 1, (size_t)(path + n - slash - 1)} : (str){path, n};
	if (str_ends(name, STR(".gguf")))
		name.len -= 5;
	return mem_strndup(name.data, name.len);
}

/* A run that diverged would diverge again from its checkpoint: the settings have to change, so nothing must stand in their way. */
static void forget_diverged(const struct tune_session *s, const struct err *err)
{
	struct err ignored = ERR_INIT;
	if (err && err->kind == ERR_DIVERGED && checkpoint_remove(s->resume, &ignored) < 0)
		return;
}

static int run(struct tune_session *s, struct tune_result *result, struct err *err)
{
	struct trainer t;
	if (remove_sentinel(s, err) < 0 || trainer_open(&t, s, err) < 0)
		return -1;
	int rc = trainer_run(&t, err);
	if (rc == 0)
		rc = publish_result(&t, err);
	progress_end(&s->progress);
	result->step = t.step;
	result->total_steps = s->plan.total_updates;
	result->loss = t.last_loss;
	if (rc == 0)
		progress_say(&s->progress, "done: %lld updates in %.1f s, loss %.4f; adapter in '%s'", (long long)t.step, trainer_seconds(&t),
			     t.all_loss / (double)(t.step ? t.step : 1), s->output);
	else
		forget_diverged(s, err);
	trainer_close(&t);
	return rc;
}

int tune_run(const struct tune_options *o, struct tune_result *result, struct err *err)
{
	struct tune_session s;
	*result = (struct tune_result){.step = -1, .total_steps = -1, .loss = NAN};
	if (tune_session_open(&s, o, result, err) < 0)
		return -1;
	result->output = mem_strdup(s.output);
	result->model_name = model_name_of(s.model_path);
	int rc = run(&s, result, err);
	tune_session_close(&s);
	return rc;
}

void tune_result_done(struct tune_result *r)
{
	free(r->output);
	free(r->model_name);
	free(r->bad_file);
	*r = (struct tune_result){.step = -1, .total_steps = -1, .loss = NAN};
}
