/* webhook_secret.h: the certificate in its Secret, which all replicas share: whoever finds it missing or old makes a new one, and the
 * resourceVersion decides whose is kept. */
#pragma once
#include "admission/certificate.h"
#include "kube/client.h"

struct webhook_secret_options { const char *namespace_, *name; const char *const *hosts; size_t n_hosts; int64_t validity_s, renew_before_s; };
struct webhook_secret {
	struct certificate certificate;
	char *bundle;      /* PEM: the CA, and the one before it as long as some replica may still show a certificate of it */
};
/* Reads the Secret; makes and stores a certificate when there is none that is good for longer than renew_before_s. */
WARN_UNUSED int webhook_secret_ensure(struct kube_client *kube, const struct webhook_secret_options *o, struct webhook_secret *out, struct err *err);
void webhook_secret_done(struct webhook_secret *s);
