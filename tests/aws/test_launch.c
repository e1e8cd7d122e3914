/* Creating: one instance, whatever is lost in between; machines that cannot be had lead to the next, or to a reason that says what to do. */
#include "check_main.h"

#include "aws/fleet_request.h"
#include "aws/machine.h"
#include "aws_scene.h"
#include "base/clock.h"
#include "kube/meta.h"
#include "../provision/fake_kube.h"
#include <pthread.h>

static struct aws_scene s;

static void open_with(const char *types)
{
	aws_scene_open(&s);
	aws_scene_claim(&s, types);
}

static void check_done(void)
{
	ck_assert_msg(s.launched.step == STEP_DONE, "step %d %s: %s; %s; %.300s", s.launched.step, s.launched.reason, s.launched.message, s.err.message, aws_scene_memo(&s));
	ck_assert_uint_eq(fake_ec2_made(), 1);
	ck_assert_uint_eq(fake_ec2_alive(), 1);
}

static void check_field(const char *form, const char *name, const char *value)
{
	char *found = fleet_request_field(form, name);
	ck_assert_msg(found && strcmp(found, value) == 0, "%s is %s, not %s", name, found ? found : "absent", value);
	free(found);
}

START_TEST(a_claim_becomes_an_instance_with_one_fleet)
{
	open_with(TYPE_A " " TYPE_B);
	aws_scene_launch(&s);
	check_done();
	ck_assert_str_eq(s.launched.provider_id, "aws:///us-east-1a/i-00000000000000001");
	ck_assert_str_eq(s.launched.image_id, "ami-1");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_INSTANCE_TYPE, NULL), TYPE_A);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_ZONE, NULL), "us-east-1a");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_REGION, NULL), "us-east-1");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_CAPACITY_TYPE, NULL), "on-demand");
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 1);
	ck_assert_uint_eq(fake_ec2_templates(), 1);
	char *form = mem_strdup(fake_ec2_last("CreateFleet"));
	check_field(form, "Type", "instant");
	check_field(form, "ClientToken", "11111111-2222-3333-4444-555555555555-0");
	check_field(form, "LaunchTemplateConfigs.1.Overrides.1.InstanceType", TYPE_A);
	check_field(form, "LaunchTemplateConfigs.1.Overrides.1.SubnetId", "subnet-0a");
	check_field(form, "LaunchTemplateConfigs.1.Overrides.2.SubnetId", "subnet-0b");
	check_field(form, "LaunchTemplateConfigs.1.Overrides.3.InstanceType", TYPE_B);
	check_field(form, "LaunchTemplateConfigs.1.Overrides.3.Priority", "2");
	check_field(form, "OnDemandOptions.AllocationStrategy", "prioritized");
	free(form);
	size_t lists = fake_ec2_count("DescribeInstances"), all = fake_ec2_count("");
	ck_assert_uint_le(lists, 3);
	clock_sleep_ms(100); /* nobody waits: nothing is asked */
	ck_assert_uint_eq(fake_ec2_count(""), all);
	aws_scene_close(&s);
}
END_TEST

START_TEST(the_template_says_what_the_machine_is)
{
	open_with(TYPE_A);
	aws_scene_launch(&s);
	check_done();
	char *form = mem_strdup(fake_ec2_last("CreateLaunchTemplate"));
	check_field(form, "LaunchTemplateData.ImageId", "ami-0123456789abcdef0");
	check_field(form, "LaunchTemplateData.IamInstanceProfile.Name", "nodes");
	check_field(form, "LaunchTemplateData.SecurityGroupId.1", "sg-1");
	check_field(form, "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize", "120");
	check_field(form, "LaunchTemplateData.MetadataOptions.HttpTokens", "required");
	ck_assert_ptr_nonnull(strstr(fake_ec2_last("GetParameter"), "/aws/service/eks/optimized-ami/1.33/amazon-linux-2023/x86_64/nvidia/recommended/image_id"));
	free(form);
	aws_scene_close(&s);
}
END_TEST

