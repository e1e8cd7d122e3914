/* workspace_pods.c: what the pods of a Workspace say about why it is not ready. */
#include "control/workspace_pass.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

/* A pod that the scheduler could not place at once is no news: its node or volume may come this very second. */
static const int64_t SCHEDULING_GRACE_S = 10;

/* Those that are not being deleted, new array. */
static json_t *live_pods(struct workspace_pass *p)
{
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", p->w.namespace_, p->w.name);
	CLEANUP(json_decrefp) json_t *all = informer_find(p->c->op.caches[CACHE_PODS], key);
	json_t *live = json_array();
	size_t i;
	json_t *pod;
	json_array_foreach(all, i, pod)
		if (!meta_deleting(pod))
			json_array_append(live, pod);
	return live;
}

/* Seconds since an RFC 3339 time; INT64_MAX when it is none. */
static int64_t age_s(const char *stamp)
{
	int64_t then = clock_of_rfc3339(stamp);
	return then < 0 ? INT64_MAX : clock_wall_s() - then;
}

static int64_t youngest_s(const json_t *pods)
{
	int64_t least = INT64_MAX;
	size_t i;
	json_t *pod;
	json_array_foreach((json_t *)pods, i, pod) {
		int64_t age = age_s(json_text_at(pod, "", "metadata", "creationTimestamp", NULL));
		least = age < least ? age : least;
	}
	return least;
}

void workspace_find_failure(struct workspace_pass *p)
{
	CLEANUP(json_decrefp) json_t *pods = live_pods(p);
	struct failure f;
	if (!failure_of_pods(pods, &f))
		return;
	int64_t age = youngest_s(pods);
	if (strcmp(f.reason, "Unschedulable") == 0 && age >= 0 && age < SCHEDULING_GRACE_S)
		p->requeue_ms = (SCHEDULING_GRACE_S - age) * 1000;
	else
		p->found.failure = f;
}
