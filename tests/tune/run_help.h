/* run_help.h: a small world for tests of whole runs: a scratch folder in memory, a dataset, a configuration, one call. */
#pragma once
#include "tune/tune.h"

#include "base/fd.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "model/adapter.h"
#include <check.h>
#include <math.h>

struct run_world {
	char folder[64];
	char *model, *config, *data, *output;
	struct tune_options o;
	struct tune_result result;
	struct err err;
	struct buf said;                 /* what the run printed */
	/* Called with every line that the run prints. */
	void (*on_line)(struct run_world *w, const char *line);
	atomic_bool stop;
};
static struct run_world world;

static inline void run_put(const char *path, const char *text)
{
	struct err err = ERR_INIT;
	ck_assert_msg(fd_write_file(path, text, strlen(text), 0644, &err) == 0, "%s", err.message);
}

/* rows of messages, short and all different. */
static inline void run_put_messages(const char *path, int rows)
{
	struct buf text = {0};
	for (int i = 0; i < rows; i++)
		buf_printf(&text, "{\"messages\":[{\"role\":\"user\",\"content\":\"question %d of the day\"},{\"role\":\"assistant\",\"content\":\"the answer is %d and %d\"}]}\n",
			   i, i * 7 % 13, i * i);
	run_put(path, text.data);
	buf_done(&text);
}

/* lora, arguments, dataset: further keys of the sections in flow style, each of the first two with a leading comma. */
static inline void run_configure(const char *lora, const char *arguments, const char *dataset)
{
	char *text = mem_printf("training_config:\n  ModelConfig: {torch_dtype: float32}\n  LoraConfig: {r: 2, lora_dropout: 0.1%s}\n"
				"  TrainingArguments: {per_device_train_batch_size: 2, logging_steps: 1, learning_rate: 1e-2%s%s}\n"
				"  DatasetConfig: {%s}\n", lora, strstr(arguments, "save_strategy") ? "" : ", save_strategy: no", arguments, dataset);
	run_put(world.config, text);
	free(text);
}

static inline void run_setup(void)
{
	const char *root = getenv("KAITO_SOURCE_ROOT");
	memset(&world, 0, sizeof world);
	snprintf(world.folder, sizeof world.folder, "%s", fd_is_dir("/dev/shm") ? "/dev/shm/kaito-tune-XXXXXX" : "/tmp/kaito-tune-XXXXXX");
	ck_assert_ptr_nonnull(root);
	ck_assert_ptr_nonnull(mkdtemp(world.folder));
	world.model = mem_printf("%s/tests/golden/tiny/llama-gqa", root);
	world.config = fd_join(world.folder, "config.yaml");
	world.data = fd_join(world.folder, "data.jsonl");
	world.output = fd_join(world.folder, "out");
	world.err = ERR_INIT;
	world.o = (struct tune_options){.config_path = world.config, .method = -1, .model_path = world.model, .data_paths = (const char *const *)&world.data,
					.n_data = 1, .output = world.output, .threads = 2, .checkpoint_steps = 1, .stop = &world.stop};
	run_put_messages(world.data, 12);
	run_configure("", ", num_train_epochs: 2", "train_test_split: 1");
}

static inline void run_teardown(void)
{
	ck_assert_int_eq(fd_remove_tree(world.folder, &world.err), 0);
	tune_result_done(&world.result);
	buf_done(&world.said);
	free(world.model), free(world.config), free(world.data), free(world.output);
}

static ssize_t run_hear(void *cookie, const char *data, size_t len)
{
	struct run_world *w = cookie;
	size_t from = w->said.len;
	buf_put(&w->said, data, len);
	if (w->on_line && len)
		w->on_line(w, w->said.data + from);
	return (ssize_t)len;
}

static inline int run_tune(void)
{
	FILE *out = fopencookie(&world, "w", (cookie_io_functions_t){.write = run_hear});
	setvbuf(out, NULL, _IOLBF, 4096);
	buf_clear(&world.said);
	tune_result_done(&world.result);
	world.err = ERR_INIT;
	world.o.out = out;
	int rc = tune_run(&world.o, &world.result, &world.err);
	fclose(out);
	return rc;
}

#define run_must_work() ck_assert_msg(run_tune() == 0, "%s", world.err.message)
#define run_must_fail(kind_, part) \
	do { \
		ck_assert_int_eq(run_tune(), -1); \
		ck_assert_msg(strstr(world.err.message, part) != NULL, "'%s' lacks '%s'", world.err.message, part); \
		ck_assert_int_eq(world.err.kind, kind_); \
	} while (0)
#define run_said(part) ck_assert_msg(strstr(buf_str(&world.said).data, part) != NULL, "'%s' lacks '%s'", buf_str(&world.said).data, part)

static inline bool run_has(const char *name)
{
	char *path = fd_join(world.output, name);
	bool there = fd_exists(path);
	free(path);
	return there;
}

static inline void run_digest(char text[DIGEST_TEXT])
{
	char *path = fd_join(world.output, "adapter_model.safetensors");
	ck_assert_msg(digest_of_file(path, text, NULL, &world.err) == 0, "%s", world.err.message);
	free(path);
}

static inline json_t *run_json(const char *name)
{
	char *path = fd_join(world.output, name);
	json_t *v = NULL;
	ck_assert_msg(json_parse_file(&v, path, &world.err) == 0, "%s", world.err.message);
	free(path);
	return v;
}

static inline void run_forget_output(void) { ck_assert_int_eq(fd_remove_tree(world.output, &world.err), 0); }
