/* fleet_request.h: the request that makes a claim's instance: CreateFleet of type instant, with all instance types and zones that may do in
 * the order of the claim; or, where that is not permitted, RunInstances of the first of them. */
#pragma once
#include "aws/plan.h"
#include "cloud/offerings.h"

struct fleet_choice {
	bool spot;
	size_t n;                /* instance types and zones in the request; 0: none is open */
	char reason[65];         /* of the first that is not open; "" */
	int64_t ends_s;          /* when the first one opens again (Unix time) */
};
struct fleet_context { struct offerings *offerings; const struct aws_settings *settings; bool run_instances; };
/* *form: the caller frees; NULL when nothing is open. attempt: part of the ClientToken. note (may be NULL) gets a line of text per offering. */
void fleet_request_make(const struct fleet_context *c, const struct claim_view *claim, const struct plan *p, int64_t attempt, char **form, struct fleet_choice *choice, struct buf *note);
/* Calls fn for each instance type and zone of a form that fleet_request_make made. */
void fleet_request_each(const char *form, void (*fn)(void *context, const char *type, const char *zone), void *context);
char *fleet_request_template(const char *form); /* its launch template's name; the caller frees; NULL: none */
bool fleet_request_is_fleet(const char *form);
/* The value of a field, decoded; the caller frees; NULL: absent. */
char *fleet_request_field(const char *form, const char *name);
/* The instance in the answer to such a form, or NULL. */
const char *fleet_request_instance(const json_t *body);
