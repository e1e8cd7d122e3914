/* Fuzz target: base64, the first byte says in which form. What is decoded and encoded again decodes to the same bytes, and what is refused is
 * refused at a byte of the text or at its end. */
#include "base/mem.h"
#include "codec/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(enum base64_form form, str bytes)
{
	CLEANUP(mem_freep) char *text = base64_encode(form, bytes), *back = NULL;
	size_t len = 0;
	if (base64_decode(form, str_of(text), &back, &len, NULL) < 0 || !str_eq(bytes, (str){back, len}))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum base64_form form = (enum base64_form)(data[0] % 3);
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t len = 0;
	struct err err = ERR_INIT;
	if (base64_decode(form, (str){(const char *)data + 1, size - 1}, &bytes, &len, &err) == 0) {
		if (len > size / 4 * 3 + 2 || bytes[len])
			abort();
		again(form, (str){bytes, len});
	} else {
		unsigned long at = strtoul(strrchr(err.message, ' '), NULL, 10);
		if (err.kind == ERR_INVALID && at > size - 1)
			abort();
	}
	again(BASE64_STANDARD, (str){(const char *)data, size});
	return 0;
}
