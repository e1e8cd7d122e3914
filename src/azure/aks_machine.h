/* aks_machine.h: machines of an agent pool in mode Machines as values: one pool holds many machines, each made and deleted by itself, so that
 * a cluster is not bound to the hundred agent pools that AKS allows. A machine's request and answer say the same as an agent pool's in other
 * places (the table of aks_machine.c); inside, a machine is handled in the shape of a pool, so that creating, deleting and collecting are the
 * same code for both. What fulfils one claim is a unit: the pool "ws1", or the machine "kaitomach/ws1". */
#pragma once
#include "azure/agent_pool.h"

#define AKS_MACHINE_POOL "kaitomach"
#define AKS_MACHINE_API_VERSION "2025-10-02-preview" /* the first that is asked for machines */
#define AKS_MACHINE_NAME_MAX 34                      /* with the pool's it becomes the VM's name, which has at most 63 */
/* The api-version for machines where requests else use that one (NULL: ARM_API_VERSION). */
const char *aks_machine_version(const char *api_version);
/* Whether a valid unit is a machine. */
bool aks_machine_is(const char *unit);
bool aks_machine_unit_valid(const char *unit);
/* Its pool, which a pool is itself, and the machine's name within. */
const char *aks_machine_pool_of(const char *unit, char pool[POOL_NAME_MAX + 1]);
const char *aks_machine_name_of(const char *unit);
/* The unit of a claim in that pool: the claim's own name when it fits, else a hash of it. */
void aks_machine_unit(const struct claim_view *claim, const char *pool, char unit[UNIT_NAME_MAX + 1]);
/* Body of the machine's PUT, from that of an agent pool (agent_pool_body); new reference. ERR_INVALID names what a machine cannot have. */
WARN_UNUSED int aks_machine_body(const json_t *pool_body, json_t **out, struct err *err);
/* A machine's answer in the shape of an agent pool's, named "pool/machine" and marked "machine": new reference; NULL for what is none. */
json_t *aks_machine_as_pool(const json_t *machine, const char *pool);
