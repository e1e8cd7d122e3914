/* Deleting: all that was made for the claim, nothing of others, and done only when EC2 says so; and what collectors are told. */
#include "check_main.h"

#include "aws/machine.h"
#include "aws_scene.h"
#include "base/clock.h"
#include "kube/meta.h"

static struct aws_scene s;

static void open_launched(void)
{
	aws_scene_open(&s);
	aws_scene_claim(&s, TYPE_A);
	aws_scene_launch(&s);
	ck_assert_msg(s.launched.step == STEP_DONE, "%s; %s", s.launched.message, s.err.message);
}

/* Each wait that the tests do not sit out is followed by another step. */
static void terminate_to_the_end(void)
{
	for (int i = 0; i < 20 && s.terminated.step != STEP_DONE; i++) {
		aws_scene_terminate(&s);
		clock_sleep_ms(i * 2);
	}
	ck_assert_msg(s.terminated.step == STEP_DONE, "%s: %s; %s", s.terminated.reason, s.terminated.message, s.err.message);
}

START_TEST(an_instance_is_ended_and_waited_for)
{
	open_launched();
	fake_ec2_slow_end(true);
	aws_scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_str_eq(fake_ec2_state(fake_ec2_first()), "shutting-down");
	aws_scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_uint_eq(fake_ec2_count("TerminateInstances"), 1);
	fake_ec2_end();
	terminate_to_the_end();
	ck_assert_uint_eq(fake_ec2_count("TerminateInstances"), 1);
	aws_scene_close(&s);
}
END_TEST

START_TEST(nothing_is_asked_for_a_claim_that_never_got_anything)
{
	aws_scene_open(&s);
	aws_scene_claim(&s, TYPE_A);
	aws_scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_DONE);
	ck_assert_uint_eq(fake_ec2_count(""), 0);
	aws_scene_close(&s);
}
END_TEST

/* The claim is deleted in the middle of its creation, and the process dies there too. */
START_TEST(nothing_is_left_of_a_creation_that_was_cut_short)
{
	for (int steps = 1; steps < 14; steps++)
		for (int restart = 0; restart < 3; restart++) {
			aws_scene_open(&s);
			aws_scene_claim(&s, TYPE_A);
			for (int i = 0; i < steps && s.launched.step != STEP_DONE; i++)
				ck_assert_int_eq(aws_scene_launch_step(&s), 0);
			if (restart)
				aws_scene_restart(&s, restart == 2 && s.launched.step == STEP_PERSIST);
			terminate_to_the_end();
			ck_assert_msg(fake_ec2_alive() == 0, "after %d steps, restart %d: %.200s", steps, restart, aws_scene_memo(&s));
			aws_scene_close(&s);
		}
}
END_TEST

START_TEST(what_a_lost_answer_made_is_found_and_ended)
{
	for (int restart = 0; restart < 2; restart++) {
		aws_scene_open(&s);
		aws_scene_claim(&s, TYPE_A);
		fake_ec2_fail("CreateFleet", 1, FAKE_EC2_DROP_AFTER, 0, NULL, NULL);
		aws_scene_launch(&s);
		ck_assert_uint_eq(fake_ec2_alive(), 1);
		if (restart)
			aws_scene_restart(&s, false);
		terminate_to_the_end();
		ck_assert_uint_eq(fake_ec2_alive(), 0);
		aws_scene_close(&s);
	}
}
END_TEST

/* What is not shown in time is collected later. */
START_TEST(a_listed_instance_is_reaped)
{
	open_launched();
	struct instance i = {.name = fake_ec2_first(), .claim = "ws1", .claim_uid = "11111111-2222-3333-4444-555555555555"};
	ck_assert_msg(s.cloud->ops->reap(s.cloud, &i, &s.err) == 0, "%s", s.err.message);
	ck_assert_uint_eq(fake_ec2_alive(), 0);
	ck_assert_int_eq(s.cloud->ops->reap(s.cloud, &i, &s.err), 0); /* it is ended already */
	ck_assert_uint_eq(fake_ec2_count("TerminateInstances"), 1);
	aws_scene_close(&s);
}
END_TEST

