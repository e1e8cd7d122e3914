/* world.h: a `struct control` over the fake API server, with the caches that the controllers under test read. */
#pragma once
#include "control/caches.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "provision/fake_kube.h"
#include <string.h>

struct world { struct control_options options; struct node_options nodes; struct control c; };

static inline void world_event(void *context, enum informer_event event, const json_t *object)
{
	(void)context;
	(void)event;
	(void)object;
}

static inline void world_open(struct world *w)
{
	static const bool WANTED[CACHE_COUNT] = {
		[CACHE_WORKSPACES] = true, [CACHE_INFERENCE_SETS] = true, [CACHE_MULTI_ROLES] = true, [CACHE_STATEFULSETS] = true,
		[CACHE_NODE_CLAIMS] = true, [CACHE_NODE_POOLS] = true,
	};
	fake_reset();
	*w = (struct world){.options = control_options_default()};
	w->options.base_tag = "0.5.0";
	w->nodes = (struct node_options){"azure", "", "nodeclaim", "karpenter.azure.com", "AKSNodeClass", "v1beta1", "aksnodeclasses", "[{\"name\":\"d\",\"default\":true}]"};
	w->c = (struct control){.options = &w->options, .op.kube = fake_client(), .op.events = fake_events(), .provisioner = provisioner_find("karpenter")};
	for (size_t i = 0; i < CACHE_COUNT; i++)
		if (WANTED[i])
			w->c.op.caches[i] = operator_cache_new(w->c.op.kube, &CACHES[i], caches_resource(&w->c, (int)i), world_event, NULL);
	w->c.nodes = (struct node_context){w->c.op.kube, NULL, w->c.op.caches[CACHE_NODE_CLAIMS], w->c.op.caches[CACHE_NODE_POOLS], w->c.op.events, &w->nodes};
}

static inline void world_close(struct world *w)
{
	for (size_t i = 0; i < CACHE_COUNT; i++)
		informer_free(w->c.op.caches[i]);
}

/* Passes until nothing is written any more; at most 20. */
static inline void world_settle(struct world *w, const struct operator_controller *controller, const char *name)
{
	for (int i = 0; i < 20; i++) {
		struct outcome out = {0};
		struct err err = ERR_INIT;
		size_t before = strlen(fake_log());
		int rc = controller->reconcile(&w->c, "ns", name, &out, &err);
		ck_assert_msg(rc == 0, "%s", err.message);
		if (strlen(fake_log()) == before)
			return;
	}
	ck_abort_msg("passes do not come to rest: %s", fake_log());
}

static inline json_t *world_condition(const json_t *object, const char *type)
{
	json_t *c;
	size_t i;
	json_array_foreach(json_at(object, "status", "conditions", NULL), i, c)
		if (strcmp(json_text_at(c, "", "type", NULL), type) == 0)
			return c;
	return NULL;
}

#define ck_assert_condition(object, type, wanted_status, wanted_reason, wanted_message) \
	do { \
		const json_t *c_ = world_condition(object, type); \
		ck_assert_str_eq(json_text_at(c_, "", "status", NULL), wanted_status); \
		ck_assert_str_eq(json_text_at(c_, "", "reason", NULL), wanted_reason); \
		ck_assert_str_eq(json_text_at(c_, "", "message", NULL), wanted_message); \
	} while (0)
