/* ending.h: a claim with its registered Node and machine, and pods on it, for the tests of a Node's end. */
#pragma once
#include "fixture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

/* A registered claim "NAME" with a running instance and a Ready Node "NAME-0" that has the finalizer. Returns the Node, live. */
static inline json_t *ending_claim(const struct dialect *d, const char *name)
{
	CLEANUP(mem_freep) char *id = mem_printf("fake:///%s", name);
	CLEANUP(mem_freep) char *node_name = mem_printf("%s-0", name);
	fixture_claim(d, name, NULL);
	json_t *claim = fixture_get_claim(d, name);
	json_object_set_new(json_object_get(claim, "metadata"), "finalizers", json_pack("[s]", FINALIZER_TERMINATION));
	json_object_set_new(claim, "status", json_pack("{s:s,s:s,s:s}", "providerID", id, "nodeName", node_name, "imageID", "img-1"));
	const char *const types[] = {d->launched, d->registered, d->initialized};
	for (size_t i = 0; i < 3; i++)
		fake_set_condition(claim, types[i], "True", types[i], "");
	fake_cloud_put(name, id, INSTANCE_RUNNING, 1000000);
	json_t *node = fixture_node(node_name, name, true);
	meta_set_label(node, LABEL_KAITO_WORKSPACE, "phi");
	meta_set_label(node, d->pool_label, d->pool_default);
	json_object_set_new(json_object_get(node, "metadata"), "finalizers", json_pack("[s]", FINALIZER_TERMINATION));
	return node;
}

/* RFC 3339 of now + s; static buffers, four in a row. */
static inline const char *ending_time(int64_t s)
{
	static char texts[4][32];
	static int next;
	char *out = texts[next++ & 3];
	clock_rfc3339(clock_wall_s() + s, out);
	return out;
}

static inline void ending_stamp(json_t *object, int64_t s)
{
	json_object_set_new(json_object_get(object, "metadata"), "deletionTimestamp", json_string(ending_time(s)));
}

static inline void ending_keep(json_t *object)
{
	json_object_set_new(json_object_get(object, "metadata"), "finalizers", json_pack("[s]", "test/stays"));
}

/* A running pod of namespace "a" on the Node. Live. */
static inline json_t *ending_pod(const char *node, const char *name)
{
	json_t *pod = meta_new(&KUBE_PODS, "a", name);
	json_object_set_new(pod, "spec", json_pack("{s:s,s:i}", "nodeName", node, "terminationGracePeriodSeconds", 30));
	json_object_set_new(pod, "status", json_pack("{s:s}", "phase", "Running"));
	fake_put(&KUBE_PODS, pod);
	return pod;
}

static inline void ending_own(json_t *pod, const char *kind)
{
	json_object_set_new(json_object_get(pod, "metadata"), "ownerReferences", json_pack("[{s:s,s:s,s:s}]", "apiVersion", "apps/v1", "kind", kind, "name", "o"));
}
