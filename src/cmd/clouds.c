/* clouds.c: see clouds.h. */
#include "cmd/clouds.h"

#include "aws/aws.h"
#include "azure/aks_machine.h"
#include "azure/azure.h"
#include "cloud/kwok.h"
#include "cmd/daemon.h"
#include <stdlib.h>
#include <string.h>

#define USER_AGENT "kaito-provisioner/" KAITO_VERSION

static const char *or_else(const char *value, const char *otherwise) { return value && value[0] ? value : otherwise; }

/* Karpenter's name of the mode, with or without its batches. */
static const char *instances_of(const char *provision_mode)
{
	return strncmp(or_else(provision_mode, ""), "aksmachineapi", sizeof "aksmachineapi" - 1) == 0 ? "machines" : "pools";
}

struct clouds_options clouds_options_default(void)
{
	return (struct clouds_options){
		.cloud = or_else(getenv("CLOUD_PROVIDER"), "azure"), .quota_preflight = true, .arm_api_version = "2024-01-01", .kwok_ready = true,
		.azure_instances = instances_of(getenv("PROVISION_MODE")), .aks_machines_pool = or_else(getenv("AKS_MACHINES_POOL_NAME"), AKS_MACHINE_POOL),
	};
}

static const char *from_environment(const char *name)
{
	return getenv(name);
}

/* What explain shows where the cluster's place in its cloud is not set. */
static const char *placeholder(const char *name)
{
	static const struct { const char *name, *value; } ROWS[] = {
		{"ARM_SUBSCRIPTION_ID", "SUBSCRIPTION"}, {"AZURE_TENANT_ID", "TENANT"}, {"ARM_RESOURCE_GROUP", "RESOURCE_GROUP"},
		{"AZURE_CLUSTER_NAME", "CLUSTER"}, {"LOCATION", "LOCATION"}, {"AZURE_CLIENT_ID", "CLIENT"}, {"DEPLOYMENT_MODE", "managed"},
		{"AWS_DEFAULT_REGION", "REGION"}, {"CLUSTER_NAME", "CLUSTER"},
	};
	const char *set = getenv(name);
	for (size_t i = 0; (!set || !set[0]) && i < sizeof ROWS / sizeof ROWS[0]; i++)
		if (strcmp(ROWS[i].name, name) == 0)
			return ROWS[i].value;
	return set;
}

static int check_instances(const struct clouds_options *o, struct err *err)
{
	if (strcmp(o->azure_instances, "pools") != 0 && strcmp(o->azure_instances, "machines") != 0)
		return err_set(err, ERR_USAGE, "unknown --azure-instances '%.60s'; use pools or machines", o->azure_instances);
	if (!agent_pool_name_valid(o->aks_machines_pool))
		return err_set(err, ERR_USAGE, "--aks-machines-pool '%.60s' is no name for an agent pool: 1 to 12 lower-case letters and digits, a letter first", o->aks_machines_pool);
	return 0;
}

static int open_azure(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	(void)kube;
	if (check_instances(o, err) < 0 || environment_read(&o->azure, o->offline ? placeholder : from_environment, err) < 0)
		return -1;
	const struct azure_options options = {
		.environment = &o->azure,
		.api_version = o->arm_api_version,
		.machines = strcmp(o->azure_instances, "machines") == 0,
		.machines_pool = o->aks_machines_pool,
		.user_agent = USER_AGENT,
		.hooks = *hooks,
		.quota_preflight = o->quota_preflight,
		.offline = o->offline,
		.cancel = &daemon_stop,
	};
	*out = azure_new(&options);
	return 0;
}

static int open_aws(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	if (aws_settings_read(&o->aws, o->offline ? placeholder : from_environment, err) < 0)
		return -1;
	const struct aws_options options = {
		.settings = &o->aws,
		.kube = kube,
		.user_agent = USER_AGENT,
		.hooks = *hooks,
		.offline = o->offline,
		.cancel = &daemon_stop,
	};
	*out = aws_new(&options);
	return 0;
}

static int open_kwok(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	(void)err;
	const struct kwok_options options = {.kube = kube, .hooks = *hooks, .ready = o->kwok_ready, .join_ms = o->kwok_join_ms};
	*out = kwok_new(&options);
	return 0;
}

static const struct {
	const char *name;
	int (*open)(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err);
} CLOUDS[] = {
	{"aws", open_aws},
	{"azure", open_azure},
	{"kwok", open_kwok},
};

int clouds_open(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	for (size_t i = 0; i < sizeof CLOUDS / sizeof CLOUDS[0]; i++)
		if (strcmp(CLOUDS[i].name, o->cloud) == 0)
			return CLOUDS[i].open(o, kube, hooks, out, err);
	return err_set(err, ERR_USAGE, "unknown --cloud '%s'; use " CLOUDS_NAMES, o->cloud);
}

void clouds_done(struct clouds_options *o)
{
	environment_done(&o->azure);
	aws_settings_done(&o->aws);
}
