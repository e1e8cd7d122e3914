/* fleet_list.c: see fleet_list.h; lister.h makes the lists and knows who asked for one. A list is immutable once it is there: fleet_list_each holds
 * a reference and reads it without the lock. */
#include "aws/fleet_list.h"

#include "base/limits.h"
#include "cloud/lister.h"
#include "kube/meta.h"
#include <string.h>

#define PAGE "200"

struct fleet_list {
	struct ec2 *ec2;
	const struct aws_settings *settings;
	struct lister *lister; /* its lock guards what follows */
	json_t *by_uid;        /* uid -> array of instances; immutable, replaced; NULL: none yet */
};

/* --- one listing ----------------------------------------------------------------------------------------------------- */

struct listing { const struct fleet_list *f; json_t *by_uid; };

/* What machine.h reads of it, and no more: five thousand are kept. */
static json_t *cut(const json_t *instance, const struct machine *m)
{
	static const char *const KEPT[] = {"instanceId", "instanceState", "stateReason", "instanceType", "placement", "imageId", "instanceLifecycle", "launchTime"};
	json_t *o = json_pack("{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}]}", "tagSet", "key", MACHINE_TAG_CLUSTER, "value", m->cluster, "key", MACHINE_TAG_CLAIM, "value", m->claim, "key",
			      MACHINE_TAG_UID, "value", m->claim_uid);
	for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++)
		json_object_set(o, KEPT[i], json_object_get(instance, KEPT[i]));
	return o;
}

static void keep(void *context, json_t *instance)
{
	const struct listing *l = context;
	struct machine m;
	if (!machine_read(&m, instance) || strcmp(m.cluster, l->f->settings->cluster) != 0 || !m.claim_uid[0])
		return;
	json_t *list = json_object_get(l->by_uid, m.claim_uid);
	if (!list)
		json_object_set_new(l->by_uid, m.claim_uid, list = json_array());
	json_array_append_new(list, cut(instance, &m));
}

static int page(struct fleet_list *f, json_t *by_uid, char **token, int64_t *wait_ms, struct err *err)
{
	CLEANUP(buf_done) struct buf form = {0};
	CLEANUP(ec2_answer_done) struct ec2_answer a = {0};
	struct listing l = {f, by_uid};
	ec2_begin(&form, "DescribeInstances");
	ec2_put(&form, "tag:" MACHINE_TAG_CLUSTER, "Filter.1.Name");
	ec2_put(&form, f->settings->cluster, "Filter.1.Value.1");
	ec2_put(&form, PAGE, "MaxResults");
	if (*token)
		ec2_put(&form, *token, "NextToken");
	int sent = ec2_send(f->ec2, form.data, &a, wait_ms, err);
	if (sent != 0)
		return sent;
	if (a.status != 200)
		return ec2_refusal(form.data, &a, err);
	if (!json_object_get(a.body, "reservationSet"))
		return err_set(err, ERR_PROTOCOL, "DescribeInstances: the answer has no reservationSet");
	machine_each(a.body, keep, &l);
	const char *next = json_text_at(a.body, "", "nextToken", NULL);
	free(*token);
	*token = next[0] ? mem_strdup(next) : NULL;
	return 0;
}

/* All pages, or nothing. */
static int list_all(struct fleet_list *f, json_t **out, int64_t *wait_ms, struct err *err)
{
	json_t *by_uid = json_object();
	char *token = NULL;
	int rc = page(f, by_uid, &token, wait_ms, err);
	for (int n = 1; rc == 0 && token; n++)
		rc = n < LIMIT_EC2_PAGES ? page(f, by_uid, &token, wait_ms, err) : err_set(err, ERR_LIMIT, "DescribeInstances has more than %d pages", LIMIT_EC2_PAGES);
	free(token);
	if (rc == 0)
		*out = by_uid;
	else
		json_decref(by_uid);
	return rc;
}

/* A closed gate counts as a failure: who waits is told, and asks again. */
static int make(void *context, void **list, int64_t *wait_ms, struct err *err)
{
	json_t *by_uid = NULL;
	int rc = list_all(context, &by_uid, wait_ms, err);
	*list = by_uid;
	return rc == 1 ? err_set(err, ERR_BUSY, "EC2 asks for a slower pace") : rc;
}

static void take(void *context, void *list, int64_t started_ms)
{
	struct fleet_list *f = context;
	(void)started_ms;
	if (!list)
		return;
	json_decref(f->by_uid);
	f->by_uid = list;
}

struct fleet_list *fleet_list_new(struct ec2 *ec2, const struct aws_settings *s, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel)
{
	struct fleet_list *f = mem_alloc(sizeof *f);
	f->ec2 = ec2;
	f->settings = s;
	f->lister = lister_new(&(struct lister_source){.what = "EC2's instances", .context = f, .make = make, .take = take}, hooks, unit_ms, cancel);
	return f;
}

void fleet_list_free(struct fleet_list *f)
{
	if (!f)
		return;
	lister_free(f->lister);
	json_decref(f->by_uid);
	free(f);
}

/* --- readers --------------------------------------------------------------------------------------------------------- */

/* What is handed out is a copy, small as it is: references are counted under the lock only. */
int fleet_list_look(struct fleet_list *f, const char *uid, const char *claim, int64_t not_before_ms, json_t **out, struct err *err)
{
	lister_lock(f->lister);
	int result = lister_look(f->lister, uid, claim, not_before_ms, err);
	if (result == 0) {
		json_t *list = json_object_get(f->by_uid, uid);
		*out = list ? json_deep_copy(list) : json_array();
	}
	lister_unlock(f->lister);
	return result;
}

int fleet_list_each(struct fleet_list *f, int64_t max_age_ms, void (*fn)(void *context, const json_t *instance), void *context, struct err *err)
{
	lister_lock(f->lister);
	int rc = lister_fresh(f->lister, max_age_ms, err);
	json_t *all = rc == 0 ? json_incref(f->by_uid) : NULL;
	lister_unlock(f->lister);
	const char *uid;
	json_t *list, *instance;
	size_t i;
	json_object_foreach(all, uid, list)
		json_array_foreach(list, i, instance) {
			struct machine m;
			if (machine_read(&m, instance) && !m.terminated)
				fn(context, instance);
		}
	lister_lock(f->lister);
	json_decref(all);
	lister_unlock(f->lister);
	return rc;
}

int fleet_list_ready(struct fleet_list *f, struct err *err) { return lister_ready(f->lister, err); }
int64_t fleet_list_age_ms(struct fleet_list *f) { return lister_age_ms(f->lister); }
