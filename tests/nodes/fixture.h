/* fixture.h: a provisioner's world over the API server of tests/provision/fake_kube.c and the cloud of fake_cloud.c. */
#pragma once
#include "fake_cloud.h"
#include "../provision/fake_kube.h"
#include "nodes/nodes.h"

struct nodes *fixture_new(void);                 /* empty cluster, empty cloud, both dialects served */
void fixture_free(struct nodes *n);
/* A restart: caches and everything that is held in memory are made anew, the cluster and the cloud stay. */
void fixture_restart(struct nodes *n);
/* One pass of a controller over a key ("nodeclaim/a", "a"); -1 with err. requeue_ms may be NULL. */
int fixture_pass(struct nodes *n, const struct operator_controller *c, const char *key, int64_t *requeue_ms, struct err *err);
/* A claim of the dialect for one Standard_NC24ads_A100_v4 with the Workspace's label; spec as JSON text adds to its spec, NULL: nothing. */
void fixture_claim(const struct dialect *d, const char *name, const char *spec);
json_t *fixture_get_claim(const struct dialect *d, const char *name);    /* borrowed; NULL: gone */
/* A Node as AKS registers it for the pool of that name, providerID "fake:///POOL"; ready or not. */
json_t *fixture_node(const char *name, const char *pool, bool ready);    /* borrowed, live */
const char *fixture_condition(const json_t *object, const char *type, const char *key); /* "" when there is none */
size_t fixture_writes(const char *line_start);   /* lines of fake_log that start so */
