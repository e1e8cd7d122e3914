/* tune_metrics.c: names and meanings; units are in the names, as Prometheus asks. */
#include "contract/tune_metrics.h"

const struct metric_row TUNE_METRICS[TUNE_METRIC_COUNT] = {
	[TUNE_STEP] = {"kaito_tune_step", "Updates made so far, over all restarts.", METRIC_GAUGE},
	[TUNE_STEPS_PLANNED] = {"kaito_tune_steps_planned", "Updates that the run will make.", METRIC_GAUGE},
	[TUNE_EPOCH] = {"kaito_tune_epoch", "Passes over the rows, with the fraction of the current one.", METRIC_GAUGE},
	[TUNE_LOSS] = {"kaito_tune_loss", "Mean training loss since the last log line.", METRIC_GAUGE},
	[TUNE_EVAL_LOSS] = {"kaito_tune_eval_loss", "Loss of the last evaluation.", METRIC_GAUGE},
	[TUNE_EVAL_PERPLEXITY] = {"kaito_tune_eval_perplexity", "exp(eval_loss).", METRIC_GAUGE},
	[TUNE_LEARNING_RATE] = {"kaito_tune_learning_rate", "Learning rate of the last update.", METRIC_GAUGE},
	[TUNE_GRAD_NORM] = {"kaito_tune_grad_norm", "Gradient norm of the last update, before clipping.", METRIC_GAUGE},
	[TUNE_TOKENS] = {"kaito_tune_tokens_total", "Tokens trained on in this process.", METRIC_COUNTER},
	[TUNE_ROWS] = {"kaito_tune_dataset_rows", "Rows of the training split.", METRIC_GAUGE},
	[TUNE_BAD_ROWS] = {"kaito_tune_bad_rows", "Rows left out because they could not be read.", METRIC_GAUGE},
	[TUNE_TRUNCATED_ROWS] = {"kaito_tune_truncated_rows", "Rows that were cut to the maximal length.", METRIC_GAUGE},
	[TUNE_TOKENS_PER_SECOND] = {"kaito_tune_tokens_per_second", "Training speed since the last log line.", METRIC_GAUGE},
	[TUNE_ETA_SECONDS] = {"kaito_tune_eta_seconds", "Estimated time to the end of the run.", METRIC_GAUGE},
	[TUNE_CHECKPOINT_STEP] = {"kaito_tune_checkpoint_step", "Update that the last resume checkpoint holds.", METRIC_GAUGE},
	[TUNE_RESIDENT_BYTES] = {"kaito_tune_resident_memory_bytes", "Memory of the process.", METRIC_GAUGE},
};
