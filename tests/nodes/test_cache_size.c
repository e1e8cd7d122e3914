/* What 5 000 claims and their Nodes cost in memory, as AKS and Karpenter write them. */
#include "check_main.h"
#include "codec/json.h"
#include "kube/informer_store.h"
#include "kube/meta.h"
#include "nodes/nodes.h"
#include <malloc.h>

enum { OBJECTS = 5000, BYTES_EACH = 3072 };

static const char NODE[] =
	"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"annotations\":{\"alpha.kubernetes.io/provided-node-ip\":\"10.224.0.9\",\"csi.volume.kubernetes.io/nodeid\":"
	"\"{\\\"disk.csi.azure.com\\\":\\\"aks-ws0123456789-12345678-vmss000000\\\",\\\"file.csi.azure.com\\\":\\\"aks-ws0123456789-12345678-vmss000000\\\"}\","
	"\"node.alpha.kubernetes.io/ttl\":\"0\",\"volumes.kubernetes.io/controller-managed-attach-detach\":\"true\"},\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
	"\"finalizers\":[\"karpenter.sh/termination\"],\"labels\":{\"agentpool\":\"ws0123456789\",\"beta.kubernetes.io/arch\":\"amd64\",\"beta.kubernetes.io/instance-type\":"
	"\"Standard_NC24ads_A100_v4\",\"beta.kubernetes.io/os\":\"linux\",\"failure-domain.beta.kubernetes.io/region\":\"westus3\",\"failure-domain.beta.kubernetes.io/zone\":"
	"\"westus3-1\",\"kaito.sh/creation-timestamp\":\"2026-01-01T00-00-00Z\",\"kaito.sh/machine-type\":\"gpu\",\"kaito.sh/workspace\":\"workspace-phi-4\","
	"\"kaito.sh/workspacenamespace\":\"default\",\"karpenter.sh/initialized\":\"true\",\"karpenter.sh/nodepool\":\"kaito\",\"karpenter.sh/registered\":\"true\","
	"\"kubernetes.azure.com/accelerator\":\"nvidia\",\"kubernetes.azure.com/agentpool\":\"ws0123456789\",\"kubernetes.azure.com/cluster\":\"MC_rg_kaito_westus3\","
	"\"kubernetes.azure.com/consolidated-additional-properties\":\"a1b2c3d4-0000-1111-2222-333344445555\",\"kubernetes.azure.com/kubelet-identity-client-id\":"
	"\"a1b2c3d4-0000-1111-2222-333344445555\",\"kubernetes.azure.com/kubelet-serving-ca\":\"cluster\",\"kubernetes.azure.com/localdns-state\":\"disabled\","
	"\"kubernetes.azure.com/mode\":\"user\",\"kubernetes.azure.com/node-image-version\":\"AKSUbuntu-2204gen2containerd-202601.07.0\","
	"\"kubernetes.azure.com/nodepool-type\":\"VirtualMachineScaleSets\",\"kubernetes.azure.com/os-sku\":\"Ubuntu\",\"kubernetes.azure.com/os-sku-effective\":\"Ubuntu2204\","
	"\"kubernetes.azure.com/role\":\"agent\",\"kubernetes.azure.com/storageprofile\":\"managed\",\"kubernetes.azure.com/storagetier\":\"Premium_LRS\","
	"\"kubernetes.io/arch\":\"amd64\",\"kubernetes.io/hostname\":\"aks-ws0123456789-12345678-vmss000000\",\"kubernetes.io/os\":\"linux\","
	"\"node.kubernetes.io/instance-type\":\"Standard_NC24ads_A100_v4\",\"storageprofile\":\"managed\",\"storagetier\":\"Premium_LRS\",\"topology.disk.csi.azure.com/zone\":"
	"\"westus3-1\",\"topology.kubernetes.io/region\":\"westus3\",\"topology.kubernetes.io/zone\":\"westus3-1\"},\"managedFields\":[{\"manager\":\"kubelet\"}],"
	"\"ownerReferences\":[{\"apiVersion\":\"karpenter.sh/v1\",\"blockOwnerDeletion\":true,\"kind\":\"NodeClaim\",\"name\":\"ws0123456789\",\"uid\":"
	"\"a1b2c3d4-0000-1111-2222-333344445555\"}]},\"spec\":{\"podCIDR\":\"10.244.3.0/24\",\"podCIDRs\":[\"10.244.3.0/24\"],\"providerID\":"
	"\"azure:///subscriptions/a1b2c3d4-0000-1111-2222-333344445555/resourceGroups/mc_rg_kaito_westus3/providers/Microsoft.Compute/virtualMachineScaleSets/"
	"aks-ws0123456789-12345678-vmss/virtualMachines/0\",\"taints\":[{\"effect\":\"NoSchedule\",\"key\":\"sku\",\"value\":\"gpu\"}]},\"status\":{\"addresses\":[{\"address\":"
	"\"10.224.0.9\",\"type\":\"InternalIP\"}],\"allocatable\":{\"cpu\":\"23660m\",\"ephemeral-storage\":\"119703055367\",\"hugepages-1Gi\":\"0\",\"hugepages-2Mi\":\"0\","
	"\"memory\":\"214295444Ki\",\"nvidia.com/gpu\":\"1\",\"pods\":\"110\"},\"capacity\":{\"cpu\":\"24\",\"ephemeral-storage\":\"129886128Ki\",\"hugepages-1Gi\":\"0\","
	"\"hugepages-2Mi\":\"0\",\"memory\":\"227225492Ki\",\"nvidia.com/gpu\":\"1\",\"pods\":\"110\"},\"conditions\":[{\"lastHeartbeatTime\":\"2026-01-01T00:10:00Z\","
	"\"lastTransitionTime\":\"2026-01-01T00:05:00Z\",\"message\":\"kubelet has sufficient memory available\",\"reason\":\"KubeletHasSufficientMemory\",\"status\":\"False\","
	"\"type\":\"MemoryPressure\"},{\"lastHeartbeatTime\":\"2026-01-01T00:10:00Z\",\"lastTransitionTime\":\"2026-01-01T00:05:00Z\",\"reason\":\"KubeletReady\",\"status\":"
	"\"True\",\"type\":\"Ready\"},{\"lastTransitionTime\":\"2026-01-01T00:05:00Z\",\"reason\":\"NoVMEventScheduled\",\"status\":\"False\",\"type\":\"VMEventScheduled\"}],"
	"\"images\":[{\"names\":[\"mcr.microsoft.com/a@sha256:0\"],\"sizeBytes\":1}],\"nodeInfo\":{\"architecture\":\"amd64\"}}}";

