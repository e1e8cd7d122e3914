/* Fuzz target: a claims challenge of Azure Resource Manager. What is found is the text of a JSON object. */
#include "azure/arm_challenge.h"
#include "base/mem.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *claims = arm_challenge_claims((str){(const char *)data, size});
	json_t *parsed = NULL;
	struct err err;
	if (claims && (json_parse(&parsed, str_of(claims), "claims", &err) < 0 || !json_is_object(parsed)))
		abort();
	json_decref(parsed);
	free(claims);
	return 0;
}
