/* fake_ec2.h: EC2, Systems Manager, STS and the metadata services on this machine, in the test's own process, with the ways in which they
 * fail. Knows instances, launch templates and client tokens. Started inside a test; one at a time. Thread-safe. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

int fake_ec2_start(void); /* the port */
void fake_ec2_stop(void);
enum fake_ec2_fault {
	FAKE_EC2_REPLY,
	FAKE_EC2_REPLY_AFTER, /* carried out, then this error all the same */
	FAKE_EC2_DROP,        /* not carried out, no answer */
	FAKE_EC2_DROP_AFTER,  /* carried out, the answer is lost */
	FAKE_EC2_FLEET_ERROR, /* 200 with this error in the fleet's errorSet and no instance */
};
/* The next `times` requests of this action. */
void fake_ec2_fail(const char *action, int times, enum fake_ec2_fault fault, int status, const char *code, const char *message);
/* "p4d.24xlarge/us-east-1a/spot" cannot be had; zone "" any. */
void fake_ec2_sold_out(const char *offering);
void fake_ec2_hide(int lists);               /* the next so many DescribeInstances do not show instances made from now on */
void fake_ec2_slow_end(bool on);             /* terminated instances stay shutting-down */
void fake_ec2_set_state(const char *id, const char *state, const char *reason);
void fake_ec2_end(void);                     /* all that shut down are terminated */
void fake_ec2_forget(const char *id);        /* as hours after its end */
const char *fake_ec2_put(const char *cluster, const char *claim, const char *uid); /* an instance made by others; its id (static) */
size_t fake_ec2_alive(void);                 /* not terminated and not shutting down */
size_t fake_ec2_made(void);                  /* instances ever made by requests */
const char *fake_ec2_state(const char *id);  /* "" unknown; static */
const char *fake_ec2_first(void);            /* id of the first instance; static */
size_t fake_ec2_templates(void);
void fake_ec2_drop_templates(void);
void fake_ec2_page(size_t n);                /* instances on a page; 0: all */
size_t fake_ec2_count(const char *action);   /* requests of this action ("" all); "GET /path", "PUT /path" for metadata */
const char *fake_ec2_last(const char *action); /* body of the last such request; "" none; static */
const char *fake_ec2_header(const char *name); /* of the last request at all: authorization, x-amz-security-token, …; static */
void fake_ec2_keys(int lifetime_s, const char *id); /* what STS and the metadata services give */
void fake_ec2_refuse_keys(int times, int status, const char *body);
