/* exec_plugin.h: runs a credential plug-in of a kubeconfig and reads its ExecCredential. */
#pragma once
#include "kube/kubeconfig.h"
#include <stdatomic.h>

struct exec_credential {
	char *token;                   /* NULL: none */
	char *cert, *key;              /* PEM; NULL: none */
	int64_t expires_s;             /* Unix time; 0: never */
};
void exec_credential_done(struct exec_credential *c);

/* The program gets the request in KUBERNETES_EXEC_INFO, no input, our stderr, and 60 seconds. */
WARN_UNUSED int exec_plugin_run(const struct kube_config *config, const atomic_bool *cancel, struct exec_credential *out, struct err *err);
/* What it printed, for `api_version`. */
WARN_UNUSED int exec_plugin_parse(str text, const char *api_version, struct exec_credential *out, struct err *err);
