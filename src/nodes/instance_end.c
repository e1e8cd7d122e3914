/* instance_end.c: see instance_end.h. */
#include "nodes/instance_end.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

enum { STEPS_MAX = 8 }; /* steps that follow each other at once; then others get their turn */
#define CONTROLLER "nodeclaim.lifecycle"

/* A claim whose requirements contradict each other has no full view; whatever it has is ended all the same, as its name is enough. */
static int view_of(const struct nodes *n, const struct dialect *d, const json_t *claim, struct claim_view *v, json_t **node_class, struct err *err)
{
	struct err why = ERR_INIT;
	if (nodes_view(n, claim, v, node_class, &why) == 0)
		return 0;
	if (why.kind != ERR_INVALID) {
		*err = why;
		return -1;
	}
	*v = (struct claim_view){.dialect = d, .object = claim, .name = meta_name(claim), .uid = meta_uid(claim), .os = "", .arch = "", .image_family = "",
				 .class_group = "", .class_kind = "", .class_name = "", .memo = meta_annotation(claim, ANNOTATION_OPERATION),
				 .labels = json_at(claim, "metadata", "labels", NULL), .annotations = json_at(claim, "metadata", "annotations", NULL),
				 .created_s = claim_view_time(json_text_at(claim, NULL, "metadata", "creationTimestamp", NULL))};
	return 0;
}

static int step(struct nodes *n, const struct dialect *d, const json_t *claim, struct terminate_result *r, struct err *err)
{
	struct claim_view v = {0};
	CLEANUP(json_decrefp) json_t *node_class = NULL;
	if (view_of(n, d, claim, &v, &node_class, err) < 0)
		return -1;
	int rc = nodes_cloud_terminate(n, CONTROLLER, &v, r, err);
	claim_view_done(&v);
	return rc < 0 ? err_wrap(err, "end the instance of %s %s", d->claims->kind, meta_name(claim)) : 0;
}

static int store_memo(struct nodes *n, const struct dialect *d, json_t **claim, const char *memo, struct err *err)
{
	struct object_home home = nodes_claim_home(n, d);
	const char *before = meta_annotation(*claim, ANNOTATION_OPERATION);
	if (memo ? before && strcmp(before, memo) == 0 : !before)
		return 0;
	return object_write_metadata(&home, claim, json_pack("{s:{s:s?}}", "annotations", ANNOTATION_OPERATION, memo), err);
}

/* Says so on the claim. A refusal (the resource's definition may be somebody else's) must not hold up the end. */
static int tell(struct nodes *n, const struct dialect *d, json_t **claim, const struct terminate_result *r, struct err *err)
{
	char now[32];
	clock_rfc3339(clock_wall_s(), now);
	struct object_home home = nodes_claim_home(n, d);
	CLEANUP(json_decrefp) json_t *copy = json_deep_copy(*claim);
	struct condition_set s = {copy, d, now};
	struct err why = ERR_INIT;
	if (r->reason[0])
		condition_set_true_with(&s, "InstanceTerminating", r->reason, r->message);
	else
		condition_set_true(&s, "InstanceTerminating");
	condition_set_finish(&s);
	if (object_write_status(&home, claim, json_object_get(copy, "status"), &why) == 0 || object_worth_telling(why.kind))
		return 0;
	*err = why;
	return -1;
}

int instance_end_step(struct nodes *n, const struct dialect *d, json_t **claim, int64_t *retry_ms, struct err *err)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		CLEANUP(terminate_result_done) struct terminate_result r = {0};
		if (step(n, d, *claim, &r, err) < 0)
			return -1;
		if (r.step == STEP_DONE)
			return 1;
		if (r.step == STEP_PERSIST) {
			if (store_memo(n, d, claim, r.memo, err) < 0)
				return -1;
			continue;
		}
		*retry_ms = r.retry_ms > 0 ? r.retry_ms : INSTANCE_END_POLL_MS;
		return tell(n, d, claim, &r, err);
	}
	*retry_ms = 1;
	return 0;
}
