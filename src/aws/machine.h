/* machine.h: an EC2 instance as DescribeInstances shows it, and the tags that say whose it is. */
#pragma once
#include "cloud/cloud.h"

#define MACHINE_TAG_CLUSTER "kaito.sh/cluster"
#define MACHINE_TAG_CLAIM "kaito.sh/nodeclaim"
#define MACHINE_TAG_UID "kaito.sh/nodeclaim-uid"

struct machine { /* borrowed from the JSON, "" where unknown */
	const char *id, *claim, *claim_uid, *cluster, *type, *zone, *image;
	const char *reason, *reason_text;     /* of its last change of state: "Server.InsufficientInstanceCapacity" */
	bool spot, terminated;                /* terminated: it is only remembered */
	enum instance_state state;
	int64_t created_s;
};
bool machine_read(struct machine *m, const json_t *instance); /* false: no instance */
/* "aws:///ZONE/ID"; the caller frees. */
char *machine_provider_id(const struct machine *m);
/* The id in a providerID, or false for what is none. */
bool machine_of_provider_id(const char *provider_id, char out[41]);
const char *machine_tag(const json_t *instance, const char *key); /* "" absent */
/* DescribeInstances' answer: calls fn for each instance of the page. */
void machine_each(const json_t *body, void (*fn)(void *context, json_t *instance), void *context);
