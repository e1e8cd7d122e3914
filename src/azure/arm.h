/* arm.h: one request to Azure Resource Manager: credentials, headers, the shared gate, one CAE challenge, registration of a missing
 * resource provider. A request is sent once: when to repeat it is the caller's state machine's to decide, with arm_retry_ms.
 * Guarded by its own locks; shared by threads. Authorization, assertions and the queries of poll URLs never reach a log or an error. */
#pragma once
#include "azure/arm_error.h"
#include "azure/environment.h"
#include "azure/throttle.h"
#include "azure/token.h"

#define ARM_API_VERSION "2024-01-01"
struct arm_options {
	const struct azure_environment *environment; /* borrowed */
	struct token_cache *tokens;                   /* borrowed */
	struct throttle *throttle;                    /* borrowed */
	const char *api_version;                      /* NULL: ARM_API_VERSION; of Microsoft.ContainerService */
	const char *user_agent;
	const atomic_bool *cancel;
	const atomic_int_fast64_t *until_ms;          /* as cloud_hooks.until_ms */
	void (*on_call)(void *context, enum arm_class class, const char *method, int status, double seconds); /* metrics; NULL: none */
	void *context;
	int64_t (*now_ms)(void);                      /* between registrations; NULL: clock_now_ms */
};
struct arm;
struct arm *arm_new(const struct arm_options *o);
void arm_free(struct arm *a);

struct arm_request {
	const char *method;          /* "PUT" */
	const char *url;             /* absolute (a nextLink, an operation) or a path "/subscriptions/…" without api-version, whose elements are escaped (arm_pool_path) */
	const char *api_version;     /* NULL: the client's; "" none is added (absolute URLs) */
	const json_t *body;          /* NULL: none */
	const char *if_match, *if_none_match; /* at most 256 bytes */
	enum arm_class class;
	const char *pool;            /* whose request it is, for the gate; NULL: nobody's */
	int more;                    /* so many requests follow that need not pass the gate (paid): the next pages of a list */
	bool paid;
};
struct arm_answer {
	int status;
	json_t *body;                /* NULL: none, or not JSON */
	char *async_url, *operation_url, *location; /* Azure-AsyncOperation, Operation-Location, Location; https (or the environment's plain http) and ARM's own host only, else dropped */
	int64_t retry_after_ms;      /* Retry-After-Ms, x-ms-retry-after-ms, Retry-After in this order; -1 none */
	char etag[80], request_id[64], correlation_id[64];
	struct arm_error error;      /* set when status >= 300 (redirects are not followed) */
};
void arm_answer_done(struct arm_answer *a);
const char *arm_api_version(const struct arm *a); /* of requests that name none */
/* 0: an answer of whatever status; 1: not sent, the gate is closed for *wait_ms; -1: no answer (network, token): err. A write whose
 * answer was lost may have been done. */
WARN_UNUSED int arm_send(struct arm *a, const struct arm_request *r, struct arm_answer *out, int64_t *wait_ms, struct err *err);
/* Whether a status is worth another try (408, 429, 500, 502, 503, 504, and 0: no answer) and when: after Retry-After where it asks for
 * any, else ((2^attempt)-1) x 5 s x [0.8, 1.3), at most 60 s. attempt from 1. -1: not; also when more than 10 minutes are asked for. */
int64_t arm_retry_ms(int status, int attempt, int64_t retry_after_ms);
/* "/subscriptions/…/agentPools/NAME", of a machine "POOL/NAME" "…/agentPools/POOL/machines/NAME"; NULL: the collection; elements escaped.
 * Caller frees. */
char *arm_pool_path(const struct azure_environment *e, const char *pool);
char *arm_cluster_path(const struct azure_environment *e);
/* Case-insensitive comparison of resource ids. */
bool arm_same_id(const char *a, const char *b);
