/* fake_arm.h: agent pools of one cluster behind HTTP on this machine, in the test's own process, with the ways in which ARM fails. Operations
 * end when the test says so. Started inside a test; one at a time. Thread-safe. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

int fake_arm_start(void);             /* the port */
void fake_arm_stop(void);
enum fake_arm_fault { FAKE_ARM_REPLY, FAKE_ARM_DROP /* not carried out */, FAKE_ARM_DROP_AFTER /* carried out, the answer is lost */ };
/* The next `times` requests of this method whose path contains `part`. */
void fake_arm_fail(const char *method, const char *part, int times, enum fake_arm_fault fault, int status, const char *code, const char *message);
void fake_arm_retry_after(const char *seconds); /* sent with scripted replies; NULL: none */
/* A machine is a pool of the name "POOL/NAME" here. What runs on the pool ends: well, or with this error (code not NULL). A pool that fails stays, in state Failed. */
void fake_arm_finish(const char *pool, const char *code, const char *message);
void fake_arm_put(const char *name, const char *state, json_t *labels, json_t *tags); /* a pool made by others; takes the references */
void fake_arm_set_state(const char *name, const char *state);
void fake_arm_remove(const char *name);
json_t *fake_arm_pool(const char *name);        /* new reference or NULL */
size_t fake_arm_pools(void);
void fake_arm_page(size_t pools);               /* pools on a page; 0: all */
void fake_arm_usages(json_t *counters);         /* takes the reference; NULL: 403 */
size_t fake_arm_count(const char *method, const char *part);
size_t fake_arm_created(void);                  /* PUTs that made a pool */
const char *fake_arm_last(const char *method, const char *header); /* of the last such request; "" none; static */