/* The process dies after each step, with its memo stored or not, and another goes on. */
START_TEST(a_crash_at_any_step_leaves_one_instance)
{
	for (int crash = 0; crash < 24; crash++) {
		open_with(TYPE_A);
		bool died = false;
		for (int i = 0; i < 200 && s.launched.step != STEP_DONE; i++) {
			ck_assert_msg(aws_scene_launch_step(&s) == 0, "%s", s.err.message);
			if (i == crash / 2 && s.launched.step != STEP_DONE) {
				aws_scene_restart(&s, crash % 2 == 1 && s.launched.step == STEP_PERSIST);
				died = true;
			}
			if (s.launched.step == STEP_WAIT)
				clock_sleep_ms(5);
		}
		check_done();
		(void)died;
		aws_scene_close(&s);
	}
}
END_TEST

START_TEST(a_lost_answer_is_asked_for_again_with_the_same_bytes)
{
	open_with(TYPE_A);
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_DROP_AFTER, 0, NULL, NULL);
	aws_scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_WAIT); /* err */
	char *first = mem_strdup(fake_ec2_last("CreateFleet"));
	aws_scene_restart(&s, false);
	aws_scene_launch(&s);
	check_done();
	ck_assert_str_eq(first, fake_ec2_last("CreateFleet"));
	free(first);
	aws_scene_close(&s);
}
END_TEST

/* EC2 looks at permissions and the template before it looks at the token. */
START_TEST(a_refusal_of_a_repetition_is_not_believed)
{
	open_with(TYPE_A);
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_DROP_AFTER, 0, NULL, NULL);
	aws_scene_launch(&s);
	ck_assert_uint_eq(fake_ec2_made(), 1);
	fake_ec2_drop_templates();
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_REPLY, 403, "UnauthorizedOperation", "no longer");
	aws_scene_launch(&s);
	check_done();
	aws_scene_close(&s);

	open_with(TYPE_A); /* the first time nothing was made */
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_DROP, 0, NULL, NULL);
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_REPLY, 400, "InvalidLaunchTemplateName.NotFoundException", "gone");
	aws_scene_launch(&s);
	aws_scene_launch(&s);
	check_done();
	aws_scene_close(&s);
}
END_TEST

START_TEST(server_trouble_repeats_the_request)
{
	open_with(TYPE_A);
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_REPLY_AFTER, 500, "InternalError", "An internal error has occurred");
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_REPLY, 503, "WhoKnows", "no such code");
	aws_scene_launch(&s);
	check_done();
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 3);
	aws_scene_close(&s);
}
END_TEST

START_TEST(a_machine_that_cannot_be_had_is_left_out_for_a_while)
{
	open_with(TYPE_A " " TYPE_B);
	fake_ec2_sold_out(TYPE_A "//on-demand");
	aws_scene_launch(&s);
	check_done(); /* EC2 took the second type itself */
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_INSTANCE_TYPE, NULL), TYPE_B);
	aws_scene_close(&s);

	open_with(TYPE_A);
	fake_ec2_sold_out(TYPE_A "//on-demand");
	aws_scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert(s.launched.insufficient);
	ck_assert_str_eq(s.launched.reason, "InsufficientInstanceCapacity");
	ck_assert_str_eq(s.launched.event, "InsufficientInstanceCapacity");
	ck_assert_int_gt(s.launched.retry_ms, 60000);
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 1);
	aws_scene_launch(&s); /* before its time: no request, and no second event */
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_str_eq(s.launched.event, "");
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 1);
	ck_assert_uint_eq(fake_ec2_made(), 0);
	aws_scene_close(&s);
}
END_TEST

START_TEST(spot_is_tried_first_and_on_demand_after_it)
{
	open_with(TYPE_A);
	aws_scene_require(&s, LABEL_CAPACITY_TYPE, "In", "spot on-demand");
	fake_ec2_sold_out(TYPE_A "//spot");
	aws_scene_launch(&s);
	check_done();
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_CAPACITY_TYPE, NULL), "on-demand");
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 2);
	aws_scene_close(&s);

	open_with(TYPE_A);
	aws_scene_require(&s, LABEL_CAPACITY_TYPE, "In", "spot on-demand");
	aws_scene_launch(&s);
	check_done();
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_CAPACITY_TYPE, NULL), "spot");
	ck_assert_ptr_nonnull(strstr(fake_ec2_last("CreateFleet"), "SpotOptions.AllocationStrategy=price-capacity-optimized"));
	aws_scene_close(&s);
}
END_TEST

