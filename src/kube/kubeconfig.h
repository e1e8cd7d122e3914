/* kubeconfig.h: where the API server is, whom to trust and who we are, read from kubeconfig files (client-go's
 * clientcmd format) or from a pod's service account. Immutable after loading. Where to look, in order: see kube_config_load. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "http/client.h"
#include <jansson.h>

/* A credential plug-in (client.authentication.k8s.io). */
struct kube_exec {
	const char *api_version, *command;
	const char *const *args;       /* NULL-terminated */
	const char *const *env;        /* "NAME=value", NULL-terminated */
	const char *install_hint;
	bool provide_cluster;          /* the cluster's address and authorities go into KUBERNETES_EXEC_INFO */
};

struct kube_config {
	const char *server;            /* "https://host:6443", without a slash at the end */
	const char *namespace_;        /* "default" */
	const char *proxy;             /* NULL: the environment's */
	struct http_tls tls;           /* authorities; our certificate where it does not come from a plug-in */
	const char *token, *token_file, *username, *password; /* NULL when not given; token_file wins over token */
	struct kube_exec exec;         /* command NULL: none */
	struct arena arena;            /* all of it lives here */
};

/* `path`: that file alone; NULL: $KUBECONFIG (a list, merged: the first that says something wins; missing files are skipped), then
 * the pod's service account when it is there, then ~/.kube/config. context NULL: current-context. Messages name the file. */
WARN_UNUSED int kube_config_load(struct kube_config *out, const char *path, const char *context, struct err *err);
/* The service account mounted at `folder`, with the address in $KUBERNETES_SERVICE_HOST and _PORT. */
WARN_UNUSED int kube_config_in_cluster(struct kube_config *out, const char *folder, struct err *err);
/* Files separated by ':', merged as above. */
WARN_UNUSED int kube_config_files(struct kube_config *out, const char *paths, const char *context, struct err *err);
/* One document in memory; relative paths in it are relative to `folder`. */
WARN_UNUSED int kube_config_text(struct kube_config *out, str text, const char *folder, const char *context, struct err *err);
void kube_config_done(struct kube_config *c);
#define KUBE_SERVICE_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"
