/* lookup.c: see lookup.h. */
#include "admission/lookup.h"

#include "base/clock.h"
#include "kube/meta.h"
#include "kube/selector.h"
#include <pthread.h>
#include <string.h>

#define KEPT 4
#define KEPT_MS 2000
#define KEPT_BYTES ((size_t)64 << 10) /* of data; larger objects are not remembered */
#define DENIED_MS 60000 /* a right that is missing (the chart can leave out Secrets) is not asked for again and again */

/* To let a rule ask for another kind: a row. */
static const struct kube_resource *const KINDS[] = {&KUBE_CONFIGMAPS, &KUBE_SECRETS, &KUBE_PVCS, &KUBE_STORAGE_CLASSES, &KUBE_CSI_DRIVERS};
enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };

struct kept { json_t *object; int64_t until_ms; };
struct lookup {
	struct kube_client *kube;
	pthread_mutex_t mu;
	struct kept kept[KEPT]; /* guarded by mu, as what follows; objects are immutable */
	size_t next;
	int64_t denied_until_ms[KIND_COUNT];
};

/* --- memory -------------------------------------------------------------------------------------------------- */

static bool is_object(const json_t *o, const struct kube_resource *r, const char *namespace_, const char *name)
{
	return strcmp(json_text_at(o, "", "kind", NULL), r->kind) == 0 && strcmp(meta_name(o), name) == 0 && strcmp(meta_namespace(o), namespace_ ? namespace_ : "") == 0;
}

static void forget(struct kept *k)
{
	json_decref(k->object);
	k->object = NULL;
}

/* New reference or NULL. */
static json_t *recall(struct lookup *l, const struct kube_resource *r, const char *namespace_, const char *name)
{
	json_t *found = NULL;
	int64_t now = clock_now_ms();
	pthread_mutex_lock(&l->mu);
	for (size_t i = 0; i < KEPT; i++) {
		struct kept *k = &l->kept[i];
		if (k->object && k->until_ms <= now)
			forget(k);
		else if (k->object && !found && is_object(k->object, r, namespace_, name))
			found = json_incref(k->object);
	}
	pthread_mutex_unlock(&l->mu);
	return found;
}

static size_t data_bytes(const json_t *object)
{
	size_t bytes = 0;
	const char *key;
	json_t *value;
	json_object_foreach(json_object_get(object, "data"), key, value)
		bytes += json_string_length(value);
	return bytes;
}

static void keep(struct lookup *l, json_t *object)
{
	if (data_bytes(object) > KEPT_BYTES)
		return;
	pthread_mutex_lock(&l->mu);
	struct kept *k = &l->kept[l->next++ % KEPT];
	forget(k);
	*k = (struct kept){json_incref(object), clock_now_ms() + KEPT_MS};
	pthread_mutex_unlock(&l->mu);
}

/* --- questions ----------------------------------------------------------------------------------------------- */

static bool is_denied(struct lookup *l, size_t kind)
{
	pthread_mutex_lock(&l->mu);
	bool denied = clock_now_ms() < l->denied_until_ms[kind];
	pthread_mutex_unlock(&l->mu);
	return denied;
}

static void remember_denied(struct lookup *l, size_t kind)
{
	pthread_mutex_lock(&l->mu);
	l->denied_until_ms[kind] = clock_now_ms() + DENIED_MS;
	pthread_mutex_unlock(&l->mu);
}

static int ask(struct lookup *l, size_t kind, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	const struct kube_resource *r = KINDS[kind];
	*out = recall(l, r, namespace_, name);
	if (*out)
		return 0;
	if (is_denied(l, kind))
		return err_set(err, ERR_DENIED, "%s may not be read", r->plural);
	if (kube_get(l->kube, r, namespace_, name, out, err) < 0) {
		if (err->kind == ERR_DENIED)
			remember_denied(l, kind);
		return -1;
	}
	keep(l, *out);
	return 0;
}

static int get(void *context, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(KINDS[i]->kind, kind) == 0)
			return ask(context, i, KINDS[i]->namespaced ? namespace_ : NULL, name, out, err);
	return err_set(err, ERR_INTERNAL, "no lookup for objects of kind %s", kind);
}

static int nodes(void *context, const json_t *match_labels, json_t **out, struct err *err)
{
	struct lookup *l = context;
	json_t *selector = json_object();
	json_object_set(selector, "matchLabels", (json_t *)(uintptr_t)match_labels);
	struct buf text = {0};
	selector_print(selector, &text);
	json_decref(selector);
	int rc = kube_list_array(l->kube, &KUBE_NODES, NULL, buf_str(&text).data, out, err);
	buf_done(&text);
	return rc;
}

struct lookup *lookup_new(struct kube_client *kube)
{
	struct lookup *l = mem_alloc(sizeof *l);
	l->kube = kube;
	pthread_mutex_init(&l->mu, NULL);
	return l;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < KEPT; i++)
		forget(&l->kept[i]);
	pthread_mutex_destroy(&l->mu);
	free(l);
}

struct validate_lookup lookup_for_rules(struct lookup *l, struct catalog_resolver *models, int64_t hub_deadline_ms)
{
	return (struct validate_lookup){.context = l, .get = get, .nodes = nodes, .models = models, .hub_deadline_ms = hub_deadline_ms};
}
