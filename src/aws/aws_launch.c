/* aws_launch.c: one step of creating the instance of a claim. Where it stands is the memo's phase; what happens next is a function per phase
 * (PHASES below). The rules:
 * - the request that makes an instance is stored, whole, before it is sent, and after a lost answer or a crash the same bytes go out again:
 *   EC2 answers by their ClientToken with the instance that is there already;
 * - another request, with another token, is made only after EC2 answered for good that nothing came of this one;
 * - a request that is too old for EC2 to remember its token is not sent again: what came of it is looked for by its tags. */
#include "aws/aws_launch.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

#define TOKEN_S 3600 /* how long a stored request may be sent again */

/* --- results ------------------------------------------------------------------------------------------------------------ */

int aws_launch_wait(struct aws_step *s, int64_t retry_ms, const char *reason, const char *message)
{
	s->out->step = STEP_WAIT;
	s->out->retry_ms = retry_ms;
	snprintf(s->out->reason, sizeof s->out->reason, "%s", reason);
	snprintf(s->out->message, sizeof s->out->message, "%s", message);
	return 0;
}

int aws_launch_persist(struct aws_step *s, enum note_phase phase)
{
	s->note.phase = phase;
	s->note.started_s = clock_wall_s();
	snprintf(s->note.incarnation, sizeof s->note.incarnation, "%s", s->a->incarnation);
	s->out->step = STEP_PERSIST;
	s->out->memo = note_text(&s->note);
	return 0;
}

int aws_launch_next(struct aws_step *s)
{
	if (s->unsure) {
		s->attempt->search_ms = clock_now_ms() + s->a->settle_ms;
		return aws_launch_wait(s, s->a->settle_ms, "", "");
	}
	s->note.attempt++;
	s->attempt->sent = false;
	s->attempt->search_ms = 0;
	return aws_launch_persist(s, NOTE_CHOOSING);
}

static bool is_mine(const struct aws_step *s) { return strcmp(s->note.incarnation, s->a->incarnation) == 0; }

/* --- what is there ------------------------------------------------------------------------------------------------------ */

/* The claim's instance in a list not older: 0 found, *out; 1 none; 2 waits; -1. */
static int look(struct aws_step *s, int64_t not_before_ms, json_t **out)
{
	CLEANUP(json_decrefp) json_t *all = NULL;
	json_t *instance;
	size_t i;
	int found = fleet_list_look(s->a->list, s->claim->uid, s->claim->name, not_before_ms, &all, s->err);
	if (found == 2)
		aws_launch_wait(s, AWS_SAFETY_MS, "", "");
	if (found != 0)
		return found;
	json_array_foreach(all, i, instance) {
		struct machine m;
		bool wanted = machine_read(&m, instance) && (s->note.phase == NOTE_RUNNING ? strcmp(m.id, s->note.instance) == 0 : m.state != INSTANCE_DELETING);
		if (wanted)
			return *out = json_incref(instance), 0;
	}
	return 1;
}

static int adopt(struct aws_step *s, const char *id)
{
	snprintf(s->note.instance, sizeof s->note.instance, "%s", id);
	s->attempt->look_ms = clock_now_ms();
	s->attempt->failures = 0;
	return aws_launch_persist(s, NOTE_RUNNING);
}

static int adopt_listed(struct aws_step *s, const json_t *instance)
{
	struct machine m;
	(void)machine_read(&m, instance);
	return adopt(s, m.id);
}

/* --- nothing was sent ---------------------------------------------------------------------------------------------------- */

/* 0: the template is there; 2, -1 as aws_launch's own results. */
static int make_template(struct aws_step *s, const struct plan *p)
{
	CLEANUP(ec2_answer_done) struct ec2_answer a = {0};
	int64_t wait_ms = 0;
	int sent = ec2_send(s->a->ec2, p->template_form, &a, &wait_ms, s->err);
	if (sent == 1)
		return aws_launch_wait(s, wait_ms, "", ""), 2;
	if (sent < 0)
		return -1;
	facts_forget(s->a->facts, p->template_fact);
	if (a.status == 200 || strstr(a.code, "AlreadyExists"))
		return 0;
	return aws_launch_refused(s, a.code, a.text), 2;
}

