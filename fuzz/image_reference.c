/* Fuzz target: an image reference. What is accepted prints as something that is read as the same. */
#include "base/mem.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reference one = {0}, two = {0};
	struct err err = ERR_INIT;
	if (reference_parse((str){(const char *)data, size}, &one, &err) < 0)
		return 0;
	reference_is_loopback(&one);
	char *whole = reference_format(&one);
	if (reference_parse(str_of(whole), &two, &err) < 0)
		abort();
	char *again = reference_format(&two);
	if (strcmp(whole, again) != 0)
		abort();
	free(whole);
	free(again);
	reference_done(&one);
	reference_done(&two);
	return 0;
}
