/* pools.c: see pools.h; lister.h makes the lists and knows who asked for one. What is known of a pool carries the time it was true at: the start of
 * the LIST that showed it, or the moment of an own request's answer. A LIST that began before that moment says nothing about the pool, so that
 * a pool just created never seems gone. Trees stay inside, where the mutex guards them; what is handed out is a copy. */
#include "azure/pools.h"

#include "azure/pools_listing.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "cloud/lister.h"
#include "codec/json.h"
#include <string.h>

/* Between lists, in units of the least spacing: after something is expected, then the second, then on, and after PATIENT_AFTER_MS
 * without a change. */
enum { FIRST = 1, SECOND = 2, STEADY = 5, PATIENT = 10 };
#define PATIENT_AFTER_MS 120000
#define YIELD_MS 10000 /* how long pools_yield lasts */

struct entry {
	char *claim;        /* who waits for it to change; NULL: nobody */
	char *pool;         /* its JSON as text; NULL: not there */
	int64_t known_ms;   /* 0: never known */
	bool expected;
};
struct pools {
	struct arm *arm;
	const struct azure_environment *environment;
	char what[96];
	struct lister *lister; /* its lock guards all below */
	struct map entries;    /* pool -> struct entry */
	struct pools_pages pages; /* of the thread that lists alone */
	size_t expected;       /* entries that are */
	int64_t changed_ms;    /* when something was last expected or seen to change */
	int64_t yield_ms;      /* until then */
	int rounds;            /* lists since changed_ms */
};

static void entry_free(void *value)
{
	struct entry *e = value;
	free(e->pool);
	free(e->claim);
	free(e);
}

static struct entry *entry_at(struct pools *p, const char *pool)
{
	struct entry *e = map_get(&p->entries, str_of(pool));
	if (!e)
		map_put(&p->entries, str_of(pool), e = mem_alloc(sizeof *e));
	return e;
}

/* An entry that nobody waits for and that has no pool is forgotten. */
static void tidy(struct pools *p, const char *pool)
{
	struct entry *e = map_get(&p->entries, str_of(pool));
	if (e && !e->pool && !e->expected)
		map_remove(&p->entries, str_of(pool));
}

/* --- when ------------------------------------------------------------------------------------------------------- */

static int64_t spacing(const struct pools *p, bool asked, int64_t now)
{
	if (now < p->yield_ms)
		return PATIENT;
	if (asked || p->rounds == 0)
		return FIRST;
	if (p->rounds == 1)
		return SECOND;
	return now - p->changed_ms < PATIENT_AFTER_MS ? STEADY : PATIENT;
}

static int64_t due(const void *context, bool asked, int64_t ended_ms, int64_t now)
{
	const struct pools *p = context;
	if (asked && ended_ms == 0)
		return now;
	if (!asked && p->expected == 0)
		return -1;
	bool from_change = !asked && p->rounds == 0 && p->changed_ms > ended_ms;
	return (from_change ? p->changed_ms : ended_ms) + spacing(p, asked, now) * lister_unit_ms(p->lister);
}

static void changed_now(struct pools *p)
{
	p->changed_ms = clock_now_ms();
	p->rounds = 0;
}

/* --- what changed ------------------------------------------------------------------------------------------------ */

/* New reference; NULL for NULL. */
static json_t *parse(const char *text)
{
	json_t *pool = NULL;
	struct err ignored = ERR_INIT; /* it was printed here */
	return text && json_parse(&pool, str_of(text), "agent pool", &ignored) == 0 ? pool : NULL;
}

static bool differs(const char *before, const char *now)
{
	if (!before || !now || strcmp(before, now) == 0)
		return before != now && (!before || !now);
	CLEANUP(json_decrefp) json_t *a = parse(before), *b = parse(now);
	struct agent_pool x, y;
	if (!agent_pool_read(&x, a) || !agent_pool_read(&y, b))
		return true;
	return strcmp(x.state, y.state) != 0 || x.instance != y.instance || strcmp(x.claim_uid, y.claim_uid) != 0;
}

/* A list that began at started_ms shows `pool` (NULL: not) for the entry. */
static void show(struct pools *p, struct entry *e, const char *pool, int64_t started_ms)
{
	if (e->known_ms > started_ms)
		return;
	bool changed = differs(e->pool, pool);
	if (!pool || !e->pool || strcmp(pool, e->pool) != 0) {
		free(e->pool);
		e->pool = pool ? mem_strdup(pool) : NULL;
	}
	e->known_ms = started_ms;
	if (changed)
		changed_now(p);
	if (changed && e->expected)
		lister_tell(p->lister, e->claim);
}

static void show_all(struct pools *p, const struct map *listed, int64_t started_ms)
{
	struct map_entry at;
	for (size_t i = 0; map_next(listed, &i, &at);)
		entry_at(p, at.key.data);
	for (size_t i = 0; map_next(&p->entries, &i, &at);) {
		const struct entry *e = at.value;
		show(p, at.value, map_get(listed, at.key), started_ms);
		if (!e->pool && !e->expected)
			map_remove(&p->entries, at.key);
	}
}

