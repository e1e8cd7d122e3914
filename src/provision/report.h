/* report.h: conditions and lists of a node_report, in upstream's words. */
#pragma once
#include "provision/claim.h"

void report_condition(struct node_condition *out, bool true_, const char *reason, const char *message);
/* NodesReady, worker_nodes and first_node from the usable nodes; a note about nodes under pressure is added. true: enough of them. */
bool report_nodes(struct node_report *out, const json_t *usable, int count, const char *ready_message);
/* NodeClaimReady: `needed` claims are Ready and stay; else why the first that is not Ready is not. true: enough of them. */
bool report_claims(struct node_report *out, const struct claim_dialect *d, const json_t *claims, int needed);
/* NodesReady turns False while a GPU device plug-in is awaited. */
void report_plugins_missing(struct node_report *out);
/* Nothing is wanted any more (node_request.release). */
void report_released(struct node_report *out);
