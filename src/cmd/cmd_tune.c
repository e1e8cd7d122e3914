/* cmd_tune.c: kaito tune: flags and environment to tune_options, signals to a stop, the outcome to the termination message,
 * and, if asked, the adapter to a registry. */
#include "cmd/command.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cmd/flags.h"
#include "contract/paths.h"
#include "contract/termination.h"
#include "oci/oci.h"
#include "tune/tune.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define USAGE "tune [--config FILE] [--model PATH] [--data PATH]... [--output DIR] [flags]"

static atomic_bool stop;

static void on_signal(int number)
{
	atomic_store(&stop, true);
	signal(number, SIG_DFL); /* the second one kills */
}

static void catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigemptyset(&a.sa_mask);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is then an error like a full disk */
	signal(SIGPIPE, SIG_IGN);
}

struct arguments {
	struct tune_options tune;
	const char *method, *push, *interval;
	struct flag_list data;
	int64_t threads, metrics_port;
};

/* "50steps" is updates; "90", "90s" is seconds. */
static int parse_interval(const char *word, struct tune_options *o, struct err *err)
{
	str s = str_of(word);
	double v;
	bool steps = str_ends(s, STR("steps")), seconds = str_ends(s, STR("s")) && !steps;
	str number = str_trim(str_sub(s, 0, s.len - (steps ? 5 : seconds)));
	if (!str_to_f64(number, &v) || !(v > 0 && v < 1e9) || (steps && v != floor(v)))
		return err_set(err, ERR_USAGE, "--checkpoint-interval takes seconds (90) or updates (50steps), not '%s'", word);
	o->checkpoint_seconds = steps ? 0 : v;
	o->checkpoint_steps = steps ? (int64_t)v : 0;
	return 0;
}

static int parse_method(const char *word, struct tune_options *o, struct err *err)
{
	o->method = -1;
	if (!word)
		return 0;
	if (strcmp(word, "lora") != 0 && strcmp(word, "qlora") != 0)
		return err_set(err, ERR_USAGE, "--method takes lora or qlora, not '%s'", word);
	o->method = strcmp(word, "lora") == 0 ? METHOD_LORA : METHOD_QLORA;
	return 0;
}

/* No --config: upstream's variable, then its mount, then the built-in template. */
static const char *default_config(void)
{
	const char *named = getenv(ENV_TRAINING_CONFIG);
	if (named && named[0])
		return named;
	return fd_exists(PATH_TRAINING_CONFIG) ? PATH_TRAINING_CONFIG : NULL;
}

