/* aks_machine_listing.c: see aks_machine_listing.h. */
#include "azure/aks_machine_listing.h"

#include "azure/aks_machine.h"
#include "base/limits.h"
#include "kube/meta.h"
#include <string.h>

static int refused(const struct arm_answer *a, const char *pool, struct err *err)
{
	char text[200];
	arm_error_text(&a->error, text, sizeof text);
	bool denied = a->status == 401 || a->status == 403;
	return err_set(err, denied ? ERR_DENIED : a->status == 429 ? ERR_BUSY : ERR_PROTOCOL, "listing the machines of agent pool %s: %s", pool, text);
}

static int read_page(const struct arm_answer *a, const char *pool, struct map *out, char **next, struct err *err)
{
	const json_t *machines = json_object_get(a->body, "value"), *machine;
	size_t i;
	if (a->status == 404)
		return 0;
	if (a->status != 200)
		return refused(a, pool, err);
	if (!json_is_array(machines))
		return err_set(err, ERR_PROTOCOL, "listing the machines of agent pool %s: the answer has no array 'value'", pool);
	json_array_foreach(machines, i, machine) {
		CLEANUP(json_decrefp) json_t *unit = aks_machine_as_pool(machine, pool);
		if (unit)
			map_put(out, str_of(json_text_at(unit, "", "name", NULL)), pools_listing_text(unit));
	}
	const char *link = json_text_at(a->body, "", "nextLink", NULL);
	*next = link[0] ? mem_strdup(link) : NULL;
	return 0;
}

static int one_page(struct arm *arm, const char *pool, struct pools_pages *pages, char **url, struct map *out, int64_t *wait_ms, struct err *err)
{
	struct arm_answer a = {0};
	int sent = pools_listing_send(arm, pages, *url, (*url)[0] == '/' ? aks_machine_version(arm_api_version(arm)) : "", &a, wait_ms, err);
	if (sent == 0) {
		char *next = NULL;
		sent = read_page(&a, pool, out, &next, err);
		free(*url);
		*url = next;
	}
	arm_answer_done(&a);
	return sent;
}

int aks_machine_listing(struct arm *arm, const struct azure_environment *e, const char *pool, struct pools_pages *pages, struct map *out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(e, pool);
	CLEANUP(mem_freep) char *url = mem_printf("%s/machines", path);
	for (int page = 0; url; page++) {
		if (page == LIMIT_POOL_PAGES)
			return err_set(err, ERR_LIMIT, "listing the machines of agent pool %s: more than %d pages", pool, LIMIT_POOL_PAGES);
		int done = one_page(arm, pool, pages, &url, out, wait_ms, err);
		if (done != 0)
			return done;
	}
	return 0;
}
