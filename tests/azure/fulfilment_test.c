/* fulfilment_test.c: see fulfilment_test.h. */
#include "fulfilment_test.h"

#include "azure_variables.h"
#include "base/clock.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "../cloud/scripted_claim.h"
#include "../provision/fake_kube.h"
#include <check.h>
#include <stdlib.h>

#define QUIET_MS 250   /* several rounds of lists without a change */
#define PATIENCE_MS 8000

static void changed(void *context, const char *claim)
{
	struct scene *s = context;
	(void)claim;
	atomic_fetch_add(&s->changes, 1);
}

static void index_node(const json_t *node, void (*add)(void *list, const char *key), void *list)
{
	char key[100];
	CLEANUP(mem_freep) char *provider = cloud_node_key(json_text_at(node, "", "spec", "providerID", NULL));
	add(list, provider);
	if (meta_label(node, "agentpool")) {
		snprintf(key, sizeof key, NODE_KEY_POOL "%s", meta_label(node, "agentpool"));
		add(list, key);
	}
}

static void start(struct scene *s)
{
	s->cloud = azure_new(&(struct azure_options){
		.environment = &s->environment, .user_agent = "test", .hooks = {.changed = changed, .context = s, .nodes = s->nodes}, .quota_preflight = s->quota, .machines = s->machines, .list_ms = 20,
	});
}

void scene_open(struct scene *s)
{
	char url[64];
	int port = fake_arm_start();
	snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
	fake_reset();
	variables_reset();
	variable_set("DEPLOYMENT_MODE", "managed");
	variable_set("AZURE_CLIENT_SECRET", "hush");
	variable_set("AZURE_AUTHORITY_HOST", url);
	variable_set("AZURE_RESOURCE_MANAGER_ENDPOINT", url);
	ck_assert_msg(environment_read(&s->environment, variable_get, &s->err) == 0, "%s", s->err.message);
	s->nodes = informer_new(fake_client(), &(struct informer_options){.resource = &KUBE_NODES, .index = index_node});
	start(s);
}

void scene_close(struct scene *s)
{
	s->cloud->ops->free(s->cloud);
	informer_free(s->nodes);
	environment_done(&s->environment);
	launch_result_done(&s->launched);
	terminate_result_done(&s->terminated);
	json_decref(s->claim);
	json_decref(s->node_class);
	free(s->older_memo);
	fake_arm_stop();
	fake_reset();
	*s = (struct scene){0};
}

void scene_require(struct scene *s, const char *key, const char *operator, const char *values)
{
	scripted_claim_require(s->claim, key, operator, values);
}

void scene_claim(struct scene *s, const char *instance_types)
{
	char now[32];
	clock_rfc3339(clock_wall_s(), now);
	json_decref(s->claim);
	s->claim = json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:{s:s}},s:{s:[],s:{s:{s:s}}}}", "apiVersion", "karpenter.sh/v1", "kind", "NodeClaim", "metadata", "name", "ws1",
			     "uid", "uid-1", "creationTimestamp", now, "labels", "kaito.sh/workspace", "w", "spec", "requirements", "resources", "requests", "storage",
			     "120Gi");
	scene_require(s, LABEL_INSTANCE_TYPE, "In", instance_types);
}

const char *scene_memo(const struct scene *s) { return scripted_claim_memo(s->claim); }

const char *scene_phase(const struct scene *s)
{
	static char phase[32];
	json_t *memo = json_loads(scene_memo(s), 0, NULL);
	snprintf(phase, sizeof phase, "%s", json_text_at(memo, "", "phase", NULL));
	json_decref(memo);
	return phase;
}

static void store(struct scene *s, const char *memo) { scripted_claim_store(s->claim, &s->older_memo, memo); }

void scene_restart(struct scene *s, bool forgets)
{
	s->cloud->ops->free(s->cloud);
	if (forgets) {
		CLEANUP(mem_freep) char *older = s->older_memo;
		s->older_memo = NULL;
		store(s, older);
	}
	start(s);
}

static void view(struct scene *s, struct claim_view *v)
{
	ck_assert_msg(claim_view_init(v, s->claim, &s->err) == 0, "%s", s->err.message);
	v->node_class = s->node_class;
}

int scene_launch_step(struct scene *s)
{
	struct claim_view v;
	launch_result_done(&s->launched);
	view(s, &v);
	int result = s->cloud->ops->launch(s->cloud, &v, &s->launched, &s->err);
	claim_view_done(&v);
	if (result == 0 && s->launched.step == STEP_PERSIST)
		store(s, s->launched.memo);
	return result;
}

int scene_terminate_step(struct scene *s)
{
	struct claim_view v;
	terminate_result_done(&s->terminated);
	view(s, &v);
	int result = s->cloud->ops->terminate(s->cloud, &v, &s->terminated, &s->err);
	claim_view_done(&v);
	if (result == 0 && s->terminated.step == STEP_PERSIST)
		store(s, s->terminated.memo);
	return result;
}

/* Steps until the step is an end, or no change comes. */
static void drive(struct scene *s, int (*one)(struct scene *s), const enum step *step, const int64_t *retry_ms)
{
	int64_t ends = clock_now_ms() + PATIENCE_MS;
	for (;;) {
		int seen = atomic_load(&s->changes);
		int64_t quiet = clock_now_ms() + QUIET_MS;
		if (one(s) < 0 || *step == STEP_DONE || *step == STEP_FAILED)
			return;
		ck_assert_msg(clock_now_ms() < ends, "no end in sight: %s", scene_memo(s));
		if (*step == STEP_PERSIST || (*retry_ms > 0 && *retry_ms < 20))
			continue;
		while (atomic_load(&s->changes) == seen && clock_now_ms() < quiet)
			clock_sleep_ms(2);
		if (atomic_load(&s->changes) == seen)
			return;
	}
}

void scene_launch(struct scene *s) { drive(s, scene_launch_step, &s->launched.step, &s->launched.retry_ms); }
void scene_terminate(struct scene *s) { drive(s, scene_terminate_step, &s->terminated.step, &s->terminated.retry_ms); }

void scene_node(struct scene *s, const char *name, const char *pool)
{
	char created[32], id[200];
	snprintf(created, sizeof created, "%s", json_text_at(s->claim, "", "metadata", "creationTimestamp", NULL));
	for (char *c = created; *c; c++)
		*c = *c == ':' ? '-' : *c;
	snprintf(id, sizeof id, "azure:///subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Compute/virtualMachineScaleSets/aks-%s-12345678-vmss/virtualMachines/0", pool);
	fake_put(&KUBE_NODES, json_pack("{s:s,s:s,s:{s:s,s:{s:s,s:s,s:s,s:s}},s:{s:s},s:{s:{s:s}}}", "apiVersion", "v1", "kind", "Node", "metadata", "name", name, "labels",
					"agentpool", pool, LABEL_CREATION_TIMESTAMP, created, LABEL_ZONE, "eastus-2", LABEL_REGION, "eastus", "spec", "providerID", id, "status",
					"capacity", "nvidia.com/gpu", "1"));
	atomic_fetch_add(&s->changes, 1);
}