static int choose(struct aws_step *s)
{
	CLEANUP(plan_done) struct plan p = {0};
	const struct plan_context c = {.facts = s->a->facts, .settings = s->a->settings};
	const struct fleet_context fc = {s->a->offerings, s->a->settings, atomic_load(&s->a->no_fleet)};
	struct fleet_choice choice;
	bool spent = false;
	int64_t wait_ms = 0;
	int rc = plan_make(&c, s->claim, &spent, &p, &wait_ms, s->err);
	if (rc == 1)
		return aws_launch_unusable(s, "NodeClassNotReady", s->err->message);
	if (rc != 0)
		return rc == 2 ? aws_launch_wait(s, wait_ms, "", "") : -1;
	if (!p.template_exists && s->note.phase == NOTE_NONE)
		return aws_launch_persist(s, NOTE_CHOOSING); /* the claim has its finalizer before anything is made for it */
	rc = p.template_exists ? 0 : make_template(s, &p);
	if (rc != 0)
		return rc == 2 ? 0 : -1;
	free(s->note.request);
	fleet_request_make(&fc, s->claim, &p, s->note.attempt, &s->note.request, &choice, NULL);
	if (!s->note.request)
		return aws_launch_nothing_open(s, &choice);
	s->note.spot = choice.spot;
	return aws_launch_persist(s, NOTE_REQUESTED);
}

static int choosing(struct aws_step *s)
{
	return aws_launch_on_hold(s) ? 0 : choose(s);
}

/* A claim from before this process may have lost its annotation. */
static int begin(struct aws_step *s)
{
	CLEANUP(json_decrefp) json_t *instance = NULL;
	if (aws_launch_on_hold(s))
		return 0;
	if (s->claim->created_s > s->a->started_s)
		return choose(s);
	switch (look(s, s->a->started_ms, &instance)) {
	case 0:
		return adopt_listed(s, instance);
	case 1:
		return choose(s);
	case 2:
		return 0;
	default:
		return -1;
	}
}

/* --- the request --------------------------------------------------------------------------------------------------------- */

/* What came of a request that cannot be sent again. */
static int search(struct aws_step *s)
{
	CLEANUP(json_decrefp) json_t *instance = NULL;
	int64_t early_ms = s->attempt->search_ms - clock_now_ms();
	if (early_ms > 0)
		return aws_launch_wait(s, early_ms, "", "");
	switch (look(s, s->attempt->search_ms, &instance)) {
	case 0:
		return adopt_listed(s, instance);
	case 1:
		return aws_launch_next(s);
	case 2:
		return 0;
	default:
		return aws_launch_wait(s, AWS_AGAIN_MS, "", s->err->message);
	}
}

/* A server's trouble without a code that is known says nothing about what was done, as does what somebody on the way answered. */
static const char *code_of(const struct ec2_answer *a)
{
	bool unknown = ec2_fault_find(a->code)->code == NULL;
	return !a->code[0] || (unknown && (a->status >= 500 || a->status == 429 || a->status == 408)) ? "InternalError" : a->code;
}

static int requested(struct aws_step *s)
{
	CLEANUP(ec2_answer_done) struct ec2_answer a = {0};
	int64_t wait_ms = s->attempt->hold_ms - clock_now_ms();
	if (s->attempt->search_ms == 0 && !s->attempt->sent && !is_mine(s) && clock_wall_s() - s->note.started_s > TOKEN_S)
		s->attempt->search_ms = s->a->started_ms;
	if (s->attempt->search_ms)
		return search(s);
	if (wait_ms > 0)
		return aws_launch_wait(s, wait_ms, s->attempt->reason, s->attempt->message);
	s->unsure = s->attempt->sent || !is_mine(s);
	s->attempt->sent = true;
	s->attempt->sent_ms = clock_now_ms();
	int sent = ec2_send(s->a->ec2, s->note.request, &a, &wait_ms, s->err);
	s->attempt->sent = s->unsure || (sent != 1 && ec2_fault_find(a.code)->handling != EC2_FAULT_THROTTLED); /* else it was not looked at */
	if (sent != 0)
		return sent == 1 ? aws_launch_wait(s, wait_ms, "", "") : -1;
	s->attempt->sent_ms = clock_now_ms();
	if (a.status != 200)
		return aws_launch_refused(s, code_of(&a), a.text);
	const char *id = fleet_request_instance(a.body);
	return id && note_is_instance(id) ? adopt(s, id) : aws_launch_unfulfilled(s, a.body);
}

