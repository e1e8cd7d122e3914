/* node_class.c: whether a KaitoNodeClass can be used, told in its status: the cloud looks at its fields. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "nodes/root_condition.h"

#define VALID "ValidationSucceeded"

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	(void)namespace_;
	(void)out;
	static const char *const DEPENDENTS[] = {VALID, NULL};
	struct nodes *n = world;
	CLEANUP(json_decrefp) json_t *class = informer_get(n->op.caches[NODES_CLASSES], NULL, name);
	if (!class || meta_deleting(class))
		return 0;
	char now[32];
	struct err why = ERR_INIT;
	CLEANUP(json_decrefp) json_t *status = object_status_copy(class);
	int rc = n->cloud->ops->check_class(n->cloud, json_object_get(class, "spec"), &why);
	clock_rfc3339(clock_wall_s(), now);
	/* What cannot be told now was perhaps told before of the same spec, and still holds. */
	const json_t *told = condition_find(json_object_get(status, "conditions"), VALID);
	if (rc >= 0 || json_int_at(told, -1, "observedGeneration", NULL) != meta_generation(class))
		root_condition_put(status, VALID, rc == 0 ? "True" : rc > 0 ? "False" : "Unknown", rc == 0 ? "" : rc > 0 ? "NodeClassInvalid" : "CheckFailed",
				   rc == 0 ? "" : why.message, meta_generation(class), now);
	root_condition_set(status, DEPENDENTS, meta_generation(class), now);
	const struct object_home home = {n->op.kube, &KUBE_NODE_CLASSES, n->op.caches[NODES_CLASSES]};
	struct err failure = ERR_INIT;
	if (object_write_status(&home, &class, status, &failure) < 0) {
		if (failure.kind == ERR_NOT_FOUND)
			return 0; /* gone meanwhile, or of an older definition that has no status */
		*err = failure;
		return -1;
	}
	if (rc < 0) {
		*err = why;
		return err_wrap(err, "check KaitoNodeClass %s", name);
	}
	return 0;
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	(void)world;
	(void)cache;
	add(list, meta_name(object));
}

static const int CACHES[] = {NODES_CLASSES};
const struct operator_controller NODES_CLASS = {
	.name = "nodeclass",
	.workers = 1,
	.reconcile = reconcile,
	.keys = keys,
	.caches = CACHES,
	.n_caches = sizeof CACHES / sizeof CACHES[0],
};
