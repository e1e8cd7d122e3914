/* aws_sim.c: AWS as one of the clouds of the simulator: its state, and what a client must know of it. */
#include "simulate/aws_sim.h"

static int begin(struct simulator *s, const struct simulator_options *o, struct err *err)
{
	struct aws_sim *a = s->aws = mem_alloc(sizeof *a);
	(void)err;
	a->instances.free_value = aws_sim_instances_free;
	a->templates.free_value = aws_sim_templates_free;
	a->requests.free_value = aws_sim_fleet_request_free;
	a->keys.free_value = free;
	s->location = mem_strdup(o->location && o->location[0] ? o->location : "us-east-1");
	return 0;
}

static void end(struct simulator *s)
{
	map_done(&s->aws->instances);
	map_done(&s->aws->templates);
	map_done(&s->aws->requests);
	map_done(&s->aws->keys);
	free(s->aws);
}

static json_t *environment(const struct simulator *s, const char *endpoint)
{
	CLEANUP(mem_freep) char *cluster = aws_sim_boot_endpoint(s);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "AWS_REGION", s->location, "CLUSTER_NAME", s->cluster, "CLUSTER_ENDPOINT", cluster, "CLUSTER_CA", AWS_SIM_CA,
			 "CLUSTER_SERVICE_CIDR", "10.100.0.0/16", "AWS_NODE_INSTANCE_PROFILE", s->settings.instance_profile, "AWS_ENDPOINT_URL", endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
			 endpoint, "AWS_ACCESS_KEY_ID", s->settings.access_key_id, "AWS_SECRET_ACCESS_KEY", s->settings.secret_access_key);
}

const struct sim_cloud SIM_AWS = {
	.name = "aws", .bit = SIM_ON_AWS, .open = begin, .close = end, .answer = aws_sim_answer_request, .due = aws_sim_instances_due, .environment = environment,
	.state = aws_sim_control_state, .nodes = &AWS_SIM_NODES,
};
