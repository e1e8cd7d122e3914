/* fields_node_class.c: KaitoNodeClass: how machines are made for the claims that name it. Everything may be left out. The cloud reads the
 * same fields (azure/agent_pool.h). */
#include "crd/schema.h"

#define ARM_ID "^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
static const struct crd_field SPEC_FIELDS[] = {
	{"capacityReservationGroupID", CRD_STRING, "Capacity reservation group to take machines from.", .max_length = 1024,
	 .pattern = "(?i)" ARM_ID "Microsoft.Compute/capacityReservationGroups/[^/]+$"},
	{"enableEncryptionAtHost", CRD_BOOLEAN, "Whether disks are encrypted on their way to storage too."},
	{"gpuDriver", CRD_STRING, "Whether the cloud installs the GPU driver.", .choices = "Install None"},
	{"gpuInstanceProfile", CRD_STRING, "MIG slices that the GPU is cut into.", .choices = "MIG1g MIG2g MIG3g MIG4g MIG7g"},
	{"imageFamily", CRD_STRING, "Operating system of the nodes.", .choices = "ubuntu azurelinux"},
	{"kubeletDiskType", CRD_STRING, "Disk that images and pods' folders are on.", .choices = "OS Temporary"},
	{"maxPods", CRD_INTEGER, "Most pods of a node.", .format = "int32", .has_minimum = true, .minimum = 10, .maximum = 250},
	{"osDiskSizeGB", CRD_INTEGER, "Size of the system disk where a claim does not ask for storage.", .format = "int32", .has_minimum = true, .minimum = 30, .maximum = 2048},
	{"osDiskType", CRD_STRING, "Ephemeral: on the machine's own disk; Managed: on network storage.", .choices = "Ephemeral Managed"},
	{"podSubnetID", CRD_STRING, "Subnet that pods get their addresses from.", .max_length = 1024,
	 .pattern = "(?i)" ARM_ID "Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$"},
	{"proximityPlacementGroupID", CRD_STRING, "Proximity placement group of the machines.", .max_length = 1024,
	 .pattern = "(?i)" ARM_ID "Microsoft.Compute/proximityPlacementGroups/[^/]+$"},
	{"spotMaxPrice", CRD_STRING, "Highest price an hour of a spot machine in US dollars, as decimal text; -1: up to the regular price.",
	 .max_length = 16, .pattern = "^(-1|[0-9]+([.][0-9]{1,5})?)$"},
	{"tags", CRD_MAP, "Tags of what is made in the cloud.", .max_items = 40},
	{"vnetSubnetID", CRD_STRING, "Subnet of the nodes.", .max_length = 1024, .pattern = "(?i)" ARM_ID "Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$"},
	{"zones", CRD_STRING, "Availability zones to try, in this order.", .list = true, .max_items = 8, .max_length = 32},
	{0},
};
static const struct crd_shape SHAPE_SPEC = {SPEC_FIELDS};
static const struct crd_field STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field CLASS_FIELDS[] = {
	{"spec", CRD_OBJECT, "How machines are made.", &SHAPE_SPEC},
	{"status", CRD_OBJECT, "Written by the node provisioner.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_NODE_CLASS = {CLASS_FIELDS};