static void listed_free(struct map *listed)
{
	map_done(listed);
	free(listed);
}

static void take(void *context, void *list, int64_t started_ms)
{
	struct pools *p = context;
	p->rounds++;
	if (!list)
		return;
	show_all(p, list, started_ms);
	listed_free(list);
}

static int make(void *context, void **list, int64_t *wait_ms, struct err *err)
{
	struct pools *p = context;
	struct map *listed = mem_alloc(sizeof *listed);
	listed->free_value = free;
	int rc = pools_listing(p->arm, p->environment, &p->pages, listed, wait_ms, err);
	if (rc == 0)
		*list = listed;
	else
		listed_free(listed);
	return rc;
}

struct pools *pools_new(struct arm *arm, const struct azure_environment *e, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel)
{
	struct pools *p = mem_alloc(sizeof *p);
	p->arm = arm;
	p->environment = e;
	p->entries.free_value = entry_free;
	snprintf(p->what, sizeof p->what, "the agent pools of %.63s", e->cluster);
	p->lister = lister_new(&(struct lister_source){.what = p->what, .context = p, .make = make, .take = take, .due = due}, hooks, unit_ms, cancel);
	return p;
}

void pools_free(struct pools *p)
{
	if (!p)
		return;
	lister_free(p->lister);
	map_done(&p->entries);
	free(p);
}

/* --- for claims -------------------------------------------------------------------------------------------------- */

/* NULL: nobody waits any more. */
static void name_claim(struct entry *e, const char *claim)
{
	char *name = claim ? mem_strdup(claim) : NULL;
	free(e->claim);
	e->claim = name;
}

void pools_expect(struct pools *p, const char *pool, const char *claim)
{
	lister_lock(p->lister);
	struct entry *e = entry_at(p, pool);
	name_claim(e, claim);
	if (!e->expected) {
		e->expected = true;
		p->expected++;
		changed_now(p);
		lister_need(p->lister);
	}
	lister_unlock(p->lister);
}

void pools_settled(struct pools *p, const char *pool)
{
	lister_lock(p->lister);
	struct entry *e = map_get(&p->entries, str_of(pool));
	if (e) {
		p->expected -= e->expected;
		e->expected = false;
		name_claim(e, NULL);
		tidy(p, pool);
	}
	lister_forget(p->lister, pool);
	lister_unlock(p->lister);
}

int pools_look(struct pools *p, const char *pool, const char *claim, int64_t not_before_ms, json_t **out, struct err *err)
{
	lister_lock(p->lister);
	const struct entry *e = map_get(&p->entries, str_of(pool));
	bool known = e && e->known_ms > 0 && e->known_ms >= not_before_ms;
	int result = known ? 0 : lister_look(p->lister, pool, claim, not_before_ms, err);
	if (result == 0 && !(known && e->pool))
		result = 1;
	if (result == 0)
		*out = parse(e->pool);
	lister_unlock(p->lister);
	return result;
}

json_t *pools_known(struct pools *p, const char *pool)
{
	lister_lock(p->lister);
	const struct entry *e = map_get(&p->entries, str_of(pool));
	json_t *known = e ? parse(e->pool) : NULL;
	lister_unlock(p->lister);
	return known;
}

void pools_learn(struct pools *p, const char *pool, const json_t *body)
{
	lister_lock(p->lister);
	struct entry *e = entry_at(p, pool);
	free(e->pool);
	e->pool = body ? pools_listing_text(body) : NULL;
	e->known_ms = clock_now_ms() + 1; /* a list that begins in this millisecond may have been answered before */
	tidy(p, pool);
	lister_unlock(p->lister);
}

void pools_yield(struct pools *p)
{
	lister_lock(p->lister);
	p->yield_ms = clock_now_ms() + YIELD_MS;
	lister_unlock(p->lister);
}

/* --- for everyone ------------------------------------------------------------------------------------------------ */

/* The names of the pools now; the caller frees all. */
static char **names_of(struct pools *p, size_t *n)
{
	char **all = mem_array(p->entries.count + 1, sizeof *all);
	struct map_entry at;
	*n = 0;
	for (size_t i = 0; map_next(&p->entries, &i, &at);) {
		const struct entry *e = at.value;
		if (e->pool)
			all[(*n)++] = mem_strndup(at.key.data, at.key.len);
	}
	return all;
}

int pools_list(struct pools *p, int64_t max_age_ms, void (*fn)(void *context, const json_t *pool), void *context, struct err *err)
{
	lister_lock(p->lister);
	if (lister_fresh(p->lister, max_age_ms, err) < 0) {
		lister_unlock(p->lister);
		return -1;
	}
	size_t n;
	char **all = names_of(p, &n);
	lister_unlock(p->lister);
	for (size_t i = 0; i < n; i++) { /* one tree at a time */
		CLEANUP(json_decrefp) json_t *pool = pools_known(p, all[i]);
		if (pool)
			fn(context, pool);
		free(all[i]);
	}
	free(all);
	return 0;
}

int pools_ready(struct pools *p, struct err *err) { return lister_ready(p->lister, err); }
int64_t pools_age_ms(struct pools *p) { return lister_age_ms(p->lister); }
