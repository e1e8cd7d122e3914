/* aws_parts.h: what the files of the fulfilment of claims by instances share (aws.c, aws_launch*.c, aws_terminate.c, aws_instances.c,
 * aws_explain.c). */
#pragma once
#include "aws/attempt.h"
#include "aws/aws.h"
#include "aws/ec2_fault.h"
#include "aws/facts.h"
#include "aws/fleet_list.h"
#include "aws/note.h"
#include "aws/plan.h"
#include "cloud/claim_slots.h"
#include "cloud/offerings.h"
#include "http/metrics.h"

enum { AWS_SAFETY_MS = 30000 /* a wait for an event ends by itself after this */, AWS_AGAIN_MS = 2000, AWS_LOST_S = 120 /* by then EC2 shows what it made */ };

struct aws { /* immutable after aws_new, apart from what it points at, which guards itself */
	struct cloud cloud;
	struct aws_options options;
	const struct aws_settings *settings;
	struct aws_credentials *credentials; /* NULL with options.offline, as the next three */
	struct ec2 *ec2;
	struct facts *facts;
	struct fleet_list *list;
	struct offerings *offerings;
	struct claim_slots *attempts; /* of struct attempt */
	struct metrics *metrics;
	atomic_bool no_fleet;                /* CreateFleet is not permitted: RunInstances */
	char incarnation[17];                /* of this process, in memos */
	int64_t started_ms, started_s, settle_ms;
};

/* The operations of the table (aws.c), one file each or two. */
int aws_launch(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err);
int aws_terminate(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err);
int aws_explain(struct cloud *c, const struct claim_view *claim, struct buf *out, struct err *err);
int aws_get(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err);
int aws_list(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err);
int aws_reap(struct cloud *c, const struct instance *i, struct err *err);

/* One instance, asked for by its id. 0: *out a new reference; 1: it does not exist (or EC2 does not show it yet); 2: the gate is closed for
 * *wait_ms; -1: cannot be told. */
WARN_UNUSED int aws_describe(struct aws *a, const char *id, json_t **out, int64_t *wait_ms, struct err *err);
/* TerminateInstances of these. 0: accepted; 1: refused, *row and text say so; 2: the gate is closed for *wait_ms; -1: no answer. */
WARN_UNUSED int aws_end(struct aws *a, const char *const *ids, size_t n, const struct ec2_fault_row **row, char text[801], int64_t *wait_ms, struct err *err);
int64_t aws_jitter(int64_t low, int64_t high); /* in [low, high) */
