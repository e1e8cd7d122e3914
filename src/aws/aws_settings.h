/* aws_settings.h: what the environment says about AWS: which cluster, which region, where the services are, and whose credentials. */
#pragma once
#include "base/err.h"
#include <stdbool.h>

struct aws_settings { /* owned text, "" when not set; immutable after aws_settings_read */
	char *region, *cluster;                        /* AWS_REGION (or AWS_DEFAULT_REGION), CLUSTER_NAME */
	char *cluster_endpoint, *cluster_ca, *service_cidr, *cluster_version; /* CLUSTER_ENDPOINT, CLUSTER_CA (base64), CLUSTER_SERVICE_CIDR, CLUSTER_VERSION */
	char *instance_profile;                        /* AWS_NODE_INSTANCE_PROFILE: of claims without an EC2NodeClass */
	char *ec2, *sts, *ssm, *imds;                  /* URLs without a slash at the end */
	char *access_key_id, *secret_access_key, *session_token;
	char *web_identity_file, *role_arn, *role_session;
	char *container_uri, *container_token_file, *container_token;
	bool imds_disabled;                            /* AWS_EC2_METADATA_DISABLED */
};
/* get: as getenv. ERR_CONFIG names every variable that is missing or wrong. On failure nothing is to be freed. */
WARN_UNUSED int aws_settings_read(struct aws_settings *s, const char *(*get)(const char *name), struct err *err);
void aws_settings_done(struct aws_settings *s);
/* Whether the URL's host is this machine (no proxy is asked then). */
bool aws_settings_is_local(const char *url);
