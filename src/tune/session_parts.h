/* session_parts.h: the longer steps of session_open, one file each; inner header of session.c. */
#pragma once
#include "tune/session.h"

/* session_model.c: model, pool, quantisation, arithmetic; then, once lengths are known, targets and the training step. */
WARN_UNUSED int session_open_model(struct session *s, struct err *err);
WARN_UNUSED int session_open_step(struct session *s, struct err *err);
/* session_data.c: tokenizer and chat template; then the dataset as tokens. */
WARN_UNUSED int session_open_text(struct session *s, struct err *err);
WARN_UNUSED int session_open_data(struct session *s, struct tune_result *result, struct err *err);
