/* provision.c: the table of ways to get nodes, and what they share. To add a way: a file with its ops, its name in ways.h and a row here. */
#include "provision/ways.h"

#include <string.h>

static const struct { const char *name; const struct provisioner *way; } PROVISIONERS[] = {
	{"azure-gpu-provisioner", &GPU_PROVISIONER},
	{"byo", &BYO_PROVISIONER},
	{"gpu-provisioner", &GPU_PROVISIONER},
	{"karpenter", &KARPENTER_PROVISIONER},
};

const struct provisioner *provisioner_find(const char *name)
{
	for (size_t i = 0; i < sizeof PROVISIONERS / sizeof PROVISIONERS[0]; i++)
		if (strcmp(PROVISIONERS[i].name, name) == 0)
			return PROVISIONERS[i].way;
	return NULL;
}

void node_report_done(struct node_report *r)
{
	json_decref(r->worker_nodes);
	json_decref(r->first_node);
	r->worker_nodes = r->first_node = NULL;
}