START_TEST(zones_of_the_claim_are_kept_to)
{
	open_with(TYPE_A);
	aws_scene_require(&s, LABEL_ZONE, "In", "us-east-1b");
	aws_scene_launch(&s);
	check_done();
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_ZONE, NULL), "us-east-1b");
	aws_scene_close(&s);

	open_with(TYPE_A);
	aws_scene_require(&s, LABEL_ZONE, "In", "us-east-1f");
	aws_scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_str_eq(s.launched.reason, "NoSubnetInZone");
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 0);
	aws_scene_close(&s);
}
END_TEST

START_TEST(throttling_closes_the_gate_for_everyone)
{
	open_with(TYPE_A);
	fake_ec2_fail("DescribeSubnets", 1, FAKE_EC2_REPLY, 503, "RequestLimitExceeded", "Request limit exceeded.");
	ck_assert_int_eq(aws_scene_launch_step(&s), -1);
	size_t before = fake_ec2_count("");
	ck_assert_int_eq(aws_scene_launch_step(&s), 0);
	ck_assert_int_eq(s.launched.step, STEP_WAIT);
	ck_assert_int_gt(s.launched.retry_ms, 0);
	ck_assert_int_le(s.launched.retry_ms, 1000);
	ck_assert_uint_eq(fake_ec2_count(""), before);
	aws_scene_launch(&s);
	check_done();
	aws_scene_close(&s);
}
END_TEST

START_TEST(without_the_right_to_make_fleets_instances_are_run_one_by_one)
{
	open_with(TYPE_A " " TYPE_B);
	fake_ec2_fail("CreateFleet", 9, FAKE_EC2_REPLY, 403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
	fake_ec2_sold_out(TYPE_A "//on-demand");
	aws_scene_launch(&s);
	check_done();
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), 1);
	ck_assert_uint_eq(fake_ec2_count("RunInstances"), 3);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_INSTANCE_TYPE, NULL), TYPE_B);
	aws_scene_close(&s);
}
END_TEST

START_TEST(what_ec2_does_not_show_yet_is_waited_for)
{
	open_with(TYPE_A);
	fake_ec2_hide(1);
	aws_scene_launch(&s);
	check_done();
	aws_scene_close(&s);
}
END_TEST

START_TEST(an_instance_that_ends_early_is_replaced)
{
	open_with(TYPE_A);
	fake_ec2_hide(1);
	while (strstr(aws_scene_memo(&s), "running") == NULL)
		ck_assert_int_eq(aws_scene_launch_step(&s), 0);
	fake_ec2_set_state(fake_ec2_first(), "terminated", "Server.InsufficientInstanceCapacity");
	aws_scene_launch(&s);
	ck_assert_msg(s.launched.step == STEP_DONE, "%s %s", s.launched.reason, s.launched.message);
	ck_assert_uint_eq(fake_ec2_made(), 2);
	ck_assert_uint_eq(fake_ec2_alive(), 1);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_ZONE, NULL), "us-east-1b");
	aws_scene_close(&s);
}
END_TEST

START_TEST(a_template_that_was_deleted_is_made_again)
{
	open_with(TYPE_A);
	while (strstr(aws_scene_memo(&s), "requested") == NULL)
		ck_assert_int_eq(aws_scene_launch_step(&s), 0);
	fake_ec2_drop_templates();
	aws_scene_launch(&s);
	check_done();
	ck_assert_uint_eq(fake_ec2_count("CreateLaunchTemplate"), 2);
	aws_scene_close(&s);
}
END_TEST

/* The annotation was lost after the instance was made, and the class changed: EC2 knows the token with another request. */
START_TEST(a_token_used_for_another_request_leads_to_its_instance)
{
	open_with(TYPE_A);
	while (strstr(aws_scene_memo(&s), "running") == NULL)
		ck_assert_int_eq(aws_scene_launch_step(&s), 0);
	json_object_del(json_at(s.claim, "metadata", "annotations", NULL), ANNOTATION_OPERATION);
	aws_scene_require(&s, LABEL_ZONE, "In", "us-east-1b us-east-1a");
	aws_scene_launch(&s);
	check_done();
	aws_scene_close(&s);
}
END_TEST

