/* tune_session_parts.h: the longer steps of tune_session_open, one file each; inner header of tune_session.c. */
#pragma once
#include "tune/tune_session.h"

/* tune_session_model.c: model, pool, quantisation, arithmetic; then, once lengths are known, targets and the training step. */
WARN_UNUSED int tune_session_open_model(struct tune_session *s, struct err *err);
WARN_UNUSED int tune_session_open_step(struct tune_session *s, struct err *err);
/* tune_session_data.c: tokenizer and chat template; then the dataset as tokens. */
WARN_UNUSED int tune_session_open_text(struct tune_session *s, struct err *err);
WARN_UNUSED int tune_session_open_data(struct tune_session *s, struct tune_result *result, struct err *err);
