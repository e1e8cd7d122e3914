/* Fuzz target: the body of a webhook call, judged as each of the five kinds without a cluster. */
#include "admission/review.h"

#include <jansson.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const KINDS[] = {"Workspace", "InferenceSet", "MultiRoleInference", "ModelMirror", "RAGEngine"};
	const struct control_options o = control_options_default();
	const struct validate_lookup nothing = {0};
	for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
		json_t *answer = NULL;
		struct err err = ERR_INIT;
		if (review_answer(&o, &nothing, KINDS[i], (str){(const char *)data, size}, &answer, NULL, &err) == 0)
			json_decref(answer);
	}
	return 0;
}
