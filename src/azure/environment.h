/* environment.h: the Azure clouds (public, US Government, China) and this process's place in one: from the environment variables of
 * gpu-provisioner, with overrides for endpoints (simulators, stack clouds). */
#pragma once
#include "base/err.h"
#include <stdbool.h>

struct azure_environment { /* owned strings, "" when unset; environment_done frees */
	char *cloud;            /* "AzurePublicCloud" */
	char *authority;        /* "https://login.microsoftonline.com/" with the last slash */
	char *arm;              /* "https://management.azure.com", without */
	char *audience;         /* "https://management.core.windows.net/": scope = audience + "/.default", IMDS resource = audience */
	char *imds;             /* "http://169.254.169.254" */
	char *subscription, *resource_group, *cluster, *location, *tenant, *client_id;
	char *node_resource_group; /* AZURE_NODE_RESOURCE_GROUP or "" */
	char *identity_endpoint, *identity_header, *arc_endpoint; /* IDENTITY_ENDPOINT, IDENTITY_HEADER (App Service), IMDS_ENDPOINT (Arc) */
	char *federated_token_file, *client_secret, *certificate_path, *certificate_password;
	bool managed;           /* DEPLOYMENT_MODE=managed: the default chain (environment, workload identity, managed identity) */
	bool plain_http;        /* arm is http://: allowed for loopback addresses and AZURE_ALLOW_HTTP=true only */
};
/* Reads variables with `get` (getenv in production), trimmed. ERR_CONFIG lists every missing or bad variable in one message. */
WARN_UNUSED int environment_read(struct azure_environment *e, const char *(*get)(const char *name), struct err *err);
void environment_done(struct azure_environment *e);
/* Whether the URL's host is this machine: no proxy is meant for it. */
bool environment_is_loopback(const char *url);
