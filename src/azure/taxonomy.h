/* taxonomy.h: what an ARM error means for a claim: one row per cause, matched by code and text at every depth of the error, in the order
 * of the table. The troubleshooting page docs/node-errors.md is printed from these rows. To add a cause: a row and its test. */
#pragma once
#include "azure/arm_error.h"
#include <stdint.h>

enum failure_handling {
	HANDLE_OFFERING,      /* this offering cannot be had: cool it down, try the next SKU, zone or capacity type; none left: InsufficientCapacity */
	HANDLE_CREATE_ERROR,  /* reason on the claim, retried with long back-off (quota, failed nodes). With a scope (quota): cooled down and the next
			       * offering tried as above; but none left is no InsufficientCapacity, the reason stays */
	HANDLE_TERMINAL,      /* the request itself is wrong: not repeated until the claim or node class changes */
	HANDLE_CONFIGURATION, /* credentials or policy: retried slowly, for every claim alike */
	HANDLE_IN_PROGRESS,   /* another operation on the pool or cluster runs: wait and look again */
	HANDLE_REREAD,        /* etag: read the pool and decide anew */
	HANDLE_THROTTLED,     /* wait, gate for everyone */
	HANDLE_PASSING,       /* server trouble: repeat soon */
	HANDLE_GONE,          /* the pool does not exist */
	HANDLE_CLUSTER_GONE,  /* cluster or resource group not found: nothing may be concluded about instances */
};
enum failure_scope { SCOPE_NONE, SCOPE_SKU, SCOPE_FAMILY, SCOPE_ZONE, SCOPE_SPOT, SCOPE_REGION };
struct failure_row {
	const char *code;          /* NULL: any; "A|B": one of. Causes (OFFERING, CREATE_ERROR) are also found as Code="A" or SubCode: A inside a message */
	const char *text;          /* part of the message at the same depth, any case; NULL: any; "a|b": one of */
	int status;                /* HTTP; 0: any */
	const char *reason;        /* "SubscriptionQuotaReached" */
	enum failure_handling handling;
	enum failure_scope scope;
	int64_t cooldown_s, cooldown_spot_s;
	bool insufficient;         /* becomes Karpenter's InsufficientCapacityError at once */
	const char *meaning;       /* a sentence for the page */
	const char *remedy;        /* what to do, at most TAXONOMY_REMEDY_MAX bytes: on the page, and in the first 256 bytes of messages */
	const char *seen;          /* for the page, when code is NULL: codes it comes with; NULL: none in particular */
};
#define TAXONOMY_REMEDY_MAX 110
extern const struct failure_row FAILURES[]; /* taxonomy_table.c */
extern const size_t FAILURE_COUNT;
struct failure {
	const struct failure_row *row;    /* never NULL: the last row is the unknown error */
	int64_t cooldown_s;               /* for the capacity type asked, "Current Limit: 0" considered */
	char message[801];                /* "code: human text; what to do"; code and text are those of the cause that matched. A text too long for
					   * its first 256 bytes is clipped there and follows in full (to 800) */
};
void taxonomy_classify(const struct arm_error *e, bool spot, struct failure *out);
/* The page docs/node-errors.md (taxonomy_page.c). */
void taxonomy_print_markdown(struct buf *out);
