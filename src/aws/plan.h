/* plan.h: what a node class means today: which image, subnets, security groups and disks, and the launch template that says so. A template's
 * name is a hash of what it says, so it is made once, never changed, and shared by all claims that need the same. */
#pragma once
#include "aws/facts.h"
#include "aws/user_data.h"

struct plan {
	json_t *subnets;       /* [{"id", "zone"}]: of each zone the one with the most free addresses */
	json_t *tags;          /* of the class; may be NULL */
	char *template_name;   /* "kaito-" and 40 hexadecimal digits */
	char *template_form;   /* the CreateLaunchTemplate that makes it */
	char *template_fact;   /* the question whether it exists (facts.h) */
	bool template_exists;
	char image[64];
};
void plan_done(struct plan *p);
struct plan_context { struct facts *facts; const struct aws_settings *settings; bool offline; /* nothing is asked: what is selected by tags is named in words */ };
/* 0: *out; 1: the class cannot be used, err says why; 2: not yet, call again in *wait_ms; -1: no answer. */
WARN_UNUSED int plan_make(const struct plan_context *c, const struct claim_view *claim, bool *spent, struct plan *out, int64_t *wait_ms, struct err *err);
/* Whether the class (an EC2NodeClass's spec) has all that is needed: 0, or 1 with the reason in err. Nothing is asked. */
int plan_check_class(const json_t *spec, struct err *err);
/* Appends the question (facts.h) whether a template of that name exists. */
void plan_template_question(const char *name, struct buf *out);
