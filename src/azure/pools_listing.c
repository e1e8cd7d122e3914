/* pools_listing.c: see pools_listing.h. nextLink is followed as it is; arm.c sees to it that it is ARM's. */
#include "azure/pools_listing.h"

#include "azure/agent_pool.h"
#include "azure/aks_machine_listing.h"
#include "base/limits.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

static json_t *only(const json_t *object, const char *const *names)
{
	json_t *out = json_object();
	for (; *names; names++)
		if (json_object_get(object, *names))
			json_object_set(out, *names, json_object_get(object, *names));
	return out;
}

char *pools_listing_text(const json_t *pool)
{
	static const char *const TOP[] = {"name", "etag", "machine", NULL}; /* properties come after */
	static const char *const PROPERTIES[] = {"provisioningState", "powerState", "vmSize", "nodeImageVersion", "eTag", "tags", "nodeLabels", "scaleSetPriority",
						 "availabilityZones", "status", "mode", "resourceId", NULL};
	CLEANUP(json_decrefp) json_t *kept = only(pool, TOP);
	json_object_set_new(kept, "properties", only(json_object_get(pool, "properties"), PROPERTIES));
	struct buf out = {0};
	json_print(kept, JSON_PRINT_COMPACT, &out);
	return buf_take(&out);
}

/* --- page by page ---------------------------------------------------------------------------------------------------- */

static int refused(const struct arm_answer *a, const char *what, struct err *err)
{
	char text[200];
	arm_error_text(&a->error, text, sizeof text);
	bool denied = a->status == 401 || a->status == 403;
	return err_set(err, denied ? ERR_DENIED : a->status == 429 ? ERR_BUSY : ERR_PROTOCOL, "listing %s: %s", what, text);
}

/* *next: the following page's address, NULL when this is the last. */
static int read_page(const struct arm_answer *a, const struct pools_list *list, char **next, struct err *err)
{
	const json_t *elements = json_object_get(a->body, "value"), *element;
	size_t i;
	if (a->status == 404 && list->may_be_gone)
		return 0;
	if (a->status != 200)
		return refused(a, list->what, err);
	if (!json_is_array(elements))
		return err_set(err, ERR_PROTOCOL, "listing %s: the answer has no array 'value'", list->what);
	json_array_foreach(elements, i, element)
		list->take(list->context, element);
	const char *link = json_text_at(a->body, "", "nextLink", NULL);
	*next = link[0] ? mem_strdup(link) : NULL;
	return 0;
}

static int send_one(struct arm *arm, struct pools_pages *pages, const char *url, const char *api_version, struct arm_answer *a, int64_t *wait_ms, struct err *err)
{
	int number = pages->sent++;
	struct arm_request q = {.method = "GET", .url = url, .api_version = api_version, .class = ARM_LIST, .paid = number > 0 && number < pages->expected};
	if (number == 0 && pages->expected > 1)
		q.more = pages->expected - 1;
	if (pages->sent > pages->expected) /* there are more than the last time: the next attempt knows */
		pages->expected = pages->sent;
	return arm_send(arm, &q, a, wait_ms, err);
}

/* Replaces *url by the next page's address, which names its api-version itself. */
static int one_page(struct arm *arm, struct pools_pages *pages, const struct pools_list *list, char **url, int64_t *wait_ms, struct err *err)
{
	struct arm_answer a = {0};
	int sent = send_one(arm, pages, *url, (*url)[0] == '/' ? list->api_version : NULL, &a, wait_ms, err);
	if (sent == 0) {
		char *next = NULL;
		sent = read_page(&a, list, &next, err);
		free(*url);
		*url = next;
	}
	arm_answer_done(&a);
	return sent;
}

int pools_listing_each(struct arm *arm, struct pools_pages *pages, const char *path, const struct pools_list *list, int64_t *wait_ms, struct err *err)
{
	CLEANUP(mem_freep) char *url = mem_strdup(path);
	for (int page = 0; url; page++) {
		if (page == LIMIT_POOL_PAGES)
			return err_set(err, ERR_LIMIT, "listing %s: more than %d pages", list->what, LIMIT_POOL_PAGES);
		int done = one_page(arm, pages, list, &url, wait_ms, err);
		if (done != 0)
			return done;
	}
	return 0;
}

/* --- the pools ------------------------------------------------------------------------------------------------------- */

/* The machines of pools that hold ours; those of others are none of our business. */
struct found { struct map *out; char (*holders)[POOL_NAME_MAX + 1]; size_t n, cap; };

static void note_holder(struct found *f, const struct agent_pool *p)
{
	if (!p->holds_machines || !agent_pool_name_valid(p->name))
		return;
	if (f->n == f->cap)
		f->holders = mem_realloc(f->holders, (f->cap = f->cap ? f->cap * 2 : 4) * sizeof *f->holders);
	snprintf(f->holders[f->n++], sizeof *f->holders, "%s", p->name);
}

static void take(void *context, const json_t *pool)
{
	struct found *f = context;
	struct agent_pool p;
	if (!agent_pool_read(&p, pool))
		return;
	map_put(f->out, str_of(p.name), pools_listing_text(pool));
	note_holder(f, &p);
}

int pools_listing(struct arm *arm, const struct azure_environment *e, struct pools_pages *pages, struct map *out, int64_t *wait_ms, struct err *err)
{
	struct found found = {.out = out};
	CLEANUP(mem_freep) char *path = arm_pool_path(e, NULL);
	pages->sent = 0;
	int done = pools_listing_each(arm, pages, path, &(struct pools_list){.what = "the agent pools", .take = take, .context = &found}, wait_ms, err);
	for (size_t i = 0; done == 0 && i < found.n; i++)
		done = aks_machine_listing(arm, e, found.holders[i], pages, out, wait_ms, err);
	if (done == 0)
		pages->expected = pages->sent;
	free(found.holders);
	return done;
}
