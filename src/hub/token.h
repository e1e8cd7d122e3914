/* token.h: the hub token of this user. */
#pragma once
#include "base/err.h"

/* $HF_TOKEN, $HUGGING_FACE_HUB_TOKEN, or the first line of $HF_TOKEN_PATH, $HF_HOME/token, ~/.cache/huggingface/token.
 * *token NULL when there is none; caller frees. */
WARN_UNUSED int token_find(char **token, struct err *err);
