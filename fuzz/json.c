/* Fuzz target: whatever the JSON reader accepts, the printer writes and the reader takes back; and the quick reader never disagrees. */
#include "codec/json.h"
#include "codec/json_quick.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	json_t *value = NULL, *again = NULL;
	struct json_rules rules = {.allow_nul = size % 2 == 0};
	json_t *quick = json_quick((str){(const char *)data, size});
	if (quick) {
		if (json_parse(&value, (str){(const char *)data, size}, "fuzz", &err) < 0 || !json_equal(quick, value))
			abort();
		json_decref(quick);
		json_decref(value);
		value = NULL;
	}
	if (json_parse_with(&value, (str){(const char *)data, size}, "fuzz", &rules, &err) < 0)
		return 0;
	struct buf out = {0};
	json_print(value, (unsigned)size % 16, &out);
	if (json_parse_with(&again, buf_str(&out), "printed", &rules, &err) < 0 || !json_equal(value, again))
		abort();
	json_decref(value);
	json_decref(again);
	buf_done(&out);
	return 0;
}
