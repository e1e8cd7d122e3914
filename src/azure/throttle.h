/* throttle.h: one gate for all requests to ARM and to the services behind it: token buckets sized like the services' own (burst/refill:
 * reads 250/25 s⁻¹, writes and deletes 200/10 s⁻¹ at ARM; AKS: LIST, GET and DELETE of pools 60/1 s⁻¹ together, operation status 200/2 s⁻¹,
 * PUT of one pool 20/1 min⁻¹; other services 100/5 s⁻¹), and what a 429 with Retry-After closes for everyone. Guarded by its own mutex;
 * nothing sleeps here: a closed gate says how long. Low remaining-request headers slow the low classes down first.
 *
 * A service's bucket loses its token when the request arrives, which may be a second after ours lost it; a full bucket gains nothing until
 * then. So ours fills only as far as leaves room for what has no answer yet, and is never fuller than the service's will be. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum arm_class {
	ARM_LIST, ARM_GET, ARM_DELETE, ARM_PUT,
	ARM_POST,        /* actions on a pool: abort, deleteMachines; ARM counts them as writes */
	ARM_PUT_MACHINE, /* no budget of its own is documented: one of all other requests */
	ARM_OPERATION, ARM_OTHER /* usages, registration: other services than AKS */, ARM_CLASSES
};
struct throttle;
struct throttle *throttle_new(int64_t (*now_ms)(void)); /* NULL: clock_now_ms */
void throttle_free(struct throttle *t);
/* Takes a token for a request of that class; pool: whose request it is, which keeps its place in the line ("": nobody's), and of ARM_PUT whose
 * budget. 0: go, and call throttle_settled afterwards; else milliseconds until it is worth asking again. */
int64_t throttle_take(struct throttle *t, enum arm_class class, const char *pool);
/* The same for a request and `more` that follow it and need not ask: a list that has begun is not given up half-way. */
int64_t throttle_take_with(struct throttle *t, enum arm_class class, const char *pool, int more);
/* Once for each take that said go: the request has its answer, or will not be sent. */
void throttle_settled(struct throttle *t, enum arm_class class, const char *pool);
/* After each answer: status, Retry-After in ms (-1 none), the least of the x-ms-ratelimit-remaining-* values of this kind (-1 none). A 429
 * closes what shares the class's budget (of ARM_PUT the pool alone); class ARM_CLASSES: everything. */
void throttle_answered(struct throttle *t, enum arm_class class, const char *pool, int status, int64_t retry_after_ms, int64_t remaining);
bool throttle_open(struct throttle *t, enum arm_class class); /* without taking */