/* --- it is being made ----------------------------------------------------------------------------------------------------- */

static int done(struct aws_step *s, const struct machine *m)
{
	s->out->step = STEP_DONE;
	s->out->provider_id = machine_provider_id(m);
	s->out->image_id = m->image[0] ? mem_strdup(m->image) : NULL;
	s->out->labels = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", LABEL_INSTANCE_TYPE, m->type, LABEL_ZONE, m->zone, LABEL_REGION, s->a->settings->region, LABEL_CAPACITY_TYPE,
				   m->spot ? "spot" : "on-demand", "kubernetes.io/os", s->claim->os, "kubernetes.io/arch", s->claim->arch);
	return 0;
}

/* No list shows it. EC2 shows what it made within seconds; after minutes it is asked by name. */
static int unseen(struct aws_step *s)
{
	CLEANUP(json_decrefp) json_t *instance = NULL;
	const struct machine none = {.id = s->note.instance, .reason = "", .reason_text = ""};
	int64_t wait_ms = AWS_AGAIN_MS;
	s->attempt->look_ms = clock_now_ms();
	if (clock_wall_s() - s->note.started_s < AWS_LOST_S)
		return aws_launch_wait(s, AWS_AGAIN_MS, "", "");
	switch (aws_describe(s->a, s->note.instance, &instance, &wait_ms, s->err)) {
	case 0:
	case 2:
		return aws_launch_wait(s, wait_ms, "", "");
	case 1:
		return aws_launch_lost(s, &none);
	default:
		return -1;
	}
}

static int running(struct aws_step *s)
{
	CLEANUP(json_decrefp) json_t *instance = NULL;
	struct machine m;
	int64_t since = s->attempt->look_ms > s->a->started_ms ? s->attempt->look_ms : s->a->started_ms;
	switch (look(s, since, &instance)) {
	case 0:
		break;
	case 1:
		return unseen(s);
	case 2:
		return 0;
	default:
		return aws_launch_wait(s, AWS_AGAIN_MS, "", s->err->message);
	}
	if (!machine_read(&m, instance))
		return aws_launch_wait(s, AWS_AGAIN_MS, "", "");
	return m.state == INSTANCE_DELETING ? aws_launch_lost(s, &m) : done(s, &m);
}

/* --- the step -------------------------------------------------------------------------------------------------------------- */

static int (*const PHASES[NOTE_PHASES])(struct aws_step *s) = {
	[NOTE_NONE] = begin, [NOTE_CHOOSING] = choosing, [NOTE_REQUESTED] = requested, [NOTE_RUNNING] = running,
};

int aws_launch(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	struct aws *a = (struct aws *)c;
	struct aws_step s = {.a = a, .claim = claim, .out = out, .err = err};
	*out = (struct launch_result){.step = STEP_WAIT};
	if (note_read(&s.note, claim->memo, err) < 0)
		return err_wrap(err, "annotation " ANNOTATION_OPERATION);
	s.attempt = claim_slots_take(a->attempts, claim->uid);
	if (s.attempt) {
		int result = PHASES[s.note.phase](&s);
		claim_slots_give(a->attempts, claim->uid, result == 0 && out->step == STEP_DONE);
		note_done(&s.note);
		return result;
	}
	note_done(&s.note);
	return out->retry_ms = 1000, 0;
}
