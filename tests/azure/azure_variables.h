/* azure_variables.h: a made-up set of environment variables for tests, instead of the process's own. */
#pragma once
#include <stdio.h>
#include <string.h>

static struct { char name[48], value[512]; } variables[40];

static inline void variable_set(const char *name, const char *value) /* NULL removes */
{
	size_t i = 0;
	while (i < 39 && variables[i].name[0] && strcmp(variables[i].name, name) != 0)
		i++;
	snprintf(variables[i].name, sizeof variables[i].name, "%s", name);
	snprintf(variables[i].value, sizeof variables[i].value, "%s", value ? value : "");
}

static inline const char *variable_get(const char *name)
{
	for (size_t i = 0; i < 40; i++)
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value[0] ? variables[i].value : NULL;
	return NULL;
}

/* What a self-hosted gpu-provisioner is given. */
static inline void variables_reset(void)
{
	memset(variables, 0, sizeof variables);
	variable_set("ARM_SUBSCRIPTION_ID", "11111111-2222-3333-4444-555555555555");
	variable_set("ARM_RESOURCE_GROUP", "group");
	variable_set("AZURE_CLUSTER_NAME", "cluster");
	variable_set("AZURE_TENANT_ID", "tenant");
	variable_set("AZURE_CLIENT_ID", "client");
	variable_set("LOCATION", "eastus");
}
