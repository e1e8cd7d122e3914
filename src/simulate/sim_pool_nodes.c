/* sim_pool_nodes.c: the machines of agent pools for the joiner: which of them should have a Node and in which state, and what the joiner asks
 * about one of them. All of it with the mutex held. */
#include "simulate/sim.h"

#include <stdio.h>

/* --- what Nodes should be --------------------------------------------------------------------------------------------------------- */

static void make_room(struct sim_pool *p)
{
	if (p->count <= p->n_nodes)
		return;
	p->nodes = mem_realloc(p->nodes, (size_t)p->count);
	memset(p->nodes + p->n_nodes, 0, (size_t)(p->count - p->n_nodes));
	p->n_nodes = p->count;
}

static void sync_node(struct simulator *s, struct sim_pool *p, int i)
{
	uint8_t *n = &p->nodes[i];
	bool wanted = i < p->count, running = sim_pools_running(s, p), remove = strcmp(s->settings.stop_nodes, "remove") == 0;
	struct sim_node_job job = {.generation = p->generation, .index = i};
	snprintf(job.owner, sizeof job.owner, "%s", p->name);
	if ((*n & SIM_IS_JOINED) && (!wanted || (!running && remove))) {
		job.work = SIM_NODE_DELETE;
		*n = 0;
	} else if (!wanted || (*n & SIM_IS_VANISHED)) {
		return;
	} else if (!(*n & SIM_IS_JOINED) && running && p->nodes_wanted) {
		job.work = SIM_NODE_JOIN;
		*n = SIM_IS_JOINED;
	} else if ((*n & SIM_IS_JOINED) && !running && !(*n & SIM_IS_DOWN)) {
		job.work = SIM_NODE_DOWN;
		*n |= SIM_IS_DOWN;
	} else if ((*n & SIM_IS_DOWN) && running) {
		job.work = SIM_NODE_READY;
		*n = SIM_IS_JOINED;
	} else {
		return;
	}
	sim_joiner_add(s, &job);
}

void sim_joiner_sync(struct simulator *s, struct sim_pool *p)
{
	make_room(p);
	for (int i = 0; i < p->n_nodes; i++)
		sync_node(s, p, i);
}

void sim_joiner_pool_due(struct simulator *s, const struct sim_node_job *job)
{
	struct sim_pool *p = sim_pools_find_generation(s, job->owner, job->generation);
	if (!p || p->state == SIM_POOL_DELETING || p->state == SIM_POOL_FAILED || p->state == SIM_POOL_CANCELED)
		return;
	p->nodes_wanted = true;
	sim_joiner_sync(s, p);
}

void sim_joiner_leave(struct simulator *s, struct sim_pool *p)
{
	s->machines -= p->count;
	p->count = 0;
	sim_joiner_sync(s, p);
}

/* --- what the joiner asks --------------------------------------------------------------------------------------------------------- */

static struct sim_pool *pool_of(struct simulator *s, const struct sim_node_job *job)
{
	struct sim_pool *p = sim_pools_find_generation(s, job->owner, job->generation);
	return p && job->index < p->n_nodes ? p : NULL;
}

static uint8_t *flags_of(struct simulator *s, const struct sim_node_job *job)
{
	struct sim_pool *p = pool_of(s, job);
	return p ? &p->nodes[job->index] : NULL;
}

static bool leaving(struct simulator *s, const struct sim_node_job *job) { return pool_of(s, job)->state == SIM_POOL_DELETING; }

static void name(struct simulator *s, const struct sim_node_job *job, char out[SIM_NODE_NAME]) { sim_node_name(s, job->owner, job->index, out); }

static bool find(struct simulator *s, const char *node, struct sim_node_job *out)
{
	char pool[SIM_UNIT_NAME_MAX + 1];
	if (!sim_node_parse(node, pool, &out->index))
		return false;
	struct sim_pool *p = sim_pools_find(s, pool);
	snprintf(out->owner, sizeof out->owner, "%s", p ? p->name : pool);
	out->generation = p ? p->generation : 0;
	return p != NULL;
}

static json_t *make(struct simulator *s, const struct sim_node_job *job, bool ready, bool devices) { return sim_node_make(s, pool_of(s, job), job->index, ready, devices); }
static json_t *devices_patch(struct simulator *s, const struct sim_node_job *job) { return sim_node_devices_patch(pool_of(s, job)); }
static int gpus(struct simulator *s, const struct sim_node_job *job) { return sim_node_gpus(pool_of(s, job)); }

const struct sim_nodes SIM_POOL_NODES = {
	.flags = flags_of, .leaving = leaving, .name = name, .find = find, .make = make, .devices_patch = devices_patch, .gpus = gpus,
};
