/* clouds.c: see clouds.h. */
#include "cmd/clouds.h"

#include "aws/aws.h"
#include "azure/azure.h"
#include "cloud/kwok.h"
#include "cmd/daemon.h"
#include <stdlib.h>
#include <string.h>

#define USER_AGENT "kaito-provisioner/" KAITO_VERSION

struct clouds_options clouds_options_default(void)
{
	const char *named = getenv("CLOUD_PROVIDER");
	return (struct clouds_options){.cloud = named && named[0] ? named : "azure", .quota_preflight = true, .arm_api_version = "2024-01-01", .kwok_ready = true};
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

static int open_azure(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	(void)kube;
	if (environment_read(&o->azure, o->offline ? placeholder : from_environment, err) < 0)
		return -1;
	const struct azure_options options = {
		.environment = &o->azure,
		.api_version = o->arm_api_version,
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
