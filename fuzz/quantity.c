/* Fuzz target: the canonical form of a quantity is a quantity of the same value, and its own canonical form. */
#include "base/mem.h"
#include "kube/quantity.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *text = mem_strndup((const char *)data, size);
	char once[32], twice[32];
	double a, b;
	if (quantity_canonical(text, once, sizeof once, &err) < 0)
		return 0;
	if (quantity_canonical(once, twice, sizeof twice, &err) < 0 || strcmp(once, twice) != 0)
		abort();
	if (quantity_parse(text, &a, &err) < 0 || quantity_parse(once, &b, &err) < 0 || fabs(a - b) > fabs(a) * 1e-15)
		abort();
	return 0;
}