static int parse(struct arguments *a, int argc, char **argv, struct err *err)
{
	struct tune_options *t = &a->tune;
	const struct flag flags[] = {
		{"checkpoint-interval", "TIME", FLAG_STRING, &a->interval, "how often to save for resuming: seconds, or updates as 50steps (60)", .required = false},
		{"config", "FILE", FLAG_STRING, &t->config_path, "training_config.yaml ($YAML_FILE_PATH, else /mnt/config/training_config.yaml, else the method's template)"},
		{"data", "PATH", FLAG_LIST, &a->data, "dataset file or folder; may be repeated (DatasetConfig.dataset_path, $DATASET_FOLDER_PATH, /mnt/data)"},
		{"early-stopping-patience", "N", FLAG_INT, &t->early_stopping_patience, "end after N evaluations without gain (0: never)", .min = 0, .max = 1e9},
		{"early-stopping-threshold", "X", FLAG_FLOAT, &t->early_stopping_threshold, "least gain that counts (0)", .min = 0, .max = 1e9},
		{"fresh", NULL, FLAG_BOOL, &t->fresh, "start over instead of continuing an interrupted run"},
		{"init-adapter", "DIR", FLAG_STRING, &t->init_adapter, "start from this adapter, with its ranks and modules"},
		{"method", "NAME", FLAG_STRING, &a->method, "lora or qlora (as the configuration says; without one: qlora)"},
		{"metrics-port", "PORT", FLAG_INT, &a->metrics_port, "port of /metrics while tuning, 0: none (5000)", .min = 0, .max = 65535},
		{"model", "PATH", FLAG_STRING, &t->model_path, "GGUF file or folder of the base model (ModelConfig.pretrained_model_name_or_path)"},
		{"output", "DIR", FLAG_STRING, &t->output, "folder of the adapter (TrainingArguments.output_dir)"},
		{"push", "IMAGE", FLAG_STRING, &a->push, "publish the adapter as this container image"},
		{"refuse-long-rows", NULL, FLAG_BOOL, &t->refuse_long_rows, "a row longer than max_length is an error instead of being cut"},
		{"skip-bad-rows", NULL, FLAG_BOOL, &t->skip_bad_rows, "count rows that cannot be read instead of stopping"},
		{"threads", "N", FLAG_INT, &a->threads, "threads (all CPUs)", .min = 0, .max = 1024},
	};
	a->metrics_port = -1;
	int rc = flags_parse(USAGE, flags, sizeof flags / sizeof flags[0], argc, argv, NULL, 0, NULL, err);
	if (rc != 0)
		return rc;
	if (parse_method(a->method, t, err) < 0 || parse_interval(a->interval ? a->interval : "60", t, err) < 0)
		return -1;
	t->data_paths = a->data.items;
	t->n_data = a->data.len;
	t->threads = (int)a->threads;
	t->metrics_optional = a->metrics_port < 0;
	t->metrics_port = a->metrics_port < 0 ? METRICS_PORT : (int)a->metrics_port;
	t->stop = &stop;
	t->out = stdout;
	if (!t->config_path)
		t->config_path = default_config();
	return 0;
}

static void show_push(void *context, const char *item, const char *state, uint64_t done_bytes, uint64_t total_bytes)
{
	(void)context;
	if (done_bytes == total_bytes)
		printf("push: %s %s\n", item, state);
}

static int push(const struct arguments *a, const struct tune_result *r, char digest[OCI_DIGEST_MAX], struct err *err)
{
	struct oci_options o = {.model_name = r->model_name, .cancel = &stop, .progress = show_push};
	if (oci_push_adapter(r->output, a->push, &o, digest, err) < 0)
		return err_wrap(err, "the adapter is in '%s', but could not be pushed", r->output);
	printf("pushed %s@%s\n", a->push, digest);
	return 0;
}

/* The image by digest: a tag may move, this may not. */
static char *image_by_digest(const char *image, const char *digest)
{
	const char *slash = strrchr(image, '/'), *at = strchr(image, '@'), *colon = strrchr(slash ? slash : image, ':');
	const char *end = at ? at : colon ? colon : image + strlen(image);
	return mem_printf("%.*s@%s", (int)(end - image), image, digest);
}

static void report(const struct tune_result *r, const char *image, const struct err *outcome)
{
	struct err err = ERR_INIT;
	struct termination t = {.kind = outcome->kind, .message = outcome->kind ? outcome->message : "fine-tuning completed", .file = r->bad_file,
				.row = r->bad_row, .step = r->step, .loss = r->loss, .image = image};
	if (termination_write(&t, &err) < 0)
		fprintf(stderr, "kaito: termination message: %s\n", err.message);
}

int cmd_tune(int argc, char **argv, struct err *err)
{
	struct arguments a = {0};
	struct tune_result result = {.step = -1, .loss = NAN};
	char digest[OCI_DIGEST_MAX] = "";
	CLEANUP(mem_freep) char *image = NULL;
	struct err outcome = ERR_INIT;
	int rc = parse(&a, argc, argv, &outcome);
	if (rc == 0) {
		catch_signals();
		rc = tune_run(&a.tune, &result, &outcome);
		if (rc == 0 && a.push)
			rc = push(&a, &result, digest, &outcome);
		if (rc == 0 && a.push)
			image = image_by_digest(a.push, digest);
		report(&result, image, &outcome);
	}
	tune_result_done(&result);
	free(a.data.items);
	if (rc < 0)
		*err = outcome;
	return rc < 0 ? -1 : 0;
}
