/* Fuzz target: a server's log of any bytes gives figures that are valid, or an error. */
#include "codec/json.h"
#include "workload/benchmark_result.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	json_t *figures = NULL;
	double value = 0;
	if (benchmark_result_parse((str){(const char *)data, size}, "1", "", &figures, &err) < 0) {
		if (figures || err.kind == ERR_NONE)
			abort();
		return 0;
	}
	if (!str_to_f64(str_of(json_string_value(json_object_get(figures, "value"))), &value) || !(value > 0))
		abort();
	json_decref(figures);
	return 0;
}
