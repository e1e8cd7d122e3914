/* ec2.h: requests to EC2's query interface (and one to Systems Manager), signed, and their answers. Each is sent once: who asks knows what
 * may be repeated. A gate shared by all requests closes when EC2 says RequestLimitExceeded, for 1 s doubled up to 30 s, and nothing
 * sleeps here: a closed gate says how long. Guarded by its own mutex. */
#pragma once
#include "aws/aws_credentials.h"
#include "base/buf.h"
#include <jansson.h>

#define EC2_CODE_MAX 100
#define EC2_TEXT_MAX 600
struct ec2_answer {
	int status;
	json_t *body;                      /* the root's content, as xml_answer.h; NULL unless status is 200 */
	char code[EC2_CODE_MAX + 1];       /* of a refusal: "InsufficientInstanceCapacity"; "" none */
	char text[EC2_TEXT_MAX + 1];
};
void ec2_answer_done(struct ec2_answer *a);

struct ec2_options {
	const struct aws_settings *settings;   /* borrowed, as all here */
	struct aws_credentials *credentials;
	const char *user_agent;
	const atomic_bool *cancel;
	const atomic_int_fast64_t *until_ms;   /* as cloud_hooks.until_ms */
	/* After each request: its action, HTTP status (0: no answer), error code. Any thread; may be NULL. */
	void (*on_call)(void *context, const char *action, int status, const char *code);
	void *context;
};
struct ec2;
struct ec2 *ec2_new(const struct ec2_options *o);
void ec2_free(struct ec2 *e);

/* A form: begun with the action, then fields in any order. Names are formats: ec2_put(&f, "m5.large", "Overrides.%d.InstanceType", 1). */
void ec2_begin(struct buf *form, const char *action);
void ec2_put(struct buf *form, const char *value, const char *name, ...) __attribute__((format(printf, 3, 4)));
/* The action's name, for messages; static text of up to 63 bytes copied to out. */
void ec2_action(const char *form, char out[64]);

/* 0: *out, whatever the status; 1: the gate is closed for *wait_ms, nothing was sent; -1: no answer, and it may have been carried out. */
WARN_UNUSED int ec2_send(struct ec2 *e, const char *form, struct ec2_answer *out, int64_t *wait_ms, struct err *err);
/* A public parameter of Systems Manager, as ec2_send; out->body is {"Parameter": {"Value": …}}. */
WARN_UNUSED int ec2_parameter(struct ec2 *e, const char *name, struct ec2_answer *out, int64_t *wait_ms, struct err *err);
/* ERR_* of a refusal, for those who can do nothing about it: "DescribeSubnets: CODE: text". -1. */
int ec2_refusal(const char *form, const struct ec2_answer *a, struct err *err);
