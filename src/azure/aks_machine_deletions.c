/* aks_machine_deletions.c: see aks_machine_deletions.h. */
#include "azure/aks_machine_deletions.h"

#include "azure/fulfilment.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include <pthread.h>
#include <string.h>

#define COLLECT_MS 500
#define SENDING_MS 100      /* how soon a claim asks again whose batch is on its way */
#define FORGET_MS 300000    /* a result that nobody came for */

/* --- one request ------------------------------------------------------------------------------------------------- */

static int post(struct azure *a, const char *pool, const json_t *names, struct arm_answer *answer, int64_t *wait_ms, struct err *err)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(a->environment, pool);
	CLEANUP(mem_freep) char *url = mem_printf("%s/deleteMachines", path);
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:O}", "machineNames", names);
	struct arm_request q = {.method = "POST", .url = url, .api_version = aks_machine_version(a->options.api_version), .body = body, .class = ARM_POST};
	int sent = arm_send(a->arm, &q, answer, wait_ms, err);
	if (sent == 1)
		pools_yield(a->pools);
	return sent;
}

int azure_delete_machine(struct azure *a, const json_t *machine, int *attempts, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err)
{
	struct agent_pool p;
	char pool[POOL_NAME_MAX + 1];
	if (!agent_pool_read(&p, machine) || !p.machine)
		return err_set(err, ERR_INTERNAL, "not a machine");
	CLEANUP(json_decrefp) json_t *names = json_pack("[s]", aks_machine_name_of(p.name));
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int sent = post(a, aks_machine_pool_of(p.name, pool), names, &answer, wait_ms, err);
	if (sent != 0)
		return sent == 1 ? 2 : -1;
	if (answer.status < 300) {
		*attempts = 0;
		return azure_delete_accepted(a, p.name, machine, &answer, operation);
	}
	if (answer.status == 400 && (*attempts)++ == 0) { /* the service calls a machine that is gone a wrong parameter: a list tells */
		*wait_ms = 1000;
		return 2;
	}
	int result = azure_delete_refused(&answer, attempts, wait_ms, why);
	if (result == 1)
		pools_learn(a->pools, p.name, NULL);
	return result;
}

/* --- batches ----------------------------------------------------------------------------------------------------- */

struct row { /* open: neither sending nor ended */
	bool sending, ended, alone;
	int64_t ended_ms;
	json_t *machine, *operation;
	int result;
	int64_t wait_ms;
	struct failure why;
	struct err err;
};
struct aks_machine_deletions {
	pthread_mutex_t mu;   /* guards all below */
	struct map rows;      /* unit -> struct row */
	int64_t due_ms;       /* when the open ones are sent */
};

static void row_free(void *value)
{
	struct row *r = value;
	json_decref(r->machine);
	json_decref(r->operation);
	free(r);
}

struct aks_machine_deletions *aks_machine_deletions_new(void)
{
	struct aks_machine_deletions *d = mem_alloc(sizeof *d);
	pthread_mutex_init(&d->mu, NULL);
	d->rows.free_value = row_free;
	return d;
}

void aks_machine_deletions_free(struct aks_machine_deletions *d)
{
	if (!d)
		return;
	map_done(&d->rows);
	pthread_mutex_destroy(&d->mu);
	free(d);
}

static bool is_open(const struct row *r) { return !r->sending && !r->ended; }

static struct row *add(struct aks_machine_deletions *d, const char *unit, const json_t *machine, int64_t now)
{
	struct map_entry at;
	bool collecting = false;
	for (size_t i = 0; map_next(&d->rows, &i, &at);) {
		const struct row *r = at.value;
		collecting = collecting || is_open(r);
		if (r->ended && now - r->ended_ms > FORGET_MS)
			map_remove(&d->rows, at.key);
	}
	struct row *r = mem_alloc(sizeof *r);
	r->machine = json_deep_copy(machine);
	map_put(&d->rows, str_of(unit), r);
	if (!collecting)
		d->due_ms = now + COLLECT_MS;
	return r;
}

struct batch { char pool[POOL_NAME_MAX + 1]; char **units; json_t *names; size_t n; };

