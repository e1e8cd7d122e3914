/* kwok.h: claims fulfilled by Nodes without machines, to try the system where no cloud is: a claim gets a Node object at once, labelled and
 * annotated so that kwok's controller plays its kubelet; or this one says itself that the Node is Ready. */
#pragma once
#include "cloud/cloud.h"
#include "kube/client.h"

struct kwok_options {
	struct kube_client *kube;     /* borrowed, as the next */
	struct cloud_hooks hooks;     /* nodes: where Nodes are looked up; must not be NULL but for explain */
	const char *region;           /* NULL: "kwok" */
	bool ready;                   /* Nodes are made Ready here: no kwok controller runs */
	int64_t join_ms;              /* a Node appears this long after its claim was made */
};
struct cloud *kwok_new(const struct kwok_options *o);
