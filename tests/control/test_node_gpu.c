/* Tests what an own node's labels and capacity say about its GPUs. */
#include "check_main.h"

#include "control/node_gpu.h"

static bool read_node(const char *labels, const char *capacity, struct gpu_config *out)
{
	static json_t *node; /* out->model borrows from it; the last one is kept until the next call */
	json_decref(node);
	node = json_pack("{s:{s:o},s:{s:o}}", "metadata", "labels", json_loads(labels, 0, NULL), "status", "capacity", json_loads(capacity, 0, NULL));
	return node_gpu(node, out);
}

START_TEST(node_gpu_reads_gpu_feature_discovery)
{
	struct gpu_config g;
	ck_assert(read_node("{\"nvidia.com/gpu.product\":\"NVIDIA-A100-80GB-PCIe\",\"nvidia.com/gpu.count\":\"2\",\"nvidia.com/gpu.memory\":\"81920\","
			    "\"nvidia.com/cuda.compute.major\":\"8\",\"nvidia.com/cuda.compute.minor\":\"6\"}", "{}", &g));
	ck_assert_int_eq(g.gpus, 2);
	ck_assert_double_eq(g.gib, 160);
	ck_assert_str_eq(g.model, "NVIDIA-A100-80GB-PCIe");
	ck_assert_int_eq(g.compute_capability, 86);
}
END_TEST

START_TEST(node_gpu_falls_back_to_capacity_and_instance_type)
{
	struct gpu_config g;
	ck_assert(read_node("{\"node.kubernetes.io/instance-type\":\"standard_nc12s_v3\"}", "{\"nvidia.com/gpu\":\"2\"}", &g));
	ck_assert_int_eq(g.gpus, 2);
	ck_assert_double_eq(g.gib, 32);
	ck_assert_int_eq(g.compute_capability, 70);
	ck_assert(read_node("{}", "{\"nvidia.com/gpu\":\"1\"}", &g));
	ck_assert_double_eq(g.gib, 0);
	ck_assert_int_eq(g.compute_capability, 80);
}
END_TEST

START_TEST(node_gpu_finds_none_on_a_cpu_machine)
{
	struct gpu_config g;
	ck_assert(!read_node("{}", "{\"cpu\":\"8\"}", &g));
	ck_assert(!read_node("{\"nvidia.com/gpu.count\":\"0\"}", "{}", &g));
	ck_assert(!read_node("{\"nvidia.com/gpu.count\":\"many\"}", "{\"nvidia.com/gpu\":\"-1\"}", &g));
	ck_assert(!read_node("{\"nvidia.com/gpu.count\":\"1e9\"}", "{}", &g));
}
END_TEST

int main(void)
{
	CHECK_RUN("node gpu", 20, node_gpu_reads_gpu_feature_discovery, node_gpu_falls_back_to_capacity_and_instance_type, node_gpu_finds_none_on_a_cpu_machine);
}
