/* fake_engine.h: an engine, a tokenizer and a template that need no model, linked in place of the real ones: they answer by rules that
 * a test can read off the request.
 *
 * Tokenizer: one id per byte (0..255); 256 is <bos>, 257 is <eos>; vocabulary 258.
 * Engine: answers with the upper-cased prompt, byte by byte, then stops (so max_tokens gives "length"). A prompt that contains
 * "[hold]" waits for fake_release() after its first token; "[fail]" ends with an error; "[utf8]" answers with "é" in two tokens. */
#pragma once
#include "engine/engine.h"
#include <stdatomic.h>

struct fake_engine {
	int max_sequences, max_waiting, max_model_len;  /* 0: 4, 4096 and 1000 */
};
struct engine *fake_engine_new(const struct fake_engine *options);
struct tokenizer *fake_tokenizer(void);             /* a constant */
void fake_release(struct engine *e);                /* opens the gate for all held requests */
int fake_cancelled(struct engine *e);               /* requests that ended by engine_cancel */
int fake_held(struct engine *e);                     /* "[hold]" requests that have not ended */
struct sampling fake_last_sampling(struct engine *e); /* scalars of the last request submitted */
int32_t fake_last_adapter(struct engine *e);