START_TEST(a_refusal_of_the_request_is_told_and_tried_again_slowly)
{
	open_with(TYPE_A);
	fake_ec2_fail("CreateFleet", 1, FAKE_EC2_FLEET_ERROR, 200, "InvalidParameterValue", "Value (nodes) for parameter iamInstanceProfile.name is invalid.");
	aws_scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert(!s.launched.insufficient);
	ck_assert_str_eq(s.launched.reason, "InvalidRequest");
	ck_assert_msg(strncmp(s.launched.message, "InvalidParameterValue: Value (nodes)", 36) == 0, "%s", s.launched.message);
	ck_assert_int_gt(s.launched.retry_ms, 1000);
	aws_scene_close(&s);
}
END_TEST

/* --- node classes ------------------------------------------------------------------------------------------------------ */

static void put_class(json_t *spec)
{
	fake_put(&KUBE_EC2_NODE_CLASSES, json_pack("{s:s,s:s,s:{s:s},s:o}", "apiVersion", "karpenter.k8s.aws/v1", "kind", "EC2NodeClass", "metadata", "name", "default", "spec", spec));
	json_object_set_new(json_object_get(s.claim, "spec"), "nodeClassRef", json_pack("{s:s,s:s,s:s}", "group", "karpenter.k8s.aws", "kind", "EC2NodeClass", "name", "default"));
}

START_TEST(an_ec2_node_class_is_followed)
{
	open_with(TYPE_A);
	put_class(json_pack("{s:s,s:[{s:s}],s:[{s:{s:s}}],s:[{s:s}],s:[{s:s,s:b,s:{s:s,s:s}}],s:{s:s,s:s},s:s}", "role", "KarpenterNodeRole", "amiSelectorTerms", "alias", "bottlerocket@v1.20.0",
			    "subnetSelectorTerms", "tags", "kubernetes.io/role", "*", "securityGroupSelectorTerms", "id", "sg-1", "blockDeviceMappings", "deviceName", "/dev/xvdb", "rootVolume", 1, "ebs",
			    "volumeSize", "300Gi", "volumeType", "gp3", "tags", "team", "ml", "kaito.sh/nodeclaim-uid", "stolen", "userData", "[settings.host]\n"));
	aws_scene_launch(&s);
	check_done();
	char *template = mem_strdup(fake_ec2_last("CreateLaunchTemplate")), *fleet = mem_strdup(fake_ec2_last("CreateFleet"));
	check_field(template, "LaunchTemplateData.IamInstanceProfile.Name", "KarpenterNodeRole");
	check_field(template, "LaunchTemplateData.BlockDeviceMapping.1.DeviceName", "/dev/xvdb");
	check_field(template, "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize", "300");
	check_field(fake_ec2_last("DescribeSubnets"), "Filter.1.Name", "tag-key");
	check_field(fake_ec2_last("DescribeSecurityGroups"), "GroupId.1", "sg-1");
	check_field(fleet, "TagSpecification.1.Tag.6.Key", "team");
	ck_assert_ptr_null(strstr(fleet, "stolen"));
	ck_assert_ptr_nonnull(strstr(fake_ec2_last("GetParameter"), "/aws/service/bottlerocket/aws-k8s-1.33-nvidia/x86_64/1.20.0/image_id"));
	free(template);
	free(fleet);
	aws_scene_close(&s);
}
END_TEST

START_TEST(a_class_that_cannot_be_used_is_told)
{
	open_with(TYPE_A);
	put_class(json_pack("{s:s,s:[{s:{s:s}}],s:[{s:s}],s:[{s:s}]}", "role", "r", "amiSelectorTerms", "tags", "a", "b", "subnetSelectorTerms", "id", "subnet-0a", "securityGroupSelectorTerms", "id", "sg-1"));
	aws_scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_str_eq(s.launched.reason, "NodeClassNotReady");
	ck_assert_ptr_nonnull(strstr(s.launched.message, "amiSelectorTerms"));
	ck_assert_uint_eq(fake_ec2_count(""), 0);
	aws_scene_close(&s);

	open_with(TYPE_A);
	put_class(json_object());
	fake_remove(&KUBE_EC2_NODE_CLASSES, NULL, "default");
	aws_scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_ptr_nonnull(strstr(s.launched.message, "there is no EC2NodeClass default"));
	aws_scene_close(&s);
}
END_TEST

/* --- many ---------------------------------------------------------------------------------------------------------------- */

#define MANY 48
#define THREADS 4

struct share { int from; bool done[MANY]; };

