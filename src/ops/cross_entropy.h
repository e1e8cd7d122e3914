/* cross_entropy.h: loss of a chunk of labelled rows, in place. loss = log sum exp(logits) - logits[label], and with
 * `gradient` the logits become scale * (softmax - onehot(label)). The caller takes only labelled rows through the head,
 * a chunk of rows at a time, so logits of all tokens never exist. Collective over rows, no barrier inside.
 */
#pragma once
#include "tensor/pool.h"
#include <stdbool.h>

void cross_entropy_rows(float *logits, int64_t ld, int64_t rows, int64_t vocab, const int32_t *labels, float scale, bool gradient, float *losses,
			struct worker worker);
