/* tune_metrics.h: the metrics of `kaito tune` on :5000/metrics. To add one: an enumerator here and its row in tune_metrics.c. */
#pragma once
#include "http/metrics.h"

enum tune_metric {
	TUNE_STEP, TUNE_STEPS_PLANNED, TUNE_EPOCH, TUNE_LOSS, TUNE_EVAL_LOSS, TUNE_EVAL_PERPLEXITY, TUNE_LEARNING_RATE, TUNE_GRAD_NORM,
	TUNE_TOKENS, TUNE_ROWS, TUNE_BAD_ROWS, TUNE_TRUNCATED_ROWS, TUNE_TOKENS_PER_SECOND, TUNE_ETA_SECONDS, TUNE_CHECKPOINT_STEP,
	TUNE_RESIDENT_BYTES, TUNE_METRIC_COUNT
};
extern const struct metric_row TUNE_METRICS[TUNE_METRIC_COUNT];
