/* operation.h: long-running operations of ARM as a value: how to ask on (Azure-AsyncOperation, Operation-Location, Location, or the
 * resource's own provisioningState), and what an answer means. It can be printed as JSON and read again, so that another process goes on.
 * The rules are those of the Azure SDKs ("Long-running operations" of the ARM RPC). */
#pragma once
#include "azure/arm.h"

enum operation_style { OPERATION_NONE /* done with the first answer */, OPERATION_ASYNC, OPERATION_LOCATION, OPERATION_BODY };
enum operation_state { OPERATION_RUNNING, OPERATION_SUCCEEDED, OPERATION_FAILED, OPERATION_CANCELED };
#define OPERATION_POLL_MS 30000 /* without Retry-After */
struct operation { /* owned strings */
	enum operation_style style;
	char method[8];       /* of the request that began it */
	char *url;            /* to ask; of OPERATION_BODY the resource's */
	char *resource;       /* the original URL or path */
	int64_t delay_ms;     /* until the next question */
};
void operation_done(struct operation *o);
/* `resource` is a path or URL without query that the caller can GET. From the first answer (2xx) to `method resource`. *state RUNNING or SUCCEEDED (or FAILED, by the body). ERR_PROTOCOL: 202 without a way to ask. */
WARN_UNUSED int operation_begin(struct operation *o, const char *method, const char *resource, const struct arm_answer *first, enum operation_state *state, struct err *err);
/* What a poll's answer means; updates url (Location may move) and delay_ms. failure (zeroed by the caller) is set when FAILED or CANCELED. 408,
 * 429 and 5xx leave it RUNNING. ERR_PROTOCOL for an answer that follows no style (and
 * 404: the operation is no longer known): the caller reads the resource instead. ERR_DENIED for 401 and 403. After SUCCEEDED of a PUT the
 * caller reads the resource. */
WARN_UNUSED int operation_feed(struct operation *o, const struct arm_answer *a, enum operation_state *state, struct arm_error *failure, struct err *err);
/* {style, method, url, resource}; new object. */
json_t *operation_json(const struct operation *o);
/* What operation_json made, perhaps in another process. Whoever may edit the text must not send our token elsewhere: ERR_INVALID for a URL that
 * is not the environment's ARM, for anything unknown, and past LIMIT_ARM_URL_BYTES. *o is zero or freed before. */
WARN_UNUSED int operation_of_json(struct operation *o, const json_t *text, const struct azure_environment *e, struct err *err);
