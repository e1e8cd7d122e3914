/* sim_client.h: a client of the simulator for its tests: one request and its answer, a token, and waiting for a state. */
#pragma once
#include "http/raw_client.h"
#include "simulate/simulator.h"
#include <jansson.h>

#define SIM_CLUSTER "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/kaito-rg/providers/Microsoft.ContainerService/managedClusters/kaito"
#define SIM_POOLS SIM_CLUSTER "/agentPools"
#define SIM_LOCATION "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.ContainerService/locations/eastus"
#define SIM_VERSION "api-version=2024-01-01"
#define SIM_TENANT "00000000-0000-4000-8000-000000000002"
#define SIM_CLIENT "00000000-0000-4000-8000-000000000003"
#define SIM_GPU_POOL "{\"properties\":{\"vmSize\":\"Standard_NC24ads_A100_v4\",\"count\":1,\"osDiskSizeGB\":128}}"

extern struct simulator *sim; /* of the running test */
void sim_begin(const struct simulator_options *o); /* NULL: defaults; tokens are not checked */
void sim_end(void);

struct sim_answer { int status; char *head; json_t *body; char *text; }; /* body NULL: no JSON */
struct sim_answer sim_ask_with(const char *method, const char *path, const char *headers /* lines with \r\n; NULL: none */, const char *body);
static inline struct sim_answer sim_ask(const char *method, const char *path, const char *body) { return sim_ask_with(method, path, NULL, body); }
void sim_answer_done(struct sim_answer *a);
/* Asks, checks the status and gives the body (new reference). */
json_t *sim_expect(int status, const char *method, const char *path, const char *body);
void sim_do(int status, const char *method, const char *path, const char *body);
/* A refusal's code; the answer must have this status. Static buffer. */
const char *sim_refusal(int status, const char *method, const char *path, const char *headers, const char *body);
/* The value of a header, "" when absent. Static buffer. */
const char *sim_header(const struct sim_answer *a, const char *name);
/* The path and query of an absolute URL. */
const char *sim_path_of(const char *url);
void sim_pool_path(const char *name, char out[400]);
void sim_settings(const char *json);
void sim_advance(int64_t ms);
const char *sim_pool_state(const char *name); /* provisioningState, "" when the pool does not exist; static buffer */
void sim_wait(bool (*holds)(void *context), void *context); /* at most 10 s */
