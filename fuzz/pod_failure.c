/* Fuzz target: pods are any JSON; what is said about them fits its limits and is text. */
#include "codec/json.h"
#include "workload/failure.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct failure failure;
	json_t *pods = NULL;
	size_t bad = 0;
	if (json_parse(&pods, (str){(const char *)data, size}, "fuzz", &err) < 0)
		return 0;
	if (failure_of_pods(pods, &failure)) {
		str message = str_of(failure.message);
		if (failure.reason[0] == 0 || message.len == 0 || message.len > 256 || !str_is_utf8(message, &bad))
			abort();
	}
	json_decref(pods);
	return 0;
}
