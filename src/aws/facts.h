/* facts.h: what was asked about the surroundings of instances and changes seldom (subnets, security groups, images, launch templates, node
 * classes), kept for a while and asked by one thread at a time, so that a hundred claims cost one question. A step of a claim spends at
 * most one request on them and is called again for the next. Guarded by its own mutex. */
#pragma once
#include "aws/ec2.h"
#include "kube/client.h"

#define FACTS_AGE_MS 60000
struct facts;
/* kube may be NULL: then there are no classes. age_ms 0: FACTS_AGE_MS. */
struct facts *facts_new(struct ec2 *ec2, struct kube_client *kube, int64_t age_ms);
void facts_free(struct facts *f);

struct fact { json_t *body; /* NULL: refused, with `code` and `text` */ char code[EC2_CODE_MAX + 1], text[EC2_TEXT_MAX + 1]; };
void facts_release(struct fact *f);
/* Besides the forms of ec2.h. */
#define FACTS_PARAMETER "parameter:" /* and the name in Systems Manager */
#define FACTS_CLASS "class:"         /* and the name of an EC2NodeClass: the object; refused as "NotFound" */
#define FACTS_VERSION "version:"     /* the API server's: {"major", "minor"} */
/* 0: *out is known, whether the answer or the refusal; 2: not yet, call again in *wait_ms (1 when *spent was set by this step); -1: no answer. */
WARN_UNUSED int facts_ask(struct facts *f, const char *question, bool *spent, struct fact *out, int64_t *wait_ms, struct err *err);
void facts_forget(struct facts *f, const char *question);
