/* fleet_list.h: the cluster's instances at the last DescribeInstances, shared by all claims: a hundred that wait cost one request a second
 * and not a hundred. A thread lists when somebody asked, and tells the claims that did; while nobody asks it sleeps without a time-out.
 * Guarded by its own mutex. */
#pragma once
#include "aws/ec2.h"
#include "aws/machine.h"

struct fleet_list;
/* unit_ms: the least time between lists, 0: 1 s. */
struct fleet_list *fleet_list_new(struct ec2 *ec2, const struct aws_settings *s, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel);
void fleet_list_free(struct fleet_list *f); /* joins the thread */
/* The claim's instances as listed not before `not_before_ms` (clock_now_ms). 0: *out a new array, maybe empty, terminated ones included; 2: no
 * such list yet (one was asked for; hooks->changed(claim) comes), -1: asked for and failed, err says why. */
WARN_UNUSED int fleet_list_look(struct fleet_list *f, const char *uid, const char *claim, int64_t not_before_ms, json_t **out, struct err *err);
/* As cloud_ops.list; waits for a list when the last is older, at most 30 s. Terminated instances are left out. */
WARN_UNUSED int fleet_list_each(struct fleet_list *f, int64_t max_age_ms, void (*fn)(void *context, const json_t *instance), void *context, struct err *err);
/* 0: the last list was answered; 1: it was not, or there was none yet (then it is asked for): err says which. */
int fleet_list_ready(struct fleet_list *f, struct err *err);
int64_t fleet_list_age_ms(struct fleet_list *f); /* -1: none yet */
