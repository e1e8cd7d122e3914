/* fulfilment.c: see fulfilment.h: the requests and look-ups that creating and deleting have in common. */
#include "azure/fulfilment.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

int64_t azure_jitter(int64_t low, int64_t high)
{
	uint32_t random = 0;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK); /* without entropy there is no spread, which is no harm */
	return high > low ? low + random % (high - low) : low;
}

int64_t azure_in_progress_ms(int waits)
{
	int64_t times = waits < 5 ? waits + 1 : 6;
	return azure_jitter(IN_PROGRESS_MIN_MS * times, IN_PROGRESS_MAX_MS * times);
}

/* --- Nodes ------------------------------------------------------------------------------------------------------- */

/* A Node of an earlier pool of the same name carries that claim's creation time. */
static bool made_for(const json_t *node, const struct claim_view *claim)
{
	char wanted[32] = "";
	struct tm tm;
	time_t at = (time_t)claim->created_s;
	const char *created = meta_label(node, LABEL_CREATION_TIMESTAMP);
	if (!created || !gmtime_r(&at, &tm))
		return true;
	strftime(wanted, sizeof wanted, "%Y-%m-%dT%H-%M-%SZ", &tm);
	return strcmp(created, wanted) == 0;
}

/* The Nodes of a pool know its name; all machines are of one pool, so there the VM tells. NULL: it is not known yet. */
static char *node_key(struct azure *a, const char *unit)
{
	if (!aks_machine_is(unit))
		return mem_printf("%s%s", NODE_KEY_POOL, unit);
	CLEANUP(json_decrefp) json_t *known = pools_known(a->pools, unit);
	const char *vm = json_text_at(known, "", "properties", "resourceId", NULL);
	CLEANUP(mem_freep) char *id = agent_pool_provider_id(vm);
	return vm[0] ? cloud_node_key(id) : NULL;
}

json_t *azure_node(struct azure *a, const char *unit, const struct claim_view *claim)
{
	CLEANUP(mem_freep) char *key = a->options.hooks.nodes ? node_key(a, unit) : NULL;
	if (!key)
		return NULL;
	CLEANUP(json_decrefp) json_t *nodes = informer_find(a->options.hooks.nodes, key);
	json_t *node, *found = NULL;
	size_t i, n = 0;
	json_array_foreach(nodes, i, node) {
		if (meta_deleting(node) || (claim && !made_for(node, claim)))
			continue;
		n++;
		if (json_text_at(node, "", "spec", "providerID", NULL)[0])
			found = node;
	}
	return n == 1 ? json_incref(found) : NULL;
}

/* --- one unit ---------------------------------------------------------------------------------------------------- */

const char *azure_unit_version(const struct azure *a, const char *unit)
{
	return aks_machine_is(unit) ? aks_machine_version(a->options.api_version) : a->options.api_version;
}

const char *azure_unit_word(const char *unit) { return aks_machine_is(unit) ? "machine" : "agent pool"; }

json_t *azure_unit_answer(const char *unit, const json_t *body)
{
	char pool[POOL_NAME_MAX + 1];
	struct agent_pool p;
	if (aks_machine_is(unit)) {
		json_t *machine = aks_machine_as_pool(body, aks_machine_pool_of(unit, pool));
		if (machine && strcasecmp(json_text_at(machine, "", "name", NULL), unit) == 0)
			return machine;
		json_decref(machine);
		return NULL;
	}
	return agent_pool_read(&p, body) ? json_incref((json_t *)(uintptr_t)body) : NULL;
}

int azure_unit_body(const struct azure *a, const struct claim_view *claim, const struct offering *o, const char *unit, json_t **out, struct err *err)
{
	json_t *pool = NULL;
	if (agent_pool_body(claim, o, unit, azure_unit_version(a, unit), &pool, err) < 0)
		return -1;
	if (!aks_machine_is(unit)) {
		*out = pool;
		return 0;
	}
	int made = aks_machine_body(pool, out, err);
	json_decref(pool);
	return made;
}

static bool has_already(struct azure *a, const struct claim_view *claim, const char *unit)
{
	CLEANUP(json_decrefp) json_t *known = a->pools ? pools_known(a->pools, unit) : NULL;
	struct agent_pool p;
	return known && agent_pool_read(&p, known) && agent_pool_is_of(&p, claim);
}

void azure_unit_of(struct azure *a, const struct claim_view *claim, char out[UNIT_NAME_MAX + 1])
{
	char pool[POOL_NAME_MAX + 1], machine[UNIT_NAME_MAX + 1];
	bool machines = a->options.machines;
	if (agent_pool_unit_of_provider_id(json_text_at(claim->object, "", "status", "providerID", NULL), out) && aks_machine_is(out))
		return;
	agent_pool_name(claim, pool);
	aks_machine_unit(claim, azure_machines_pool(a), machine);
	if (has_already(a, claim, machines ? pool : machine))
		machines = !machines;
	snprintf(out, UNIT_NAME_MAX + 1, "%s", machines ? machine : pool);
}