/* The open ones of the unit's pool, which are sending from now on. */
static void take(struct aks_machine_deletions *d, const char *unit, struct batch *b)
{
	struct map_entry at;
	aks_machine_pool_of(unit, b->pool);
	b->units = mem_array(LIMIT_MACHINE_BATCH, sizeof *b->units);
	b->names = json_array();
	for (size_t i = 0; b->n < LIMIT_MACHINE_BATCH && map_next(&d->rows, &i, &at);) {
		struct row *r = at.value;
		char pool[POOL_NAME_MAX + 1];
		b->units[b->n] = mem_strndup(at.key.data, at.key.len);
		if (!is_open(r) || strcmp(aks_machine_pool_of(b->units[b->n], pool), b->pool) != 0) {
			free(b->units[b->n]);
			continue;
		}
		r->sending = true;
		json_array_append_new(b->names, json_string(aks_machine_name_of(b->units[b->n++])));
	}
}

/* What the answer means for one of the batch. */
static void settle(struct azure *a, struct row *r, const char *unit, const struct batch *b, int sent, const struct arm_answer *answer, int64_t wait_ms, const struct err *err)
{
	int attempts = 0;
	r->wait_ms = wait_ms;
	r->err = *err;
	if (sent != 0) {
		r->result = sent == 1 ? 2 : -1;
	} else if (answer->status < 300) {
		r->result = azure_delete_accepted(a, unit, r->machine, answer, &r->operation);
	} else {
		r->alone = answer->status == 400 || (b->n > 1 && answer->status != 429 && answer->status < 500);
		r->result = azure_delete_refused(answer, &attempts, &r->wait_ms, &r->why);
		if (r->alone)
			r->result = 2, r->wait_ms = 1;
	}
	r->sending = false;
	r->ended = true;
	r->ended_ms = clock_now_ms();
}

static void send_batch(struct azure *a, struct batch *b)
{
	struct aks_machine_deletions *d = a->deletions;
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	struct err err = ERR_INIT;
	int64_t wait_ms = 0;
	int sent = post(a, b->pool, b->names, &answer, &wait_ms, &err);
	pthread_mutex_lock(&d->mu);
	for (size_t i = 0; i < b->n; i++) {
		settle(a, map_get(&d->rows, str_of(b->units[i])), b->units[i], b, sent, &answer, wait_ms, &err);
		free(b->units[i]);
	}
	pthread_mutex_unlock(&d->mu);
	free(b->units);
	json_decref(b->names);
}

/* The claim's result, or when to ask for it. mu is held. */
static int collect(struct aks_machine_deletions *d, const char *unit, struct flight *f, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err)
{
	struct row *r = map_get(&d->rows, str_of(unit));
	if (!r->ended) {
		int64_t left_ms = d->due_ms - clock_now_ms();
		*wait_ms = r->sending || left_ms < 1 ? SENDING_MS : left_ms;
		return 4;
	}
	int result = r->result;
	*operation = json_incref(r->operation);
	*wait_ms = r->wait_ms;
	*why = r->why;
	f->alone = r->alone;
	if (result < 0)
		*err = r->err;
	map_remove(&d->rows, str_of(unit));
	return result;
}

int azure_delete_machine_batched(struct azure *a, const json_t *machine, struct flight *f, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err)
{
	struct aks_machine_deletions *d = a->deletions;
	struct agent_pool p;
	struct batch b = {0};
	int64_t now = clock_now_ms();
	if (f->alone)
		return azure_delete_machine(a, machine, &f->attempts, operation, wait_ms, why, err);
	if (!agent_pool_read(&p, machine) || !p.machine)
		return err_set(err, ERR_INTERNAL, "not a machine");
	pthread_mutex_lock(&d->mu);
	struct row *r = map_get(&d->rows, str_of(p.name));
	if (!r)
		r = add(d, p.name, machine, now);
	if (is_open(r) && now >= d->due_ms)
		take(d, p.name, &b);
	pthread_mutex_unlock(&d->mu);
	if (b.n > 0)
		send_batch(a, &b);
	pthread_mutex_lock(&d->mu);
	int result = collect(d, p.name, f, operation, wait_ms, why, err);
	pthread_mutex_unlock(&d->mu);
	return result;
}
