/* The webhook alone, for real_webhook.py: webhook_host KUBECONFIG VALIDITY_S RENEW_BEFORE_S prints its port and serves until its standard
 * input ends; `webhook_host crds` prints the definitions as a list. */
#include "admission/webhook.h"
#include "crd/crd.h"

#include "codec/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print_crds(void)
{
	json_t *list = json_array();
	struct buf text = {0};
	for (size_t i = 0; i < CRD_COUNT; i++)
		json_array_append_new(list, crd_manifest(i));
	json_print(list, JSON_PRINT_COMPACT, &text);
	json_decref(list);
	puts(buf_str(&text).data);
	buf_done(&text);
	return 0;
}

static int serve(const char *kubeconfig, int64_t validity_s, int64_t renew_before_s, struct err *err)
{
	const struct control_options control = control_options_default();
	const struct kube_options kube_options = {.kubeconfig = kubeconfig, .qps = 1000, .burst = 1000};
	struct kube_client *kube = NULL;
	struct webhook *w = NULL;
	char byte;
	if (kube_client_open(&kube, &kube_options, err) < 0)
		return -1;
	const struct webhook_options o = {
		.service = "workspace-svc", .namespace_ = "kaito-workspace", .secret = "workspace-webhook-cert", .control = &control, .kube = kube,
		.validity_s = validity_s, .renew_before_s = renew_before_s,
	};
	int rc = webhook_start(&w, &o, err);
	if (rc == 0) {
		printf("%d\n", webhook_port(w));
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	}
	webhook_stop(w);
	kube_client_close(kube);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc == 2 && strcmp(argv[1], "crds") == 0)
		return print_crds();
	if (argc == 4 && serve(argv[1], strtoll(argv[2], NULL, 10), strtoll(argv[3], NULL, 10), &err) == 0)
		return 0;
	fprintf(stderr, "webhook_host: %s\n", argc == 4 ? err.message : "KUBECONFIG VALIDITY_S RENEW_BEFORE_S");
	return 1;
}
