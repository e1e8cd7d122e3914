/* aks_machine_listing.c: see aks_machine_listing.h. */
#include "azure/aks_machine_listing.h"

#include "azure/aks_machine.h"
#include "kube/meta.h"

struct found { const char *pool; struct map *out; };

static void take(void *context, const json_t *machine)
{
	const struct found *f = context;
	CLEANUP(json_decrefp) json_t *unit = aks_machine_as_pool(machine, f->pool);
	if (unit)
		map_put(f->out, str_of(json_text_at(unit, "", "name", NULL)), pools_listing_text(unit));
}

int aks_machine_listing(struct arm *arm, const struct azure_environment *e, const char *pool, struct pools_pages *pages, struct map *out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(mem_freep) char *pool_path = arm_pool_path(e, pool);
	CLEANUP(mem_freep) char *path = mem_printf("%s/machines", pool_path);
	CLEANUP(mem_freep) char *what = mem_printf("the machines of agent pool %s", pool);
	struct found found = {pool, out};
	return pools_listing_each(arm, pages, path, &(struct pools_list){
		.what = what, .api_version = aks_machine_version(arm_api_version(arm)), .may_be_gone = true, .take = take, .context = &found,
	}, wait_ms, err);
}
