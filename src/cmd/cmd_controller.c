/* cmd_controller.c: `kaito controller`, the operator: upstream's flags and environment, and ours for what upstream hard-codes. */
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/flags.h"

#include "base/str.h"
#include "control/manager.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An environment variable that is set and not empty replaces the default; flags replace both. */
static void from_environment(const char *name, const char **out)
{
	const char *v = getenv(name);
	if (v && v[0])
		*out = v;
}

static void read_environment(struct manager_options *o)
{
	struct control_options *c = &o->control;
	const char *port = NULL;
	int64_t number;
	from_environment("CLOUD_PROVIDER", &c->cloud);
	from_environment("PRESET_REGISTRY_NAME", &c->registry);
	from_environment("RELEASE_NAMESPACE", &c->release_namespace);
	from_environment("SYSTEM_NAMESPACE", &o->system_namespace);
	from_environment("WEBHOOK_SERVICE", &o->webhook_service);
	from_environment("WEBHOOK_PORT", &port);
	if (port && str_to_i64(str_of(port), &number) && number >= 0 && number < 65536)
		o->webhook_port = (int)number;
}

struct words { /* flags that need a second look */
	const char *gates, *level, *encoder, *ignored;
	bool ignored_switch, version;
	int64_t verbosity, burst, webhook_port;
};

static int check_words(struct manager_options *o, const struct words *w, struct err *err)
{
	struct control_options *c = &o->control;
	if (w->gates && control_gates_parse(c, w->gates, err) < 0)
		return -1;
	bool own = strcmp(c->node_provisioner, "byo") == 0;
	c->gates[GATE_BYO] = own;
	if (c->default_image_family[0] && strcmp(c->default_image_family, "ubuntu") != 0 && strcmp(c->default_image_family, "azurelinux") != 0)
		return err_set(err, ERR_USAGE, "unsupported --default-node-image-family '%s'; use azurelinux or ubuntu", c->default_image_family);
	if (strcmp(c->node_api, "nodeclaim") != 0 && strcmp(c->node_api, "machine") != 0)
		return err_set(err, ERR_USAGE, "unknown --node-api '%s'; use nodeclaim or machine", c->node_api);
	if (c->gates[GATE_MODEL_STREAMING] && !c->gates[GATE_MODEL_MIRROR])
		return err_set(err, ERR_USAGE, "feature gate ModelStreaming needs ModelMirror");
	o->burst = (int)w->burst;
	o->webhook_port = (int)w->webhook_port;
	return 0;
}

