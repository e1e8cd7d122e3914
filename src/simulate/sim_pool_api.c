/* sim_pool_api.c: the requests for agent pools: PUT, GET, LIST, DELETE, abort, with the refusals of the service in its order: conditions
 * (ETags), the cluster's state, operations under way, limits and quotas. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "codec/json.h"
#include <stdio.h>
#include <strings.h>

/* --- refusals -------------------------------------------------------------------------------------------------------------- */

/* The two wordings of AKS for an operation that is under way. */
void sim_pool_api_busy(struct simulator *s, const struct sim_operation *o, struct sim_reply *r)
{
	static const char *const DOING[] = {[SIM_CREATE] = "Creating", [SIM_UPDATE] = "Updating", [SIM_DELETE] = "Deleting"};
	if (strcmp(s->settings.conflict, "another") == 0)
		sim_errors_answer(s, r, 409, "OperationNotAllowed", "Another agentpool operation (%s - %s) is in progress, please wait for it to finish before starting a new operation.",
				  o->pool, DOING[o->kind]);
	else
		sim_errors_answer(s, r, 409, "OperationNotAllowed", "Operation is not allowed because there's an in progress %s node pool operation. "
				  "Please wait for it to finish before starting a new operation.", sim_operations_word(o->kind));
}

/* The operation that forbids another on this pool, or on any when the cluster takes one at a time. */
static struct sim_operation *running(struct simulator *s, const struct sim_pool *p)
{
	struct map_entry e;
	if (p && p->operation)
		return sim_operations_find(s, p->operation);
	for (size_t i = 0; s->settings.serial && (!p || !p->machine) && map_next(&s->pools, &i, &e);)
		if (((struct sim_pool *)e.value)->operation)
			return sim_operations_find(s, ((struct sim_pool *)e.value)->operation);
	return NULL;
}

/* "*" or a quoted or bare tag. */
static bool tag_matches(const char *header, const struct sim_pool *p)
{
	str h = str_trim(str_of(header));
	if (h.len >= 2 && h.data[0] == '"' && h.data[h.len - 1] == '"')
		h = str_sub(h, 1, h.len - 1);
	return p && (str_eqz(h, "*") || str_eqz(h, p->etag));
}

bool sim_pool_api_conditions(struct simulator *s, const struct sim_request *q, const struct sim_pool *p, struct sim_reply *r)
{
	const char *match = http_header(q->x, "If-Match"), *none = http_header(q->x, "If-None-Match");
	if (strcmp(q->api_version, s->settings.conditions_since) < 0)
		return true;
	if (none && tag_matches(none, p))
		sim_errors_answer(s, r, 412, "PreconditionFailed", "The condition '%.60s' of If-None-Match does not hold: agent pool %s exists.", none, p->name);
	else if (match && !tag_matches(match, p))
		sim_errors_answer(s, r, 412, "EtagMismatch", "The etag '%.60s' of If-Match is not that of agent pool %.12s, which is '%s'.", match, q->pool, p ? p->etag : "");
	else
		return true;
	return false;
}

static bool can_be_new(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	if (s->pool_count < (size_t)s->settings.max_pools)
		return true;
	sim_errors_answer(s, r, 400, "MaxAgentPoolCountReached", "The cluster has %zu agent pools already; the maximum is %lld. Agent pool %s cannot be added.", s->pool_count,
			  (long long)s->settings.max_pools, q->pool);
	return false;
}

static bool can_put(struct simulator *s, const struct sim_request *q, const struct sim_pool *old, struct sim_reply *r)
{
	struct sim_failure f = {0};
	struct sim_operation *o;
	if (!sim_pool_check_name(q->pool)) {
		sim_errors_answer(s, r, 400, "InvalidParameter", "The value of parameter agentPoolProfile.name is invalid. Error details: '%.60s' must match ^[a-z][a-z0-9]{0,11}$.", q->pool);
	} else if (!http_header(q->x, "Content-Type") || !strcasestr(http_header(q->x, "Content-Type"), "application/json")) {
		sim_errors_answer(s, r, 415, "UnsupportedMediaType", "The content media type is not supported. Only 'application/json' is supported.");
	} else if (http_body(q->x).len > LIMIT_SIMULATOR_POOL_BYTES) {
		sim_errors_answer(s, r, 413, "RequestContentTooLarge", "The request content is larger than %zu bytes.", LIMIT_SIMULATOR_POOL_BYTES);
	} else if (!q->body) {
		sim_errors_answer(s, r, 400, "InvalidRequestContent", "The request content was invalid and could not be deserialized: it is not a JSON object.");
	} else if (!sim_pool_api_conditions(s, q, old, r)) {
		/* answered */
	} else if (s->cluster_stopped) {
		sim_errors_answer(s, r, (int)s->settings.stopped_status, "OperationNotAllowed", "Operation is not allowed because the managed cluster %s is stopped. Start it first.", s->cluster);
	} else if ((o = running(s, old))) {
		sim_pool_api_busy(s, o, r);
	} else if (!sim_pool_check_body(s, q->pool, q->body, old, &f) || (!old && !sim_usages_allow(s, q->body, &f))) {
		sim_errors_reply(s, r, &f);
		json_decref(f.details);
	} else {
		return old || can_be_new(s, q, r);
	}
	return false;
}

