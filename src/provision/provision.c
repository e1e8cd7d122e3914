/* provision.c: the table of ways to get nodes, and what they share. */
#include "provision/provision.h"

#include <jansson.h>

void node_report_done(struct node_report *r)
{
	json_decref(r->worker_nodes);
	json_decref(r->first_node);
	r->worker_nodes = r->first_node = NULL;
}
