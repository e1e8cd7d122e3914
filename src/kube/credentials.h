/* credentials.h: what a request shows to the API server, kept fresh. Guarded by its own mutex.
 *
 * A token file is read again when it was replaced (projected tokens rotate); a plug-in is run again shortly before its answer
 * expires, or when the server refused it. */
#pragma once
#include "kube/kubeconfig.h"
#include <stdatomic.h>

/* Immutable and shared: a request holds it while it runs. */
struct kube_credential {
	atomic_int references;
	char *authorization;          /* value of the header; NULL: none */
	char *cert, *key;             /* what tls points at when a plug-in gave them */
	struct http_tls tls;
	uint64_t number;              /* grows with each new one */
};
void kube_credential_unref(struct kube_credential *c);
static inline void kube_credential_unrefp(struct kube_credential **c) { kube_credential_unref(*c); }

struct kube_credentials;
/* config is borrowed. */
struct kube_credentials *kube_credentials_new(const struct kube_config *config, const atomic_bool *cancel);
void kube_credentials_free(struct kube_credentials *c);
/* A reference to what is valid now. `refused`: the number of one that was answered with 401; 0: none. */
WARN_UNUSED int kube_credentials_get(struct kube_credentials *c, uint64_t refused, struct kube_credential **out, struct err *err);
