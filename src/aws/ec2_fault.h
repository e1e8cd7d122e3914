/* ec2_fault.h: what an EC2 error code means for a claim: one row per cause. To add one: a row in ec2_fault.c and its line in
 * tests/aws/test_ec2_fault.c. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ec2_handling {
	EC2_FAULT_OFFERING,  /* this machine cannot be had here: cooled down, the next is tried; none left: InsufficientCapacity */
	EC2_FAULT_ACCESS,    /* permissions or account: tried again slowly, for every claim alike */
	EC2_FAULT_INVALID,   /* the request is wrong: tried again slowly, as only the node class can mend it */
	EC2_FAULT_THROTTLED, /* the gate closes for everyone */
	EC2_FAULT_PASSING,   /* the same request again soon */
	EC2_FAULT_GONE,      /* the instance does not exist, or not yet */
	EC2_FAULT_TEMPLATE,  /* the launch template does not exist: made anew */
	EC2_FAULT_TOKEN,     /* the client token was used for another request: what came of that is looked for, then a new token */
	EC2_FAULT_BUSY,      /* the instance is changing: later */
};
enum ec2_scope { EC2_SCOPE_NONE, EC2_SCOPE_ZONE /* type, zone, capacity type */, EC2_SCOPE_TYPE /* type in every zone */, EC2_SCOPE_CAPACITY /* all of the capacity type */ };
struct ec2_fault_row {
	const char *code;         /* "A|B": one of; "X*": begins with; NULL: any, the last row */
	const char *reason;       /* condition reason */
	enum ec2_handling handling;
	enum ec2_scope scope;
	int64_t cooldown_s;
	const char *remedy;
};
extern const struct ec2_fault_row EC2_FAULTS[];
extern const size_t EC2_FAULT_COUNT;
const struct ec2_fault_row *ec2_fault_find(const char *code); /* never NULL */
/* "code: text; remedy", the remedy within the first 256 bytes. */
void ec2_fault_text(const struct ec2_fault_row *row, const char *code, const char *text, char out[801]);