START_TEST(instances_of_others_are_not_touched)
{
	open_launched();
	const char *other_cluster = fake_ec2_put("c2", "ws1", "11111111-2222-3333-4444-555555555555");
	const char *other_claim = fake_ec2_put("c1", "ws1", "99999999");
	terminate_to_the_end();
	ck_assert_uint_eq(fake_ec2_alive(), 2);
	ck_assert_str_eq(fake_ec2_state(other_cluster), "running");
	ck_assert_str_eq(fake_ec2_state(other_claim), "running");
	/* A memo or providerID that names a stranger's instance. */
	aws_scene_claim(&s, TYPE_A);
	json_object_set_new(json_object_get(s.claim, "status"), "providerID", json_sprintf("aws:///us-east-1a/%s", other_cluster));
	s.terminated.step = STEP_WAIT;
	terminate_to_the_end();
	ck_assert_uint_eq(fake_ec2_alive(), 2);
	struct instance i = {.name = other_cluster, .claim = "ws1", .claim_uid = "11111111-2222-3333-4444-555555555555"};
	ck_assert_int_eq(s.cloud->ops->reap(s.cloud, &i, &s.err), -1);
	i = (struct instance){.name = other_claim, .claim = "ws1", .claim_uid = "88888888"};
	ck_assert_int_eq(s.cloud->ops->reap(s.cloud, &i, &s.err), -1);
	ck_assert_uint_eq(fake_ec2_alive(), 2);
	aws_scene_close(&s);
}
END_TEST

START_TEST(an_instance_that_is_long_gone_is_done)
{
	open_launched();
	fake_ec2_set_state(fake_ec2_first(), "terminated", "");
	terminate_to_the_end();
	ck_assert_uint_le(fake_ec2_count("TerminateInstances"), 1); /* as the list from before its end made it look alive */
	aws_scene_close(&s);

	open_launched();
	fake_ec2_forget(fake_ec2_first());
	json_object_set_new(json_object_get(s.claim, "metadata"), "creationTimestamp", json_string("2026-01-01T00:00:00Z"));
	terminate_to_the_end();
	aws_scene_close(&s);
}
END_TEST

START_TEST(an_instance_that_ec2_does_not_show_yet_is_not_gone)
{
	open_launched();
	fake_ec2_forget(fake_ec2_first());
	for (int i = 0; i < 4; i++) { /* the last list had it; then TerminateInstances, the next lists and DescribeInstances do not */
		aws_scene_terminate(&s);
		ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	}
	aws_scene_close(&s);
}
END_TEST

START_TEST(a_refusal_to_end_is_told)
{
	open_launched();
	fake_ec2_fail("TerminateInstances", 1, FAKE_EC2_REPLY, 403, "UnauthorizedOperation", "You are not authorized");
	aws_scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_str_eq(s.terminated.reason, "UnauthorizedOperation");
	ck_assert_int_eq(s.terminated.retry_ms, 60000);
	terminate_to_the_end();
	ck_assert_uint_eq(fake_ec2_alive(), 0);
	aws_scene_close(&s);
}
END_TEST

START_TEST(a_list_that_fails_concludes_nothing)
{
	open_launched();
	aws_scene_terminate(&s);
	fake_ec2_fail("DescribeInstances", 1, FAKE_EC2_REPLY, 503, "ServiceUnavailable", "later");
	for (int i = 0; i < 200 && aws_scene_terminate_step(&s) == 0; i++) {
		ck_assert_int_eq(s.terminated.step, STEP_WAIT);
		clock_sleep_ms(2);
	}
	ck_assert_ptr_nonnull(strstr(s.err.message, "ServiceUnavailable"));
	terminate_to_the_end();
	aws_scene_close(&s);
}
END_TEST