int azure_read_pool(struct azure *a, const char *unit, json_t **out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(a->environment, unit);
	struct arm_request q = {.method = "GET", .url = path, .api_version = azure_unit_version(a, unit), .class = ARM_GET};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int sent = arm_send(a->arm, &q, &answer, wait_ms, err);
	if (sent != 0)
		return sent == 1 ? 2 : -1;
	json_t *read = answer.status == 200 ? azure_unit_answer(unit, answer.body) : NULL;
	if (read) {
		pools_learn(a->pools, unit, read);
		*out = read;
		return 0;
	}
	struct failure f;
	taxonomy_classify(&answer.error, false, &f);
	if (answer.status == 404 && f.row->handling == HANDLE_GONE) {
		pools_learn(a->pools, unit, NULL);
		return 1;
	}
	return err_set(err, answer.status == 401 || answer.status == 403 ? ERR_DENIED : ERR_PROTOCOL, "%s %s: %.200s", azure_unit_word(unit), unit,
		       answer.status == 200 ? "the answer is another thing" : f.message);
}

int azure_poll(struct azure *a, const struct memo *m, enum operation_state *state, struct arm_error *failure, int64_t *wait_ms, struct err *err)
{
	struct operation o = {0};
	if (!m->operation)
		return err_set(err, ERR_NOT_FOUND, "no operation is known");
	if (operation_of_json(&o, m->operation, a->environment, err) < 0)
		return -1;
	struct arm_request q = {.method = "GET", .url = o.url, .api_version = o.url[0] == '/' ? azure_unit_version(a, m->pool) : "", .class = o.style == OPERATION_BODY ? ARM_GET : ARM_OPERATION};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int sent = arm_send(a->arm, &q, &answer, wait_ms, err);
	if (sent == 0 && operation_feed(&o, &answer, state, failure, err) < 0)
		sent = -1;
	operation_done(&o);
	return sent;
}

/* --- DELETE ------------------------------------------------------------------------------------------------------ */

/* The pool is known as being deleted until a list says more. */
static void learn_deleting(struct azure *a, const char *name, const json_t *pool)
{
	CLEANUP(json_decrefp) json_t *copy = json_deep_copy(pool);
	json_t *properties = json_object_get(copy, "properties");
	if (properties)
		json_object_set_new(properties, "provisioningState", json_string("Deleting"));
	pools_learn(a->pools, name, copy);
}

int azure_delete_accepted(struct azure *a, const char *name, const json_t *unit, const struct arm_answer *answer, json_t **operation)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(a->environment, name);
	struct operation o = {0};
	enum operation_state state = OPERATION_RUNNING;
	struct err ignored = ERR_INIT; /* an answer that names no way to ask: the list tells */
	if (answer->status == 204 && !aks_machine_is(name)) {
		pools_learn(a->pools, name, NULL);
		return 1;
	}
	if (operation_begin(&o, "DELETE", path, answer, &state, &ignored) == 0 && o.style != OPERATION_NONE)
		*operation = operation_json(&o);
	operation_done(&o);
	learn_deleting(a, name, unit);
	return 0;
}

int azure_delete_refused(const struct arm_answer *answer, int *attempts, int64_t *wait_ms, struct failure *why)
{
	taxonomy_classify(&answer->error, false, why);
	switch (why->row->handling) {
	case HANDLE_GONE:
		return answer->status == 404 ? 1 : 3;
	case HANDLE_REREAD:
		*wait_ms = 1; /* a list comes before */
		return 2;
	case HANDLE_IN_PROGRESS:
		*wait_ms = azure_in_progress_ms((*attempts)++);
		return 2;
	case HANDLE_THROTTLED:
	case HANDLE_PASSING:
		*wait_ms = arm_retry_ms(answer->status, ++*attempts, answer->retry_after_ms);
		if (*wait_ms < 0)
			*wait_ms = answer->retry_after_ms > 0 ? answer->retry_after_ms : 60000;
		return 2;
	case HANDLE_OFFERING:
	case HANDLE_CREATE_ERROR:
	case HANDLE_TERMINAL:
	case HANDLE_CONFIGURATION:
	case HANDLE_CLUSTER_GONE:
		break;
	}
	return 3;
}

int azure_delete_pool(struct azure *a, const json_t *pool, int *attempts, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err)
{
	struct agent_pool p;
	if (!agent_pool_read(&p, pool))
		return err_set(err, ERR_INTERNAL, "not an agent pool");
	if (p.machine)
		return azure_delete_machine(a, pool, attempts, operation, wait_ms, why, err);
	CLEANUP(mem_freep) char *path = arm_pool_path(a->environment, p.name);
	struct arm_request q = {.method = "DELETE", .url = path, .class = ARM_DELETE, .pool = p.name, .if_match = p.etag[0] ? p.etag : NULL};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int sent = arm_send(a->arm, &q, &answer, wait_ms, err);
	if (sent == 1)
		pools_yield(a->pools);
	if (sent != 0)
		return sent == 1 ? 2 : -1;
	if (answer.status < 300) {
		*attempts = 0;
		return azure_delete_accepted(a, p.name, pool, &answer, operation);
	}
	int result = azure_delete_refused(&answer, attempts, wait_ms, why);
	if (result == 1)
		pools_learn(a->pools, p.name, NULL);
	return result;
}
