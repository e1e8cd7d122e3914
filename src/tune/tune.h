/* tune.h: fine-tuning as one call: configuration, model and data in, adapter folder out. cmd/ and tests call nothing else here.
 *
 * OUTPUT gets adapter_config.json, adapter_model.safetensors, trainer_state.json, loss.svg and, last, fine_tuning_completed.txt.
 * While it runs, OUTPUT/.kaito-resume holds a checkpoint; the same call after a crash or a stop continues from it and ends in
 * the same adapter, bit for bit, on the same machine with the same threads. */
#pragma once
#include "contract/training_config.h"
#include <stdatomic.h>
#include <stdio.h>

struct tune_options {
	const char *config_path;         /* NULL: upstream's template of the method */
	int method;                      /* enum training_method, or -1: as the configuration says (no configuration: qlora) */
	const char *model_path;          /* NULL: ModelConfig.pretrained_model_name_or_path */
	const char *const *data_paths;   /* files or folders */
	size_t n_data;
	const char *output;              /* NULL: TrainingArguments.output_dir */
	const char *init_adapter;        /* start from this adapter folder, with its ranks and modules */
	bool skip_bad_rows, refuse_long_rows;
	bool fresh;                      /* discard a resume checkpoint instead of continuing from it */
	int threads;                     /* 0: all CPUs of the process */
	double checkpoint_seconds;       /* between resume checkpoints; 0: by steps only */
	int64_t checkpoint_steps;        /* updates between resume checkpoints; 0: by time only */
	int64_t early_stopping_patience; /* evaluations without gain before the run ends; 0: never */
	double early_stopping_threshold; /* what counts as a gain */
	int metrics_port;                /* 0: nothing listens */
	bool metrics_optional;           /* a port in use is a notice, not an error (nobody asked for this port) */
	const atomic_bool *stop;         /* set by a signal: save and return ERR_SAVED */
	FILE *out;                       /* for people */
};
struct tune_result {
	int64_t step, total_steps;       /* -1: not that far */
	double loss;                     /* of the last update; NaN: none */
	char *output;                    /* folder; the caller frees */
	char *model_name;                /* last part of the model's path without ".gguf", for the image's annotation; the caller frees */
	char *bad_file;                  /* file of the row that failed; NULL: none; the caller frees */
	int64_t bad_row;                 /* its number from 1; 0: none */
};
/* *result is filled as far as the run got, also on failure; tune_result_done frees it. */
WARN_UNUSED int tune_run(const struct tune_options *o, struct tune_result *result, struct err *err);
void tune_result_done(struct tune_result *r);