/* --- collectors ----------------------------------------------------------------------------------------------------------- */

static void count(void *context, const struct instance *i)
{
	size_t *n = context;
	ck_assert(i->claim[0] && i->claim_uid[0] && strncmp(i->provider_id, "aws:///us-east-1", 16) == 0);
	(*n)++;
}

START_TEST(a_list_is_complete_or_an_error)
{
	size_t n = 0;
	aws_scene_open(&s);
	for (int i = 0; i < 7; i++) {
		char uid[16];
		snprintf(uid, sizeof uid, "u%d", i);
		fake_ec2_put(i == 3 ? "c2" : "c1", "w", uid);
	}
	fake_ec2_page(2);
	ck_assert_msg(s.cloud->ops->list(s.cloud, 0, count, &n, &s.err) == 0, "%s", s.err.message);
	ck_assert_uint_eq(n, 6);
	ck_assert_uint_eq(fake_ec2_count("DescribeInstances"), 4);
	n = 0;
	ck_assert_int_eq(s.cloud->ops->list(s.cloud, 60000, count, &n, &s.err), 0); /* young enough */
	ck_assert_uint_eq(n, 6);
	ck_assert_uint_eq(fake_ec2_count("DescribeInstances"), 4);
	fake_ec2_fail("DescribeInstances", 1, FAKE_EC2_DROP, 0, NULL, NULL);
	n = 0;
	clock_sleep_ms(2);
	ck_assert_int_eq(s.cloud->ops->list(s.cloud, 0, count, &n, &s.err), -1);
	ck_assert_uint_eq(n, 0);
	aws_scene_close(&s);
}
END_TEST

START_TEST(get_tells_gone_from_unknown)
{
	size_t n = 0;
	open_launched();
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, s.launched.provider_id, count, &n, &s.err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, "aws:///us-east-1a/i-0fff", count, &n, &s.err), 1);
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, "", count, &n, &s.err), 1);
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, "azure:///subscriptions/x", count, &n, &s.err), 1);
	fake_ec2_fail("DescribeInstances", 1, FAKE_EC2_REPLY, 503, "ServiceUnavailable", "later");
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, s.launched.provider_id, count, &n, &s.err), -1);
	fake_ec2_set_state(fake_ec2_first(), "terminated", "");
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, s.launched.provider_id, count, &n, &s.err), 1);
	ck_assert_uint_eq(n, 1);
	aws_scene_close(&s);
}
END_TEST

START_TEST(ready_when_ec2_answers)
{
	struct buf text = {0};
	aws_scene_open(&s);
	ck_assert_int_eq(s.cloud->ops->ready(s.cloud, &s.err), 1);
	for (int i = 0; i < 500 && s.cloud->ops->ready(s.cloud, &s.err) != 0; i++)
		clock_sleep_ms(2);
	ck_assert_int_eq(s.cloud->ops->ready(s.cloud, &s.err), 0);
	s.cloud->ops->collect(s.cloud, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "kaito_ec2_requests_total{action=\"DescribeInstances\",code=\"200\"}"));
	buf_done(&text);
	aws_scene_close(&s);
}
END_TEST

int main(void)
{
	CHECK_RUN("aws/terminate", 60, an_instance_is_ended_and_waited_for, nothing_is_asked_for_a_claim_that_never_got_anything, nothing_is_left_of_a_creation_that_was_cut_short,
		  what_a_lost_answer_made_is_found_and_ended, a_listed_instance_is_reaped, instances_of_others_are_not_touched, an_instance_that_is_long_gone_is_done, an_instance_that_ec2_does_not_show_yet_is_not_gone,
		  a_refusal_to_end_is_told, a_list_that_fails_concludes_nothing, a_list_is_complete_or_an_error, get_tells_gone_from_unknown, ready_when_ec2_answers);
}
