/* chat_request.c: the body of POST /chat: decoding, the lengths that follow from it, and the clean-up of its text. */
#include "codec/json.h"
#include "contract/chat_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = NULL;
	struct err err;
	struct chat_request r;
	struct arena arena = {0};
	if (json_parse(&json, (str){(const char *)data, size}, "body", &err) < 0)
		return 0;
	if (chat_request_decode(json, &r, &err) == 0) {
		if (chat_request_max_tokens(&r, 100) < 1 || chat_request_min_tokens(&r, 100) < 0)
			abort();
		str text = str_of(r.prompt ? r.prompt : "");
		if (chat_request_clean_up(&arena, text).len > text.len)
			abort();
	}
	arena_done(&arena);
	json_decref(json);
	return 0;
}
