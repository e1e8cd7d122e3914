/* probes.c: see probes.h. A single pod is asked over HTTP; on several nodes upstream's script asks Ray and the leader. Where the model is
 * measured after loading, the start-up probe is the measurement. */
#include "workload/probes.h"

#include "base/mem.h"
#include "crd/names.h"
#include "workload/pod_spec.h"
#include "workload/vllm_command.h"
#include <math.h>

int probe_startup_failures(double weights_gib)
{
	double seconds = 15 * 60 + 18 * weights_gib;
	seconds = seconds < 30 * 60 ? 30 * 60 : seconds > 180 * 60 ? 180 * 60 : seconds;
	return (int)ceil(seconds / 10);
}

json_t *probe_health(int port, int initial_delay_s, int failures)
{
	json_t *probe = json_pack("{s:{s:s, s:i, s:s}, s:i, s:i, s:i, s:i}", "httpGet", "path", "/health", "port", port, "scheme", "HTTP",
				  "periodSeconds", 10, "timeoutSeconds", 1, "successThreshold", 1, "failureThreshold", failures);
	if (initial_delay_s)
		json_object_set_new(probe, "initialDelaySeconds", json_integer(initial_delay_s));
	return probe;
}

static json_t *exec_probe(json_t *command, int timeout_s, int failures)
{
	return json_pack("{s:{s:o}, s:i, s:i, s:i, s:i}", "exec", "command", command, "periodSeconds", 10, "timeoutSeconds", timeout_s,
			 "successThreshold", 1, "failureThreshold", failures);
}

static json_t *multi_node_liveness(const char *leader)
{
	char *script = mem_printf("python3 /workspace/vllm/multi-node-health-check.py liveness --leader-address=%s --ray-port=%d", leader, PORT_RAY);
	json_t *probe = exec_probe(pod_shell(script), 5, 1);
	json_object_set_new(probe, "initialDelaySeconds", json_integer(60));
	json_object_set_new(probe, "terminationGracePeriodSeconds", json_integer(1));
	free(script);
	return probe;
}

static json_t *multi_node_readiness(const char *leader, int port, int failures)
{
	char *script = mem_printf("python3 /workspace/vllm/multi-node-health-check.py readiness --leader-address=%s --vllm-port=%d", leader, port);
	json_t *probe = exec_probe(pod_shell(script), 1, failures);
	free(script);
	return probe;
}

static json_t *benchmark(bool multi_node, int failures)
{
	static const char PROGRAM[] = "/workspace/vllm/benchmark_entrypoint.py";
	if (!multi_node)
		return exec_probe(json_pack("[s, s]", "python3", PROGRAM), 600, failures);
	char *script = mem_printf("if [ \"$POD_INDEX\" = \"0\" ]; then python3 %s; else true; fi", PROGRAM);
	json_t *probe = exec_probe(pod_shell(script), 600, failures);
	free(script);
	return probe;
}

void probes_add(const struct workload_plan *p, json_t *container)
{
	int failures = probe_startup_failures(p->model->weights_gib), port = plan_port(p);
	bool multi_node = plan_multi_node(p);
	char *leader = vllm_leader_address(p);
	json_t *startup = plan_benchmark(p) ? benchmark(multi_node, failures)
			  : multi_node      ? multi_node_readiness(leader, port, failures)
					    : probe_health(port, 0, failures);
	json_object_set_new(container, "startupProbe", startup);
	json_object_set_new(container, "livenessProbe", multi_node ? multi_node_liveness(leader) : probe_health(port, 0, 3));
	json_object_set_new(container, "readinessProbe", multi_node ? multi_node_readiness(leader, port, 1) : probe_health(port, 30, 3));
	free(leader);
}
