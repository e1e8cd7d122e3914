/* tune_session.h: everything that a run needs and that does not change while it runs: configuration, model, dataset as tokens, plan,
 * training step. Opened in one order, closed in the reverse one. Owner: one thread. */
#pragma once
#include "tune/batch.h"
#include "tune/progress.h"
#include "tune/schedule.h"
#include "tune/targets.h"
#include "tune/tune.h"
#include "tune/tune_server.h"

struct tune_session {
	const struct tune_options *options;
	struct training_config config;
	enum training_method method;
	char *model_path, *output, *resume;  /* resume: folder of the resume checkpoint */
	struct progress progress;
	struct tune_server *server;

	struct pool *pool;
	struct model *model;
	struct lora_requantised *requantised;
	enum compute compute;
	struct tokenizer *tokenizer;
	struct chat_template *chat;
	char *bos, *eos;

	struct data *data;
	struct collator collator;
	struct examples examples;
	int64_t *train_list, *eval_list, n_train, n_eval;
	struct units train, eval;
	int32_t max_length;                  /* tokens of the longest row that is kept */
	int32_t max_rows;                    /* tokens of one pass through the model */
	struct plan plan;
	struct schedule schedule;

	struct targets targets;
	struct adapter *init;                /* start values with ranks of their own, or NULL */
	struct arena init_arena;             /* of an init that was made here */
	bool init_is_file;
	json_t *adapter_extra;               /* keys of adapter_config.json beyond adapter_meta, or NULL */
	struct trainstep *step;
};
/* On failure *s is closed. `result` gets the place of a bad row. */
WARN_UNUSED int tune_session_open(struct tune_session *s, const struct tune_options *o, struct tune_result *result, struct err *err);
void tune_session_close(struct tune_session *s);
