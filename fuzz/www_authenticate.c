/* Fuzz target: a registry's WWW-Authenticate header. A Bearer challenge has a realm without control characters. */
#include "base/mem.h"
#include "oci/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct challenge c;
	challenge_parse((str){(const char *)data, size}, &c);
	if (c.scheme == CHALLENGE_BEARER && !c.realm)
		abort();
	for (const char *p = c.realm ? c.realm : ""; *p; p++)
		if ((unsigned char)*p < 0x20)
			abort();
	challenge_done(&c);
	return 0;
}