static const char CLAIM[] =
	"{\"apiVersion\":\"karpenter.sh/v1\",\"kind\":\"NodeClaim\",\"metadata\":{\"annotations\":{\"kaito.sh/node-image-family\":\"ubuntu\",\"karpenter.sh/do-not-disrupt\":\"true\"},"
	"\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"karpenter.sh/termination\"],\"generation\":1,\"labels\":{\"kaito.sh/creation-timestamp\":"
	"\"2026-01-01T00-00-00Z\",\"kaito.sh/machine-type\":\"gpu\",\"kaito.sh/workspace\":\"workspace-phi-4\",\"kaito.sh/workspacenamespace\":\"default\","
	"\"karpenter.sh/nodepool\":\"kaito\",\"node.kubernetes.io/instance-type\":\"Standard_NC24ads_A100_v4\",\"topology.kubernetes.io/zone\":\"westus3-1\"},\"managedFields\":"
	"[{\"manager\":\"kaito\"}],\"uid\":\"a1b2c3d4-0000-1111-2222-333344445555\"},\"spec\":{\"expireAfter\":\"Never\",\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":"
	"\"KaitoNodeClass\",\"name\":\"default\"},\"requirements\":[{\"key\":\"karpenter.sh/nodepool\",\"operator\":\"In\",\"values\":[\"kaito\"]},{\"key\":"
	"\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"Standard_NC24ads_A100_v4\"]},{\"key\":\"kubernetes.io/os\",\"operator\":\"In\",\"values\":[\"linux\"]}],"
	"\"resources\":{\"requests\":{\"storage\":\"1Ti\"}},\"taints\":[{\"effect\":\"NoSchedule\",\"key\":\"sku\",\"value\":\"gpu\"}]},\"status\":{\"allocatable\":{\"cpu\":\"23660m\","
	"\"memory\":\"214295444Ki\",\"nvidia.com/gpu\":\"1\"},\"capacity\":{\"cpu\":\"24\",\"memory\":\"227225492Ki\",\"nvidia.com/gpu\":\"1\"},\"conditions\":[{\"lastTransitionTime\":"
	"\"2026-01-01T00:05:00Z\",\"message\":\"\",\"observedGeneration\":1,\"reason\":\"Launched\",\"status\":\"True\",\"type\":\"Launched\"},{\"lastTransitionTime\":"
	"\"2026-01-01T00:05:00Z\",\"message\":\"\",\"observedGeneration\":1,\"reason\":\"Registered\",\"status\":\"True\",\"type\":\"Registered\"},{\"lastTransitionTime\":"
	"\"2026-01-01T00:05:00Z\",\"message\":\"\",\"observedGeneration\":1,\"reason\":\"Initialized\",\"status\":\"True\",\"type\":\"Initialized\"},{\"lastTransitionTime\":"
	"\"2026-01-01T00:05:00Z\",\"message\":\"\",\"observedGeneration\":1,\"reason\":\"Ready\",\"status\":\"True\",\"type\":\"Ready\"}],\"nodeName\":"
	"\"aks-ws0123456789-12345678-vmss000000\",\"providerID\":\"azure:///subscriptions/a1b2c3d4-0000-1111-2222-333344445555/resourceGroups/mc_rg_kaito_westus3/providers/"
	"Microsoft.Compute/virtualMachineScaleSets/aks-ws0123456789-12345678-vmss/virtualMachines/0\"}}";

