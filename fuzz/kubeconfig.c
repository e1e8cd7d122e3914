/* Fuzz target: a kubeconfig is read or refused by name, and what was read has what every request needs. */
#include "kube/kubeconfig.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct kube_config config = {0};
	if (kube_config_text(&config, (str){(const char *)data, size}, "/nowhere", NULL, &err) < 0) {
		if (!err.message[0])
			abort();
		return 0;
	}
	if (!config.server || !config.namespace_ || !config.tls.cert.len != !config.tls.key.len)
		abort();
	kube_config_done(&config);
	return 0;
}