static void launch_one(struct share *h, int k)
{
	struct claim_view v;
	struct launch_result r = {0};
	struct err why = ERR_INIT;
	char name[16], uid[16];
	snprintf(name, sizeof name, "ws%d", k);
	snprintf(uid, sizeof uid, "uid-%d", k);
	json_t *claim = json_deep_copy(s.claim), *meta = json_object_get(claim, "metadata");
	json_object_set_new(meta, "name", json_string(name));
	json_object_set_new(meta, "uid", json_string(uid));
	for (int i = 0; i < 2000 && !h->done[k]; i++) {
		launch_result_done(&r);
		if (claim_view_init(&v, claim, &why) < 0)
			break;
		int rc = s.cloud->ops->launch(s.cloud, &v, &r, &why);
		claim_view_done(&v);
		if (rc == 0 && r.step == STEP_PERSIST)
			meta_set_annotation(claim, ANNOTATION_OPERATION, r.memo);
		else if (rc < 0 || r.step == STEP_FAILED)
			break;
		h->done[k] = r.step == STEP_DONE;
		if (r.step == STEP_WAIT)
			clock_sleep_ms(2);
	}
	launch_result_done(&r);
	json_decref(claim);
}

static void *launch_share(void *context)
{
	struct share *h = context;
	for (int k = h->from; k < MANY; k += THREADS)
		launch_one(h, k);
	return NULL;
}

START_TEST(many_claims_share_their_questions)
{
	pthread_t threads[THREADS];
	static struct share shares[THREADS];
	open_with(TYPE_A);
	for (int i = 0; i < THREADS; i++) {
		shares[i] = (struct share){.from = i};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, launch_share, &shares[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int k = 0; k < MANY; k++)
		ck_assert_msg(shares[k % THREADS].done[k], "claim %d", k);
	ck_assert_uint_eq(fake_ec2_made(), MANY);
	ck_assert_uint_eq(fake_ec2_count("CreateFleet"), MANY);
	ck_assert_uint_eq(fake_ec2_count("DescribeSubnets"), 1);
	ck_assert_uint_eq(fake_ec2_count("DescribeSecurityGroups"), 1);
	ck_assert_uint_eq(fake_ec2_count("GetParameter"), 1);
	ck_assert_uint_le(fake_ec2_count("CreateLaunchTemplate"), THREADS);
	aws_scene_close(&s);
}
END_TEST

/* --- explain ------------------------------------------------------------------------------------------------------------ */

START_TEST(explain_shows_the_request_and_sends_none)
{
	struct claim_view v;
	struct buf text = {0};
	open_with(TYPE_A);
	s.cloud->ops->free(s.cloud);
	s.cloud = aws_new(&(struct aws_options){.settings = &s.settings, .offline = true});
	ck_assert_int_eq(claim_view_init(&v, s.claim, &s.err), 0);
	ck_assert_msg(s.cloud->ops->explain(s.cloud, &v, &text, &s.err) == 0, "%s", s.err.message);
	ck_assert_ptr_nonnull(strstr(text.data, "Action=CreateFleet\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "Overrides.1.InstanceType=" TYPE_A "\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "karpenter.sh/discovery"));
	ck_assert_uint_eq(fake_ec2_count(""), 0);
	claim_view_done(&v);
	buf_done(&text);
	aws_scene_close(&s);
}
END_TEST

int main(void)
{
	CHECK_RUN("aws/launch", 60, a_claim_becomes_an_instance_with_one_fleet, the_template_says_what_the_machine_is, a_crash_at_any_step_leaves_one_instance,
		  a_lost_answer_is_asked_for_again_with_the_same_bytes, a_refusal_of_a_repetition_is_not_believed, server_trouble_repeats_the_request, a_machine_that_cannot_be_had_is_left_out_for_a_while,
		  spot_is_tried_first_and_on_demand_after_it, zones_of_the_claim_are_kept_to, throttling_closes_the_gate_for_everyone,
		  without_the_right_to_make_fleets_instances_are_run_one_by_one, what_ec2_does_not_show_yet_is_waited_for, an_instance_that_ends_early_is_replaced,
		  a_template_that_was_deleted_is_made_again, a_token_used_for_another_request_leads_to_its_instance, a_refusal_of_the_request_is_told_and_tried_again_slowly,
		  an_ec2_node_class_is_followed, a_class_that_cannot_be_used_is_told, many_claims_share_their_questions, explain_shows_the_request_and_sends_none);
}
