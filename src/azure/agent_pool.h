/* agent_pool.h: agent pools as values: the name and request body for a claim, and what a pool's JSON says. Layout of labels, taints and
 * names is gpu-provisioner's, so that either program can take over the other's pools. */
#pragma once
#include "azure/environment.h"
#include "cloud/claim_view.h"
#include "cloud/cloud.h"

#define POOL_NAME_MAX 12
#define UNIT_NAME_MAX 47                      /* of what fulfils one claim: an agent pool "ws1", or a machine "kaitomach/ws1" (aks_machine.h) */
#define TAG_CLAIM "kaito-nodeclaim"           /* ARM tags by which a pool is known as ours */
#define TAG_CLAIM_UID "kaito-nodeclaim-uid"
#define TAG_MACHINES "kaito-machines"         /* of a pool whose machines are ours to make and delete */
/* The claim's own name when it is a valid pool name (^[a-z][a-z0-9]{0,11}$), else "k" and eleven hex digits of a hash of its name. */
void agent_pool_name(const struct claim_view *claim, char out[POOL_NAME_MAX + 1]);
bool agent_pool_name_valid(const char *name);

/* Fields of a node class (KaitoNodeClass, AKSNodeClass), with their ranges and the property they set: catalog/class_field.h. 0, or ERR_INVALID
 * naming the field; also for one that api_version (NULL: ARM_API_VERSION) does not have yet. spec NULL: the defaults, fine. */
WARN_UNUSED int agent_pool_check_class(const json_t *spec, const char *class_kind, const char *api_version, struct err *err);

struct offering { const char *instance_type, *zone /* "" none; "1" or "eastus-1" */; bool spot; }; /* borrowed */
/* Body of the PUT; new reference. ERR_INVALID: no instance type, no storage, a node class field out of range, … names the field.
 * api_version NULL: ARM_API_VERSION. claim->node_class may be NULL. Startup taints are left to the Node's registration where the version has no
 * nodeInitializationTaints. */
WARN_UNUSED int agent_pool_body(const struct claim_view *claim, const struct offering *offering, const char *pool, const char *api_version, json_t **out, struct err *err);

struct agent_pool { /* borrowed from the pool's JSON */
	const char *name, *state /* provisioningState */, *vm_size, *image_version, *etag;
	const char *resource_id;          /* of a machine's VM; "" unknown, and for pools */
	bool holds_machines;              /* ours (TAG_MACHINES): each of its machines is a unit */
	bool machine;
	const char *claim, *claim_uid;    /* from tags, else (pools of the original) from labels and name; "" */
	bool ours;                        /* tags, or the original's labels */
	bool spot;
	enum instance_state instance;
	int64_t created_s;                /* creation label; 0 none */
	const json_t *labels;             /* nodeLabels */
	const json_t *zones;
};
/* false for what is no pool. Unknown provisioningState: creating (in progress). */
bool agent_pool_read(struct agent_pool *p, const json_t *pool);
/* Whether it is there to hold machines, whosever: mode Machines. */
bool agent_pool_mode_machines(const json_t *pool);
/* Whether the pool belongs to exactly this claim: uid tag, else the original's labels with name and creation time. */
bool agent_pool_is_of(const struct agent_pool *p, const struct claim_view *claim);
/* The providerID of the VM with that resource id; caller frees. */
char *agent_pool_provider_id(const char *resource_id);
/* Pool and node resource group of "azure:///subscriptions/…/virtualMachineScaleSets/aks-<pool>-<digits>-vmss/virtualMachines/<n>" and of
 * plain "…/virtualMachines/aks-<pool>-<digits>-<n>"; case-insensitive. false: another form. */
bool agent_pool_of_provider_id(const char *provider_id, char pool[POOL_NAME_MAX + 1]);
/* The same, and machines: "…/virtualMachines/aks-<pool>-<machine>-<digits>-vm" is the unit "pool/machine". */
bool agent_pool_unit_of_provider_id(const char *provider_id, char unit[UNIT_NAME_MAX + 1]);
