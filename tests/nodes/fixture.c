/* fixture.c: see fixture.h. */
#include "fixture.h"

#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

static void open_caches(struct nodes *n)
{
	for (size_t i = 0; i < NODES_CACHE_COUNT; i++) {
		const struct operator_cache *row = &NODES_CACHES[i];
		n->op.caches[i] = informer_new(fake_client(), &(struct informer_options){.resource = row->resource, .transform = row->transform, .index = row->index});
	}
}

static void close_caches(struct nodes *n)
{
	for (size_t i = 0; i < NODES_CACHE_COUNT; i++) {
		informer_free(n->op.caches[i]);
		n->op.caches[i] = NULL;
	}
}

struct nodes *fixture_new(void)
{
	fake_reset();
	fake_cloud_reset();
	struct nodes *n = mem_alloc(sizeof *n);
	n->options = (struct nodes_options){.claims = true, .machines = true, .pools = true};
	n->cloud = fake_cloud();
	n->op.kube = fake_client();
	n->op.events = fake_events();
	n->op.metrics = nodes_metrics_new("test");
	open_caches(n);
	return n;
}

void fixture_free(struct nodes *n)
{
	close_caches(n);
	metrics_free(n->op.metrics);
	free(n);
	fake_reset();
	fake_cloud_reset();
}

void fixture_restart(struct nodes *n)
{
	fake_crash(0, false);
	close_caches(n);
	memset(&n->holdoff, 0, sizeof n->holdoff);
	open_caches(n);
}

int fixture_pass(struct nodes *n, const struct operator_controller *c, const char *key, int64_t *requeue_ms, struct err *err)
{
	struct outcome out = {0};
	const char *slash = strchr(key, '/');
	CLEANUP(mem_freep) char *first = mem_strndup(key, slash ? (size_t)(slash - key) : 0);
	int rc = c->reconcile(n, first, slash ? slash + 1 : key, &out, err);
	if (requeue_ms)
		*requeue_ms = out.requeue_ms;
	return rc;
}

void fixture_claim(const struct dialect *d, const char *name, const char *spec)
{
	json_t *claim = meta_new(d->claims, NULL, name);
	meta_set_label(claim, LABEL_KAITO_WORKSPACE, "phi");
	meta_set_label(claim, d->pool_label, d->pool_default);
	json_object_set_new(claim, "spec", json_pack("{s:[{s:s,s:s,s:[s]}],s:{s:{s:s}}}", "requirements", "key", LABEL_INSTANCE_TYPE, "operator", "In", "values",
						     "Standard_NC24ads_A100_v4", "resources", "requests", "storage", "100Gi"));
	if (spec) {
		json_t *more = json_loads(spec, 0, NULL);
		json_object_update(json_object_get(claim, "spec"), more);
		json_decref(more);
	}
	fake_put(d->claims, claim);
}

json_t *fixture_get_claim(const struct dialect *d, const char *name)
{
	return fake_object(d->claims, NULL, name);
}

json_t *fixture_node(const char *name, const char *pool, bool ready)
{
	json_t *node = meta_new(&KUBE_NODES, NULL, name);
	CLEANUP(mem_freep) char *id = mem_printf("fake:///%s", pool);
	meta_set_label(node, "agentpool", pool);
	meta_set_label(node, LABEL_INSTANCE_TYPE, "Standard_NC24ads_A100_v4");
	meta_set_label(node, LABEL_ZONE, "westus3-1");
	json_object_set_new(node, "spec", json_pack("{s:s}", "providerID", id));
	json_object_set_new(node, "status", json_pack("{s:{s:s,s:s},s:{s:s,s:s}}", "capacity", "cpu", "24", "nvidia.com/gpu", "1", "allocatable", "cpu", "23", "nvidia.com/gpu", "1"));
	fake_set_condition(node, "Ready", ready ? "True" : "False", "Kubelet", "");
	fake_put(&KUBE_NODES, node);
	return fake_object(&KUBE_NODES, NULL, name);
}

const char *fixture_condition(const json_t *object, const char *type, const char *key)
{
	return json_text_at(condition_find(json_at(object, "status", "conditions", NULL), type), "", key, NULL);
}

size_t fixture_writes(const char *line_start)
{
	size_t n = 0;
	for (const char *at = fake_log(); at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		n += strncmp(at, line_start, strlen(line_start)) == 0;
	return n;
}
