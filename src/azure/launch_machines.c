/* launch_machines.c: the one pool that machines are made in: made when it is missing, and used only when it carries our tag, as nothing is
 * put into a pool of somebody else's. It has no machine of its own and costs nothing, so it stays when the last machine goes. */
#include "azure/launch.h"

#include "base/clock.h"
#include "kube/meta.h"

#define KNOWN_MS 300000     /* how old a list may be that says that the pool is there */
#define WAIT_MS 2000
#define REFUSED_MS 60000
#define RACE_MS 10000       /* one claim at a time asks for the pool */

static int not_ours(struct launch *l, const char *pool, const json_t *body)
{
	char message[CLOUD_MESSAGE_MAX];
	snprintf(message, sizeof message, "AgentPoolNameConflict: the agent pool %s exists in mode %.20s%s; it is not touched. Start the provisioner with another "
		 "--aks-machines-pool, or, if that pool is in mode Machines and meant for KAITO, give it the tag " TAG_MACHINES, pool,
		 json_text_at(body, "unknown", "properties", "mode", NULL), agent_pool_mode_machines(body) ? " without the tag " TAG_MACHINES : "");
	launch_terminal(l, "AgentPoolNameConflict", message);
	l->out->retry_ms = REFUSED_MS;
	return 1;
}

static int wait_for(struct launch *l, int64_t ms, const char *reason, const char *message)
{
	launch_wait(l, ms, reason, message);
	return 1;
}

static int answered(struct launch *l, const char *pool, const struct arm_answer *answer)
{
	char message[CLOUD_MESSAGE_MAX];
	struct failure f;
	if (answer->status < 300) {
		pools_learn(l->a->pools, pool, answer->body);
		pools_expect(l->a->pools, pool, l->claim->name);
		return wait_for(l, 1, "", "");
	}
	if (answer->status == 412) /* another process made it */
		return wait_for(l, 1, "", "");
	taxonomy_classify(&answer->error, false, &f);
	snprintf(message, sizeof message, "the agent pool %s for machines cannot be made: %.600s", pool, f.message);
	return wait_for(l, answer->retry_after_ms > 0 ? answer->retry_after_ms : REFUSED_MS, f.row->reason, message);
}

static int make(struct launch *l, const char *pool)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(l->a->environment, pool);
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s,s:{s:s}}}", "properties", "mode", "Machines", "tags", TAG_MACHINES, "true");
	struct arm_request q = {.method = "PUT", .url = path, .api_version = aks_machine_version(l->a->options.api_version), .body = body, .if_none_match = "*",
				.class = ARM_PUT, .pool = pool};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int64_t wait_ms = 0, now = clock_now_ms(), before = atomic_load(&l->a->machines_pool_ms);
	if ((before && now - before < RACE_MS) || !atomic_compare_exchange_strong(&l->a->machines_pool_ms, &before, now))
		return wait_for(l, WAIT_MS, "", "waits for the agent pool of machines");
	int sent = arm_send(l->a->arm, &q, &answer, &wait_ms, l->err);
	atomic_store(&l->a->machines_pool_ms, clock_now_ms()); /* what was known before says nothing */
	if (sent != 0)
		return sent == 1 ? wait_for(l, wait_ms, "", "") : -1;
	return answered(l, pool, &answer);
}

/* By its state; running is good. */
static const struct { int64_t ms; const char *reason, *message; } STATES[] = {
	[INSTANCE_CREATING] = {WAIT_MS, "", "waits for the agent pool of machines"},
	[INSTANCE_RUNNING] = {0, "", ""},
	[INSTANCE_STOPPED] = {REFUSED_MS, "PoolStopped", "the cluster or its agent pool of machines is stopped; it goes on when it is started"},
	[INSTANCE_FAILED] = {REFUSED_MS, "AgentPoolFailed", "the agent pool of machines is in state Failed: delete it when it has no machines, and it is made again"},
	[INSTANCE_DELETING] = {REFUSED_MS / 6, "", "the agent pool of machines is being deleted; it is made again when it is gone"},
};

int launch_machines_pool(struct launch *l)
{
	CLEANUP(json_decrefp) json_t *body = NULL;
	char pool[POOL_NAME_MAX + 1];
	struct agent_pool p;
	int64_t known = clock_now_ms() - KNOWN_MS, asked = atomic_load(&l->a->machines_pool_ms);
	aks_machine_pool_of(l->pool, pool);
	int found = pools_look(l->a->pools, pool, l->claim->name, asked > known ? asked : known, &body, l->err);
	if (found == 2)
		return wait_for(l, WAIT_MS, "", "");
	if (found != 0)
		return found == 1 ? make(l, pool) : -1;
	if (!agent_pool_read(&p, body) || !p.holds_machines || !agent_pool_mode_machines(body))
		return not_ours(l, pool, body);
	if (p.instance == INSTANCE_RUNNING) {
		pools_settled(l->a->pools, pool);
		return 0;
	}
	pools_expect(l->a->pools, pool, l->claim->name);
	return wait_for(l, STATES[p.instance].ms, STATES[p.instance].reason, STATES[p.instance].message);
}
