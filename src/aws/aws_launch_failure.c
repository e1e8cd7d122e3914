/* aws_launch_failure.c: what a refusal means for the claim that met it, by the handling of its row in ec2_fault.c. */
#include "aws/aws_launch.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>
#include <sys/random.h>

#define BACKOFF_MS 30000  /* after a refusal that does not pass by itself, doubled each time */
#define BACKOFF_MAX_MS 600000
#define PASSING_MS 1000   /* doubled */
#define PASSING_MAX_MS 30000

int64_t aws_jitter(int64_t low, int64_t high)
{
	uint32_t random = 0;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK); /* without entropy there is no spread, which is no harm */
	return high > low ? low + random % (high - low) : low;
}

static int64_t doubled(int64_t first_ms, int64_t max_ms, int failures)
{
	int64_t ms = first_ms << (failures < 8 ? failures : 8);
	ms = ms < max_ms ? ms : max_ms;
	return aws_jitter(ms * 4 / 5, ms);
}

static void remember(struct aws_step *s, const char *reason, const char *message, bool insufficient)
{
	struct attempt *t = s->attempt;
	t->failures++;
	t->tell = true;
	t->insufficient = insufficient;
	snprintf(t->reason, sizeof t->reason, "%s", reason);
	snprintf(t->message, sizeof t->message, "%s", message);
}

static void remember_fault(struct aws_step *s, const struct ec2_fault_row *row, const char *code, const char *text)
{
	char message[801];
	ec2_fault_text(row, code, text, message);
	remember(s, row->reason, message, row->handling == EC2_FAULT_OFFERING);
}

static int report(struct aws_step *s, int64_t retry_ms)
{
	struct attempt *t = s->attempt;
	s->out->step = STEP_FAILED;
	s->out->retry_ms = retry_ms > 0 ? retry_ms : 1;
	s->out->insufficient = t->insufficient;
	snprintf(s->out->reason, sizeof s->out->reason, "%s", t->reason);
	snprintf(s->out->message, sizeof s->out->message, "%s", t->message);
	if (t->tell)
		snprintf(s->out->event, sizeof s->out->event, "%s", t->reason);
	t->tell = false;
	return 0;
}

bool aws_launch_on_hold(struct aws_step *s)
{
	int64_t left = s->attempt->hold_ms - clock_now_ms();
	if (left <= 0)
		return false;
	report(s, left);
	return true;
}

static int hold(struct aws_step *s, int64_t ms)
{
	s->attempt->hold_ms = clock_now_ms() + ms;
	return report(s, ms);
}

/* --- machines that cannot be had -------------------------------------------------------------------------------------- */

struct cooling { struct aws_step *s; const struct ec2_fault_row *row; bool spot; };

static void cool(void *context, const char *type, const char *zone)
{
	const struct cooling *c = context;
	const char *capacity = c->spot ? "spot" : "on-demand";
	switch (c->row->scope) {
	case EC2_SCOPE_NONE:
		return;
	case EC2_SCOPE_ZONE:
		break;
	case EC2_SCOPE_TYPE:
		zone = "";
		break;
	case EC2_SCOPE_CAPACITY:
		type = zone = "";
		break;
	}
	offerings_block(c->s->a->offerings, type, zone, capacity, c->row->cooldown_s, c->row->reason);
}

int aws_launch_nothing_open(struct aws_step *s, const struct fleet_choice *choice)
{
	int64_t left_ms = (choice->ends_s - clock_wall_s()) * 1000;
	char message[CLOUD_MESSAGE_MAX];
	if (!s->attempt->insufficient) {
		if (choice->reason[0])
			snprintf(message, sizeof message, "%s: all instance types and zones of the claim were refused a while ago; they are tried again", choice->reason);
		else
			snprintf(message, sizeof message, "InsufficientCapacity: no subnet of the class is in a zone that the claim allows; correct the zones or subnetSelectorTerms");
		remember(s, choice->reason[0] ? choice->reason : "NoSubnetInZone", message, true);
	}
	return hold(s, left_ms > 1000 ? left_ms : choice->reason[0] ? 1000 : BACKOFF_MS);
}

/* --- by handling --------------------------------------------------------------------------------------------------------- */

static int again(struct aws_step *s)
{
	int64_t ms = doubled(PASSING_MS, PASSING_MAX_MS, s->attempt->failures - 1);
	s->attempt->hold_ms = clock_now_ms() + ms;
	return aws_launch_wait(s, ms, s->attempt->reason, s->attempt->message);
}

/* Nothing came of the request, and the next waits. */
static int next_later(struct aws_step *s)
{
	s->attempt->hold_ms = clock_now_ms() + doubled(BACKOFF_MS, BACKOFF_MAX_MS, s->attempt->failures - 1);
	return aws_launch_next(s);
}

