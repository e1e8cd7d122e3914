/* instances.c: agent pools and machines as instances for those who collect garbage and repair: get, list, reap. */
#include "azure/fulfilment.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

#define RECENT_MS 10000 /* a list this young is as good as a question about a single pool that it has */

static void fill(struct instance *i, const struct agent_pool *p, const char *provider_id)
{
	*i = (struct instance){.name = p->name, .claim = p->claim, .claim_uid = p->claim_uid, .provider_id = provider_id, .image_id = p->image_version,
			       .state = p->instance, .created_s = p->created_s, .labels = p->labels};
}

/* The pool from a recent list, or asked for. */
static int find_pool(struct azure *a, const char *pool, json_t **out, struct err *err)
{
	int64_t wait_ms = 0, age = pools_age_ms(a->pools);
	*out = age >= 0 && age < RECENT_MS ? pools_known(a->pools, pool) : NULL;
	if (*out)
		return 0;
	int found = azure_read_pool(a, pool, out, &wait_ms, err);
	if (found == 2)
		return err_set(err, ERR_BUSY, "%s %s: the request budget is used up for %lld ms", azure_unit_word(pool), pool, (long long)wait_ms);
	return found;
}

int azure_get(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	struct azure *a = (struct azure *)c;
	char name[UNIT_NAME_MAX + 1];
	if (!agent_pool_unit_of_provider_id(provider_id, name))
		return 1;
	CLEANUP(json_decrefp) json_t *pool = NULL;
	int found = find_pool(a, name, &pool, err);
	struct agent_pool p;
	if (found != 0 || !agent_pool_read(&p, pool))
		return found;
	struct instance i;
	fill(&i, &p, provider_id);
	fn(context, &i);
	return 0;
}

struct listing { struct azure *a; void (*fn)(void *context, const struct instance *i); void *context; };

static void list_one(void *context, const json_t *pool)
{
	const struct listing *l = context;
	struct agent_pool p;
	if (!agent_pool_read(&p, pool) || !p.ours)
		return;
	CLEANUP(json_decrefp) json_t *node = p.machine ? NULL : azure_node(l->a, p.name, NULL);
	CLEANUP(mem_freep) char *vm = agent_pool_provider_id(p.resource_id);
	struct instance i;
	fill(&i, &p, p.resource_id[0] ? vm : json_text_at(node, "", "spec", "providerID", NULL));
	l->fn(l->context, &i);
}

int azure_list(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	struct azure *a = (struct azure *)c;
	struct listing l = {a, fn, context};
	return pools_list(a->pools, max_age_ms, list_one, &l, err);
}

int azure_reap(struct cloud *c, const struct instance *i, struct err *err)
{
	struct azure *a = (struct azure *)c;
	CLEANUP(json_decrefp) json_t *pool = pools_known(a->pools, i->name);
	CLEANUP(json_decrefp) json_t *operation = NULL;
	struct agent_pool p;
	struct failure why;
	int attempts = 0;
	int64_t wait_ms = 0;
	if (!pool || !agent_pool_read(&p, pool))
		return 0; /* gone since it was listed */
	if (!p.ours || strcmp(p.claim, i->claim) != 0 || strcmp(p.claim_uid, i->claim_uid) != 0)
		return err_set(err, ERR_CONFLICT, "%s %s is not the one that was listed", azure_unit_word(i->name), i->name);
	switch (azure_delete_pool(a, pool, &attempts, &operation, &wait_ms, &why, err)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return err_set(err, ERR_BUSY, "%s %s cannot be deleted now; again in %lld ms", azure_unit_word(i->name), i->name, (long long)wait_ms);
	case 3:
		return err_set(err, ERR_PROTOCOL, "%s %s is not deleted: %.180s", azure_unit_word(i->name), i->name, why.message);
	default:
		return -1;
	}
}
