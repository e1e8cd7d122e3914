/* aws_instances.c: EC2 instances for those who collect garbage and repair: get, list, reap; and the two requests behind them. */
#include "aws/aws_parts.h"

#include "kube/meta.h"
#include <string.h>

/* --- requests ----------------------------------------------------------------------------------------------------------- */

static void first(void *context, json_t *instance)
{
	json_t **out = context;
	if (!*out)
		*out = json_incref(instance);
}

int aws_describe(struct aws *a, const char *id, json_t **out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(buf_done) struct buf form = {0};
	CLEANUP(ec2_answer_done) struct ec2_answer answer = {0};
	ec2_begin(&form, "DescribeInstances");
	ec2_put(&form, id, "InstanceId.1");
	int sent = ec2_send(a->ec2, form.data, &answer, wait_ms, err);
	if (sent != 0)
		return sent == 1 ? 2 : -1;
	if (answer.status == 200 && json_object_get(answer.body, "reservationSet")) {
		machine_each(answer.body, first, out);
		return *out ? 0 : 1;
	}
	if (answer.status == 200)
		return err_set(err, ERR_PROTOCOL, "DescribeInstances: the answer has no reservationSet");
	return ec2_fault_find(answer.code)->handling == EC2_FAULT_GONE ? 1 : ec2_refusal(form.data, &answer, err);
}

int aws_end(struct aws *a, const char *const *ids, size_t n, const struct ec2_fault_row **row, char text[801], int64_t *wait_ms, struct err *err)
{
	CLEANUP(buf_done) struct buf form = {0};
	CLEANUP(ec2_answer_done) struct ec2_answer answer = {0};
	ec2_begin(&form, "TerminateInstances");
	for (size_t i = 0; i < n; i++)
		ec2_put(&form, ids[i], "InstanceId.%zu", i + 1);
	int sent = ec2_send(a->ec2, form.data, &answer, wait_ms, err);
	if (sent != 0)
		return sent == 1 ? 2 : -1;
	if (answer.status == 200)
		return 0;
	const char *code = answer.code[0] ? answer.code : "InternalError";
	*row = ec2_fault_find(code);
	ec2_fault_text(*row, code, answer.text, text);
	return 1;
}

/* --- the operations ------------------------------------------------------------------------------------------------------- */

static void fill(struct instance *i, const struct machine *m, const char *provider_id)
{
	*i = (struct instance){.name = m->id, .claim = m->claim, .claim_uid = m->claim_uid, .provider_id = provider_id, .image_id = m->image, .state = m->state, .created_s = m->created_s};
}

int aws_get(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	struct aws *a = (struct aws *)c;
	CLEANUP(json_decrefp) json_t *instance = NULL;
	char id[NOTE_INSTANCE_MAX + 1];
	struct machine m;
	struct instance i;
	int64_t wait_ms = 0;
	if (!machine_of_provider_id(provider_id, id))
		return 1;
	int found = aws_describe(a, id, &instance, &wait_ms, err);
	if (found == 2)
		return err_set(err, ERR_BUSY, "instance %s: EC2 asks for a slower pace, for %lld ms", id, (long long)wait_ms);
	if (found != 0)
		return found;
	if (!machine_read(&m, instance) || m.terminated)
		return 1;
	fill(&i, &m, provider_id);
	fn(context, &i);
	return 0;
}

struct telling { void (*fn)(void *context, const struct instance *i); void *context; };

static void tell(void *context, const json_t *instance)
{
	const struct telling *t = context;
	struct machine m;
	struct instance i;
	if (!machine_read(&m, instance))
		return;
	CLEANUP(mem_freep) char *provider_id = machine_provider_id(&m);
	fill(&i, &m, provider_id);
	t->fn(t->context, &i);
}

int aws_list(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	struct aws *a = (struct aws *)c;
	struct telling t = {fn, context};
	return fleet_list_each(a->list, max_age_ms, tell, &t, err);
}

int aws_reap(struct cloud *c, const struct instance *i, struct err *err)
{
	struct aws *a = (struct aws *)c;
	CLEANUP(json_decrefp) json_t *instance = NULL;
	const struct ec2_fault_row *row = NULL;
	const char *const ids[] = {i->name};
	char text[801];
	struct machine m;
	int64_t wait_ms = 0;
	int found = note_is_instance(i->name) ? aws_describe(a, i->name, &instance, &wait_ms, err) : 1;
	if (found == 1 || (found == 0 && machine_read(&m, instance) && m.state == INSTANCE_DELETING))
		return 0;
	if (found == 0 && (strcmp(m.cluster, a->settings->cluster) != 0 || strcmp(m.claim_uid, i->claim_uid) != 0))
		return err_set(err, ERR_CONFLICT, "instance %s is not the one that was listed", i->name);
	if (found == 0)
		found = aws_end(a, ids, 1, &row, text, &wait_ms, err);
	if (found == 2)
		return err_set(err, ERR_BUSY, "instance %s cannot be ended now; again in %lld ms", i->name, (long long)wait_ms);
	if (found == 1 && row->handling != EC2_FAULT_GONE)
		return err_set(err, ERR_PROTOCOL, "instance %s is not ended: %.180s", i->name, text);
	return found < 0 ? -1 : 0;
}
