/* webhook.h: the HTTPS admission server (validate.h behind it), its certificate and its place in the cluster.
 *
 * The certificate is self-signed for <service>.<namespace>.svc, kept in the Secret that upstream uses (keys server-key.pem, server-cert.pem,
 * ca-cert.pem), made when missing and rotated before it expires; replicas share it. The CA, path and rules are written into the
 * ValidatingWebhookConfigurations that exist. Runs on every replica, leader or not. */
#pragma once
#include "admission/validate.h"
#include "http/metrics.h"
#include "kube/client.h"

struct webhook_options {
	int port;                      /* WEBHOOK_PORT, 9443; 0: any, see webhook_port */
	const char *service, *namespace_, *secret; /* WEBHOOK_SERVICE, SYSTEM_NAMESPACE, "workspace-webhook-cert" */
	const struct control_options *control;
	struct kube_client *kube;
	struct catalog_resolver *models;
	int64_t validity_s, renew_before_s; /* 0: 1 year, 30 days */
};
struct webhook;
/* Makes or reads the certificate (waits and retries while another replica does) and listens; a thread writes the configurations and renews. */
WARN_UNUSED int webhook_start(struct webhook **out, const struct webhook_options *options, struct err *err);
int webhook_port(const struct webhook *w);
void webhook_stop(struct webhook *w);
