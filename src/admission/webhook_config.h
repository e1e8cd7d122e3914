/* webhook_config.h: the webhook's place in the cluster: the ValidatingWebhookConfigurations that the chart made get CA, path and rules. */
#pragma once
#include "kube/client.h"

/* One path of the server. To add a kind: a row in webhook_config.c. */
struct webhook_path { const char *kind, *plural, *configuration, *path; const char *versions[3]; };
enum { WEBHOOK_PATHS = 5 };
extern const struct webhook_path WEBHOOK_PATH[WEBHOOK_PATHS];

struct webhook_place { const char *service, *namespace_, *ca_bundle; /* PEM, one or more */ };
/* What the configuration should be: a changed copy, or NULL when it is not one of ours, names another service, or is right already. */
json_t *webhook_config_wanted(const struct webhook_place *p, const json_t *configuration);
/* Updates those that exist. ERR_CONFLICT is tried again here. */
WARN_UNUSED int webhook_config_apply(struct kube_client *kube, const struct webhook_place *p, struct err *err);