int cmd_controller(int argc, char **argv, struct err *err)
{
	struct manager_options o = {
		.control = control_options_default(),
		.metrics_address = ":8080",
		.health_address = ":8081",
		.qps = 30,
		.webhook = true,
		.webhook_port = 9443,
		.webhook_service = "workspace-webhook-svc",
		.system_namespace = "kaito-workspace",
		.version = KAITO_VERSION,
	};
	struct control_options *c = &o.control;
	read_environment(&o);
	struct words w = {.level = "info", .encoder = "json", .burst = 50, .webhook_port = o.webhook_port};
	const struct flag flags[] = {
		{"kubeconfig", "PATH", FLAG_STRING, &o.kubeconfig, "cluster to work on ($KUBECONFIG, else the pod's own, else ~/.kube/config)", false, 0, 0},
		{"metrics-bind-address", "ADDR", FLAG_STRING, &o.metrics_address, "where /metrics listens; 0: nowhere (:8080)", false, 0, 0},
		{"health-probe-bind-address", "ADDR", FLAG_STRING, &o.health_address, "where /healthz and /readyz listen (:8081)", false, 0, 0},
		{"kube-client-qps", "N", FLAG_FLOAT, &o.qps, "requests a second to the API server, for each resource (30)", false, 0.1, 1e6},
		{"kube-client-burst", "N", FLAG_INT, &w.burst, "requests at once above that rate (50)", false, 1, 1e6},
		{"leader-elect", NULL, FLAG_BOOL, &o.leader_elect, "work only while holding the lease; for more than one replica (false)", false, 0, 0},
		{"webhook", NULL, FLAG_BOOL, &o.webhook, "serve the admission webhook (true)", false, 0, 0},
		{"webhook-port", "PORT", FLAG_INT, &w.webhook_port, "its port ($WEBHOOK_PORT, else 9443)", false, 0, 65535},
		{"feature-gates", "LIST", FLAG_STRING, &w.gates, "name=true,name=false … (docs/controller.md lists them)", false, 0, 0},
		{"node-provisioner", "NAME", FLAG_STRING, &c->node_provisioner, "azure-gpu-provisioner, karpenter or byo (azure-gpu-provisioner)", false, 0, 0},
		{"node-api", "NAME", FLAG_STRING, &c->node_api, "nodeclaim (karpenter.sh/v1) or machine (karpenter.sh/v1alpha5) (nodeclaim)", false, 0, 0},
		{"default-node-image-family", "NAME", FLAG_STRING, &c->default_image_family, "ubuntu or azurelinux (ubuntu)", false, 0, 0},
		{"karpenter-node-class-group", "GROUP", FLAG_STRING, &c->node_class_group, "API group of the node class (karpenter.azure.com)", false, 0, 0},
		{"karpenter-node-class-kind", "KIND", FLAG_STRING, &c->node_class_kind, "its kind (AKSNodeClass)", false, 0, 0},
		{"karpenter-node-class-version", "VERSION", FLAG_STRING, &c->node_class_version, "its version (v1beta1)", false, 0, 0},
		{"karpenter-node-class-resource-name", "NAME", FLAG_STRING, &c->node_class_resource, "its plural (aksnodeclasses)", false, 0, 0},
		{"karpenter-node-classes", "JSON", FLAG_STRING, &c->node_classes_json, "node classes to create: [{name, default, spec}]", false, 0, 0},
		{"release-namespace", "NAME", FLAG_STRING, &c->release_namespace, "where the default ConfigMaps are ($RELEASE_NAMESPACE)", false, 0, 0},
		{"native-image", "IMAGE", FLAG_STRING, &c->native_image, "image of this program, for native workloads", false, 0, 0},
		{"legacy-base-image", "IMAGE", FLAG_STRING, &c->legacy_base_image, "base image for GPUs below compute capability 8.0 (none: native, on the CPU)", false, 0, 0},
		{"image-skopeo", "IMAGE", FLAG_STRING, &c->image_skopeo, "unpacks adapter and data images", false, 0, 0},
		{"image-oras-pull", "IMAGE", FLAG_STRING, &c->image_oras_pull, "fetches model weights for tuning", false, 0, 0},
		{"image-oras-push", "IMAGE", FLAG_STRING, &c->image_oras_push, "pushes the tuned adapter", false, 0, 0},
		{"image-pause", "IMAGE", FLAG_STRING, &c->image_pause, "keeps a tuning pod until the push is done", false, 0, 0},
		{"image-curl", "IMAGE", FLAG_STRING, &c->image_curl, "downloads tuning data", false, 0, 0},
		{"image-routing-sidecar", "IMAGE", FLAG_STRING, &c->image_routing_sidecar, "routes to decode pods", false, 0, 0},
		{"hub-url", "URL", FLAG_STRING, &c->hub_url, "model hub, or a mirror of it", false, 0, 0},
		{"hub-cache", "DIR", FLAG_STRING, &o.hub_cache, "keeps what the hub said about models outside the catalogue over restarts (none)", false, 0, 0},
		{"default-model-mirror-storage-class", "NAME", FLAG_STRING, &c->mirror_storage_class, "accepted; model mirrors are not built yet", false, 0, 0},
		{"default-streaming-service-account", "NAME", FLAG_STRING, &c->streaming_service_account, "accepted; model streaming is not built yet", false, 0, 0},
		{"model-mirror-download-cpu", "N", FLAG_STRING, &c->mirror_cpu, "accepted; model mirrors are not built yet", false, 0, 0},
		{"model-mirror-download-memory", "SIZE", FLAG_STRING, &c->mirror_memory, "accepted; model mirrors are not built yet", false, 0, 0},
		{"zap-log-level", "LEVEL", FLAG_STRING, &w.level, "debug, info, warn or error (info)", false, 0, 0},
		{"zap-encoder", "NAME", FLAG_STRING, &w.encoder, "json or console (json)", false, 0, 0},
		{"zap-devel", NULL, FLAG_BOOL, &w.ignored_switch, "accepted, without effect", false, 0, 0},
		{"zap-stacktrace-level", "LEVEL", FLAG_STRING, &w.ignored, "accepted, without effect", false, 0, 0},
		{"zap-time-encoding", "NAME", FLAG_STRING, &w.ignored, "accepted, without effect", false, 0, 0},
		{"v", "N", FLAG_INT, &w.verbosity, "above 0: debug log lines", false, 0, 100},
		{"version", NULL, FLAG_BOOL, &w.version, "print the version and leave", false, 0, 0},
	};
	enum { N = sizeof flags / sizeof flags[0] };
	int rc = flags_parse("controller [flags]", flags, N, argc, argv, NULL, 0, NULL, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	if (w.version) {
		puts("kaito " KAITO_VERSION);
		return 0;
	}
	if (check_words(&o, &w, err) < 0 || daemon_setup_log("zap-log-level", w.verbosity > 0 ? "debug" : w.level, strcmp(w.encoder, "json") == 0, err) < 0)
		return -1;
	daemon_tune_memory();
	daemon_catch_signals();
	return manager_run(&o, &daemon_stop, err);
}