/* --- PUT, GET, LIST ---------------------------------------------------------------------------------------------------------- */

void sim_pool_api_reply(struct sim_reply *r, int status, struct sim_pool *p)
{
	sim_reply_header(r, "ETag", "\"%s\"", p->etag);
	buf_clear(&r->body);
	buf_put_str(&r->body, sim_pools_text(p));
	r->type = "application/json; charset=utf-8";
	r->status = status;
}

void sim_pool_api_put(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *old = sim_pools_find(s, q->pool), *p;
	if (!can_put(s, q, old, r))
		return;
	bool is_new = !old;
	p = sim_pools_put(s, q->pool, q->body, false);
	/* The first answer always tells of a running operation, as the service does; one that takes no time ends right after. */
	struct sim_operation *o = sim_operations_begin(s, p, is_new ? SIM_CREATE : SIM_UPDATE, &q->effect);
	sim_operations_headers(s, q, o, r);
	sim_pool_api_reply(r, is_new ? 201 : 200, p);
	sim_operations_run(s, o);
}

static struct sim_pool *named(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = sim_pools_find(s, q->pool);
	if (!p)
		sim_errors_answer(s, r, 404, "NotFound", "Agent Pool not found. Agent pool '%.60s' does not exist in cluster '%s'.", q->pool, s->cluster);
	return p;
}

void sim_pool_api_get(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = named(s, q, r);
	if (p)
		sim_pool_api_reply(r, 200, p);
}

/* The number of a pool, from which the next page goes on, so that pools which come and go between pages shift nothing. */
static uint64_t skip_token(const struct sim_request *q)
{
	const char *token = http_query(q->x, "$skipToken");
	int64_t n = 0;
	return token && str_to_i64(str_of(token), &n) && n > 0 ? (uint64_t)n : 0;
}

void sim_pool_api_list(struct simulator *s, struct sim_request *q, struct sim_reply *r) { sim_pool_api_list_of(s, q, NULL, r); }

void sim_pool_api_list_of(struct simulator *s, struct sim_request *q, const char *of, struct sim_reply *r)
{
	uint64_t from = skip_token(q), last = 0;
	int64_t n = 0;
	bool more = false;
	struct map_entry e;
	buf_puts(&r->body, "{\"value\":[");
	for (size_t i = 0; !more && map_next(&s->pools, &i, &e);) { /* in the order of their generations */
		struct sim_pool *p = e.value;
		if (p->generation <= from || (of ? !sim_machine_of(p, of) : p->machine != NULL))
			continue;
		more = s->settings.page_size && n == s->settings.page_size;
		if (more)
			break;
		if (n++)
			buf_putc(&r->body, ',');
		buf_put_str(&r->body, sim_pools_text(p));
		last = p->generation;
	}
	buf_putc(&r->body, ']');
	if (more)
		buf_printf(&r->body, ",\"nextLink\":\"%s%.*s?api-version=%s&$skipToken=%llu\"", q->base, STR_FMT(q->path), q->api_version, (unsigned long long)last);
	buf_putc(&r->body, '}');
	r->type = "application/json; charset=utf-8";
	r->status = 200;
}

/* --- DELETE, abort ------------------------------------------------------------------------------------------------------------ */

/* Whether the deletion may begin: nothing runs, or a creation that gives way. */
static bool can_delete(struct simulator *s, const struct sim_request *q, struct sim_pool *p, struct sim_reply *r)
{
	struct sim_operation *o = running(s, p);
	if (!sim_pool_api_conditions(s, q, p, r))
		return false;
	if (!o)
		return true;
	if (s->settings.delete_preempts && o->kind == SIM_CREATE && o->id == p->operation) {
		sim_operations_finish(s, o->id, SIM_OPERATION_CANCELED);
		return true;
	}
	sim_pool_api_busy(s, o, r);
	return false;
}

void sim_pool_api_delete(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = sim_pools_find(s, q->pool);
	r->status = 204;
	if (!p || !can_delete(s, q, p, r))
		return;
	struct sim_operation *o = sim_operations_begin(s, p, SIM_DELETE, &q->effect);
	sim_operations_headers(s, q, o, r);
	r->status = 202;
	sim_operations_run(s, o);
}

void sim_pool_api_abort(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = named(s, q, r);
	if (!p)
		return;
	r->status = 204;
	if (!p->operation)
		return;
	struct sim_operation *o = sim_operations_find(s, p->operation);
	if (o->kind == SIM_DELETE) {
		sim_pool_api_busy(s, o, r);
		return;
	}
	sim_operations_finish(s, o->id, SIM_OPERATION_CANCELED);
	sim_operations_headers(s, q, o, r);
	r->status = 202;
}
