/* Fuzz target: an answer of ARM with an error is any text; what is said about it has a reason and fits, code first and what to do early. */
#include "azure/taxonomy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int STATUS[] = {0, 400, 404, 409, 500};
	if (size == 0)
		return 0;
	struct arm_error e = {0};
	struct failure f;
	size_t bad;
	arm_error_read(&e, STATUS[data[0] % 5], NULL, (str){(const char *)data + 1, size - 1});
	taxonomy_classify(&e, data[0] & 1, &f);
	const char *remedy = strstr(f.message, f.row->remedy);
	if (!f.message[0] || strlen(f.message) > 800 || !str_is_utf8(str_of(f.message), &bad) || !remedy || remedy - f.message + (ptrdiff_t)strlen(f.row->remedy) > 256)
		abort();
	arm_error_done(&e);
	return 0;
}
