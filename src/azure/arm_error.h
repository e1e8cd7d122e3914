/* arm_error.h: what went wrong at ARM, from any of the shapes it answers with: {"error":{code,message,details,innererror}}, the bare
 * {code,message,details,subcode} of the AKS front end, an operation's {status,error}, an OAuth error, an empty body, HTML. */
#pragma once
#include "base/buf.h"
#include "base/str.h"
#include <jansson.h>

#define ARM_CODE_MAX 96
#define ARM_MESSAGE_MAX 1024
struct arm_error {
	int status;                       /* HTTP; 0: an operation that failed with 200 */
	char code[ARM_CODE_MAX + 1];      /* header x-ms-error-code, else the body's; "" none */
	char message[ARM_MESSAGE_MAX + 1];/* the outermost message, one line, UTF-8; for HTML and empty bodies "HTTP 502 …" */
	bool code_of_header;              /* the header's code is another than the body's, which is the first of the details */
	json_t *tree;                     /* {code, message, details: […]} normalised and bounded in depth and size; NULL: none */
};
void arm_error_done(struct arm_error *e);
/* header_code may be NULL. Never fails: whatever came is described. */
void arm_error_read(struct arm_error *e, int status, const char *header_code, str body);
void arm_error_of_json(struct arm_error *e, int status, const json_t *error_object);
/* Calls fn for the outermost error and every nested one (details, innererror, JSON inside a message), depth first, until it returns true. */
bool arm_error_walk(const struct arm_error *e, bool (*fn)(void *context, const char *code, const char *message), void *context);
/* "Code: message" with nested causes after "; caused by", at most size-1 bytes, whole UTF-8 characters. */
void arm_error_text(const struct arm_error *e, char *out, size_t size);
