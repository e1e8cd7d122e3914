/* Fuzz target: the text that a claim keeps about a running operation is anybody's; what is read as one reads again as the same and asks
 * nobody but ARM. The same JSON as an answer's body never ends in anything but a state or an error. */
#include "azure/operation.h"
#include "codec/json.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct azure_environment ENVIRONMENT = {.arm = (char *)"https://management.azure.com"};

static void stored(const json_t *text)
{
	struct operation o = {0}, again = {0};
	struct err err = ERR_INIT;
	if (operation_of_json(&o, text, &ENVIRONMENT, &err) < 0)
		return;
	if (o.url[0] != '/' && strncasecmp(o.url, "https://management.azure.com/", 29) != 0)
		abort();
	json_t *printed = operation_json(&o);
	if (operation_of_json(&again, printed, &ENVIRONMENT, &err) < 0 || strcmp(o.url, again.url) != 0 || strcmp(o.resource, again.resource) != 0 || o.style != again.style)
		abort();
	json_decref(printed);
	operation_done(&o);
	operation_done(&again);
}

static void answered(json_t *body)
{
	static const struct { const char *method, *async, *location; } BEGINS[] = {
		{"PUT", "https://management.azure.com/o", NULL}, {"DELETE", NULL, "https://management.azure.com/l"}, {"PUT", NULL, NULL}};
	for (size_t i = 0; i < sizeof BEGINS / sizeof BEGINS[0]; i++) {
		struct arm_answer first = {.status = 201, .async_url = (char *)(uintptr_t)BEGINS[i].async, .location = (char *)(uintptr_t)BEGINS[i].location, .retry_after_ms = -1};
		struct arm_answer poll = {.status = 200, .body = body, .retry_after_ms = -1};
		struct operation o = {0};
		struct arm_error failure = {0};
		enum operation_state state = OPERATION_RUNNING;
		struct err err = ERR_INIT;
		if (operation_begin(&o, BEGINS[i].method, "/pool", &first, &state, &err) < 0)
			abort();
		if (operation_feed(&o, &poll, &state, &failure, &err) == 0 && (state == OPERATION_FAILED || state == OPERATION_CANCELED) && !failure.code[0] && !failure.message[0])
			abort();
		arm_error_done(&failure);
		operation_done(&o);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	json_t *text = NULL;
	if (json_parse(&text, (str){(const char *)data, size}, "fuzz", &err) < 0)
		return 0;
	stored(text);
	answered(text);
	json_decref(text);
	return 0;
}
