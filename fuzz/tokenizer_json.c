/* tokenizer_json.c: any bytes as tokenizer.json; what opens must encode and decode without trouble. */
#include "base/vec.h"
#include "token/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char TEXT[] = "Hello  w\xC3\xB6rld's 12345\n\n\t<s>[A] caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80!!! aaaaaaaaaaaaaaaa";
	struct err err = ERR_INIT;
	struct tokenizer *t = NULL;
	if (tokenizer_open_json(&t, (str){(const char *)data, size}, &err) < 0)
		return 0;
	struct token_vec ids = {0};
	struct buf text = {0};
	if (tokenizer_encode(t, str_of(TEXT), true, true, &ids, &err) == 0 && tokenizer_decode(t, ids.data, ids.len, false, &text, &err) == 0 &&
	    !str_is_utf8(buf_str(&text), NULL))
		abort();
	buf_clear(&text);
	for (int32_t id = 0; id < tokenizer_vocab_size(t) && id < 64; id++)
		tokenizer_piece(t, id, id == 0, &text);
	vec_done(&ids);
	buf_done(&text);
	tokenizer_free(t);
	return 0;
}