static void forget_template(struct aws_step *s)
{
	CLEANUP(mem_freep) char *name = fleet_request_template(s->note.request);
	CLEANUP(buf_done) struct buf question = {0};
	if (!name)
		return;
	plan_template_question(name, &question);
	facts_forget(s->a->facts, question.data);
}

static int denied(struct aws_step *s)
{
	bool fleet = s->note.phase == NOTE_REQUESTED && fleet_request_is_fleet(s->note.request);
	if (!fleet || strcmp(s->attempt->reason, "UnauthorizedOperation") != 0)
		return next_later(s);
	atomic_store(&s->a->no_fleet, true);
	return aws_launch_next(s);
}

int aws_launch_refused(struct aws_step *s, const char *code, const char *text)
{
	const struct ec2_fault_row *row = ec2_fault_find(code);
	struct cooling c = {s, row, s->note.spot};
	remember_fault(s, row, code, text);
	if (s->note.phase != NOTE_REQUESTED) /* of the template */
		return row->handling == EC2_FAULT_THROTTLED || row->handling == EC2_FAULT_PASSING ? again(s) : hold(s, doubled(BACKOFF_MS, BACKOFF_MAX_MS, s->attempt->failures - 1));
	switch (row->handling) {
	case EC2_FAULT_OFFERING:
		fleet_request_each(s->note.request, cool, &c);
		return aws_launch_next(s);
	case EC2_FAULT_THROTTLED:
	case EC2_FAULT_PASSING:
		return again(s);
	case EC2_FAULT_TOKEN:
		s->attempt->search_ms = clock_now_ms() + s->a->settle_ms;
		return aws_launch_wait(s, s->a->settle_ms, "", "");
	case EC2_FAULT_TEMPLATE:
		forget_template(s);
		s->attempt->hold_ms = clock_now_ms() + (s->attempt->failures > 1 ? doubled(PASSING_MS, PASSING_MAX_MS, s->attempt->failures) : 0);
		return aws_launch_next(s);
	case EC2_FAULT_ACCESS:
		return denied(s);
	case EC2_FAULT_INVALID:
	case EC2_FAULT_GONE:
	case EC2_FAULT_BUSY:
		break;
	}
	return next_later(s);
}

int aws_launch_unfulfilled(struct aws_step *s, const json_t *body)
{
	const json_t *errors = json_object_get(body, "errorSet"), *e;
	bool cooled = false;
	size_t i;
	json_array_foreach(errors, i, e) {
		const char *code = json_text_at(e, "", "errorCode", NULL);
		struct cooling c = {s, ec2_fault_find(code), s->note.spot};
		const json_t *o = json_at(e, "launchTemplateAndOverrides", "overrides", NULL);
		bool offering = c.row->handling == EC2_FAULT_OFFERING;
		if (offering && json_text_at(o, "", "instanceType", NULL)[0])
			cool(&c, json_text_at(o, "", "instanceType", NULL), json_text_at(o, "", "availabilityZone", NULL));
		else if (offering)
			fleet_request_each(s->note.request, cool, &c);
		if (i == 0 || (offering && !cooled))
			remember_fault(s, c.row, code, json_text_at(e, "", "errorMessage", NULL));
		cooled = cooled || offering;
	}
	if (json_array_size(errors) == 0)
		remember(s, "UnfulfillableCapacity", "CreateFleet made no instance and does not say why; it is tried again", true);
	if (cooled)
		return aws_launch_next(s);
	e = json_array_get(errors, 0);
	return e ? aws_launch_refused(s, json_text_at(e, "", "errorCode", NULL), json_text_at(e, "", "errorMessage", NULL)) : next_later(s);
}

/* "Server.InsufficientInstanceCapacity" */
int aws_launch_lost(struct aws_step *s, const struct machine *m)
{
	const char *dot = strchr(m->reason, '.'), *code = dot ? dot + 1 : m->reason;
	const struct ec2_fault_row *row = ec2_fault_find(code);
	char message[CLOUD_MESSAGE_MAX];
	if (row->handling == EC2_FAULT_OFFERING) {
		struct cooling c = {s, row, m->spot};
		cool(&c, m->type, m->zone);
		remember_fault(s, row, code, m->reason_text);
		return aws_launch_next(s);
	}
	snprintf(message, sizeof message, "%.60s: instance %s ended before it was used: %.300s", code[0] ? code : "InstanceLost", m->id, m->reason_text[0] ? m->reason_text : "EC2 does not say why");
	remember(s, "InstanceLost", message, false);
	return next_later(s);
}

int aws_launch_unusable(struct aws_step *s, const char *reason, const char *message)
{
	CLEANUP(mem_freep) char *text = mem_printf("%s: %s", reason, message);
	remember(s, reason, text, false);
	return hold(s, doubled(BACKOFF_MS, BACKOFF_MAX_MS, s->attempt->failures - 1));
}