static void fill(struct informer_store *s, const char *text)
{
	for (int i = 0; i < OBJECTS; i++) {
		char name[32], id[192];
		CLEANUP(json_decrefp) json_t *object = json_loads(text, 0, NULL);
		json_t *meta = json_object_get(object, "metadata");
		snprintf(name, sizeof name, "ws%010d", i);
		snprintf(id, sizeof id, "azure:///subscriptions/a1b2c3d4-0000-1111-2222-333344445555/resourceGroups/mc_rg/providers/vmss/aks-%s-12345678-vmss/virtualMachines/0", name);
		json_object_set_new(meta, "name", json_string(name));
		json_object_set_new(meta, "resourceVersion", json_sprintf("%d", i + 1));
		json_object_set_new(json_object_get(object, json_at(object, "spec", "providerID", NULL) ? "spec" : "status"), "providerID", json_string(id));
		struct informer_changes changes = {0};
		informer_store_apply(s, INFORMER_LIST, object, &changes);
		for (size_t c = 0; c < changes.n; c++)
			json_decref(changes.items[c].object);
	}
}

START_TEST(five_thousand_claims_and_nodes_fit_into_thirty_mebibytes)
{
	static const struct { enum nodes_cache cache; const char *text; } ROWS[] = {{NODES_CLAIMS, CLAIM}, {NODES_NODES, NODE}};
	struct informer_store *stores[2];
	struct informer_options options[2];
	size_t before = mallinfo2().uordblks;
	for (size_t i = 0; i < 2; i++) {
		const struct operator_cache *row = &NODES_CACHES[ROWS[i].cache];
		options[i] = (struct informer_options){.resource = row->resource, .transform = row->transform, .index = row->index};
		stores[i] = informer_store_new(&options[i]);
		fill(stores[i], ROWS[i].text);
		ck_assert_uint_eq(informer_store_count(stores[i]), OBJECTS);
	}
	size_t used = mallinfo2().uordblks - before; /* 0 where another allocator counts */
	printf("%d claims and Nodes: %zu KiB\n", OBJECTS, used / 1024);
	ck_assert_uint_le(used, (size_t)2 * OBJECTS * BYTES_EACH);
	for (size_t i = 0; i < 2; i++)
		informer_store_free(stores[i]);
}
END_TEST

int main(void)
{
	CHECK_RUN("cache size", 60, five_thousand_claims_and_nodes_fit_into_thirty_mebibytes);
}
