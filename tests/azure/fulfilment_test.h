/* fulfilment_test.h: one claim, a controller that calls the cloud's steps for it as nodes/ does, and the fake ARM; for the tests of azure.c. */
#pragma once
#include "azure/azure.h"
#include "cloud/cloud.h"
#include "fake_arm.h"
#include <stdatomic.h>

#define SKU_A "Standard_NC6s_v3"
#define SKU_B "Standard_NC24ads_A100_v4"
#define POOL "ws1"

struct scene {
	struct azure_environment environment;
	struct cloud *cloud;
	struct informer *nodes;
	json_t *claim;
	json_t *node_class;
	char *older_memo;          /* before the last one; NULL: none */
	struct launch_result launched; /* of the last step; ended by the next */
	struct terminate_result terminated;
	struct err err;
	atomic_int changes;        /* calls of the hook */
	bool quota, machines;      /* set before scene_open */
};
void scene_open(struct scene *s);          /* cloud, fake ARM, no claim */
void scene_close(struct scene *s);
/* A NodeClaim ws1 of these instance types ("a b"), created now; more requirements may be added with scene_require. */
void scene_claim(struct scene *s, const char *instance_types);
void scene_require(struct scene *s, const char *key, const char *operator, const char *values);
/* The process dies and another takes over; `forgets`: the last memo was not stored. */
void scene_restart(struct scene *s, bool forgets);
/* One step, its memo stored. -1: err. Result in s->launched, s->terminated. */
int scene_launch_step(struct scene *s);
int scene_terminate_step(struct scene *s);
/* Steps until one neither persists nor waits, or waits with everything settled (no change comes for a moment), or fails. */
void scene_launch(struct scene *s);
void scene_terminate(struct scene *s);
void scene_node(struct scene *s, const char *name, const char *pool); /* joins; with the claim's creation label */
const char *scene_memo(const struct scene *s); /* "" none */
const char *scene_phase(const struct scene *s);
