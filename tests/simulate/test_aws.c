/* test_aws.c: the simulated AWS as its clients meet it: signatures, keys, launch templates, fleets and their tokens, the life of an instance,
 * and what is refused. Requests are signed with the provisioner's own signer: each checks the other. */
#include "simulate/sim_client.h"

#include "aws/sigv4.h"
#include "base/clock.h"
#include "check_main.h"
#include "kube/meta.h"
#include "simulate/aws_sim.h"
#include <openssl/evp.h>

#define ID "AKIASIMULATED0000001"
#define SECRET "simulated-secret"
#define VERSION "&Version=2016-11-15"
#define TEMPLATE "Action=CreateLaunchTemplate" VERSION "&LaunchTemplateName=kaito-1&LaunchTemplateData.ImageId=ami-1&LaunchTemplateData.IamInstanceProfile.Name=kaito-nodes"
#define FLEET                                                                                                                                                  \
	"Action=CreateFleet" VERSION "&Type=instant&TargetCapacitySpecification.TotalTargetCapacity=1&TargetCapacitySpecification.DefaultTargetCapacityType=on-demand" \
	"&LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateName=kaito-1&LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version=1"                \
	"&LaunchTemplateConfigs.1.Overrides.1.InstanceType=g5.xlarge&LaunchTemplateConfigs.1.Overrides.1.SubnetId=subnet-0aaaaaaaaaaaaaaa1"                             \
	"&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=team&TagSpecification.1.Tag.1.Value=a%26b"
#define LIST "Action=DescribeInstances" VERSION

static struct sim_answer last;

static void begin(void)
{
	sim_begin(&(struct simulator_options){.cloud = "aws"}); /* without signatures */
}

static void end(void)
{
	sim_answer_done(&last);
	last = (struct sim_answer){0};
	sim_end();
}

static void keep(struct sim_answer a)
{
	sim_answer_done(&last);
	last = a;
}

static const char *post(int status, const char *form)
{
	keep(sim_ask("POST", "/", form));
	ck_assert_msg(last.status == status, "%s: %d %s", form, last.status, last.text);
	return last.text;
}

static void refused(int status, const char *form, const char *code)
{
	char want[120];
	snprintf(want, sizeof want, "<Code>%s</Code>", code);
	ck_assert_msg(strstr(post(status, form), want) != NULL, "%s: %s", form, last.text);
}

/* The text of the first element of that name; static. */
static const char *element(const char *name)
{
	static char out[200];
	char open[60];
	snprintf(open, sizeof open, "<%s>", name);
	const char *at = strstr(last.text, open);
	snprintf(out, sizeof out, "%.*s", at ? (int)strcspn(at + strlen(open), "<") : 0, at ? at + strlen(open) : "");
	return out;
}

static size_t count(const char *part)
{
	size_t n = 0;
	for (const char *at = last.text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

/* --- signatures ----------------------------------------------------------------------------------------------------- */

struct signer { const char *id, *secret, *token, *region, *service; int64_t late_s; const char *sent /* in place of what was signed */; };

static void signed_post(int status, const char *form, struct signer s)
{
	char date[17], headers[2000];
	struct sigv4_header signed_headers[3] = {{"host", "test"} /* as raw_client.c says */, {"x-amz-date", date}, {"x-amz-security-token", s.token}};
	sigv4_time(clock_wall_s() - s.late_s, date);
	const struct sigv4_request q = {.method = "POST", .path = "/", .query = "", .headers = signed_headers, .n_headers = s.token ? 3 : 2, .body = str_of(form)};
	const struct sigv4_key k = {s.id ? s.id : ID, s.secret ? s.secret : SECRET, s.region ? s.region : "us-east-1", s.service ? s.service : "ec2"};
	char *authorization = sigv4_authorization(&q, &k, date);
	snprintf(headers, sizeof headers, "X-Amz-Date: %s\r\nAuthorization: %s\r\n%s%s%s", date, authorization, s.token ? "X-Amz-Security-Token: " : "", s.token ? s.token : "", s.token ? "\r\n" : "");
	keep(sim_ask_with("POST", "/", headers, s.sent ? s.sent : form));
	free(authorization);
	ck_assert_msg(last.status == status, "%d %s", last.status, last.text);
}

START_TEST(a_signature_is_verified_and_each_fault_has_its_code)
{
	const struct { struct signer by; int status; const char *code; } ROWS[] = {
		{{.secret = "another"}, 403, "SignatureDoesNotMatch"},
		{{.sent = LIST "&MaxResults=5"}, 403, "SignatureDoesNotMatch"},
		{{.region = "eu-west-1"}, 403, "SignatureDoesNotMatch"},
		{{.service = "sts"}, 403, "SignatureDoesNotMatch"},
		{{.late_s = -900}, 403, "SignatureDoesNotMatch"},
		{{.late_s = 900}, 400, "RequestExpired"},
		{{.id = "AKIANOBODY"}, 401, "AuthFailure"},
		{{.token = "of-nobody"}, 401, "AuthFailure"},
	};
	begin();
	sim_settings("{\"auth\":true}");
	signed_post(200, LIST, (struct signer){0});
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		signed_post(ROWS[i].status, LIST, ROWS[i].by);
		ck_assert_msg(strcmp(element("Code"), ROWS[i].code) == 0, "row %zu: %s", i, last.text);
	}
	refused(400, LIST, "MissingAuthenticationToken");
	keep(sim_ask_with("POST", "/", "Authorization: Bearer x\r\n", LIST));
	ck_assert_str_eq(element("Code"), "IncompleteSignature");
	end();
}
END_TEST

START_TEST(an_authorization_header_is_read_in_any_order_and_not_when_it_is_broken)
{
	static const char *const BROKEN[] = {
		"", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "Bearer x",
		"AWS4-HMAC-SHA256 Credential=a/20261124/r/s/aws4_request, SignedHeaders=host",
		"AWS4-HMAC-SHA256 Credential=a/20261124/r/s, SignedHeaders=host, Signature=0123456789012345678901234567890123456789012345678901234567890123",
		"AWS4-HMAC-SHA256 Credential=a/2026/r/s/aws4_request, SignedHeaders=host, Signature=0123456789012345678901234567890123456789012345678901234567890123",
		"AWS4-HMAC-SHA256 Credential=a/20261124/r/s/aws4_request, SignedHeaders=host, Signature=0123",
	};
	struct aws_sim_authorization a;
	ck_assert(aws_sim_signature_parse(STR("AWS4-HMAC-SHA256 Signature=0123456789012345678901234567890123456789012345678901234567890123,SignedHeaders=a;b,Credential=a/20261124/r/s/aws4_request"), &a));
	ck_assert(str_eqz(a.id, "a") && str_eqz(a.day, "20261124") && str_eqz(a.region, "r") && str_eqz(a.service, "s") && str_eqz(a.names, "a;b"));
	for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++)
		ck_assert_msg(!aws_sim_signature_parse(str_of(BROKEN[i]), &a), "%s", BROKEN[i]);
}
END_TEST

START_TEST(a_form_is_decoded_and_what_is_no_form_is_refused)
{
	static const char *const BROKEN[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%ff", "a=1&a=2", "=1"};
	struct aws_sim_form f;
	struct err err = ERR_INIT;
	ck_assert_int_eq(aws_sim_form_read(&f, STR("A.1.Key=x%26y+z&&A.1.Value=&B"), &err), 0);
	ck_assert_str_eq(aws_sim_form_get(&f, "A.%d.Key", 1), "x&y z");
	ck_assert_str_eq(aws_sim_form_get(&f, "A.1.Value"), "");
	ck_assert_str_eq(aws_sim_form_get(&f, "B"), "");
	ck_assert_ptr_null(aws_sim_form_get(&f, "A.2.Key"));
	aws_sim_form_done(&f);
	for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++)
		ck_assert_msg(aws_sim_form_read(&f, str_of(BROKEN[i]), &err) < 0, "%s", BROKEN[i]);
	CLEANUP(buf_done) struct buf many = {0};
	for (int i = 0; i < 4001; i++)
		buf_printf(&many, "f%d=&", i);
	ck_assert_int_lt(aws_sim_form_read(&f, buf_str(&many), &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
}
END_TEST

/* --- keys -------------------------------------------------------------------------------------------------------------- */

static char *token_for(const char *audience, int64_t expires_s)
{
	char claims[200], text[400];
	snprintf(claims, sizeof claims, "{\"aud\":[\"%s\"],\"exp\":%lld}   ", audience, (long long)expires_s);
	claims[strlen(claims) / 3 * 3] = 0; /* no padding */
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)claims, (int)strlen(claims));
	return mem_printf("e30.%s.c2ln", text);
}

static void use_keys(const char *id, const char *secret, const char *token)
{
	char copy[3][200];
	snprintf(copy[0], 200, "%s", id);
	snprintf(copy[1], 200, "%s", secret);
	snprintf(copy[2], 200, "%s", token);
	signed_post(200, LIST, (struct signer){.id = copy[0], .secret = copy[1], .token = copy[2]});
	signed_post(401, LIST, (struct signer){.id = copy[0], .secret = copy[1]}); /* not without the session */
	sim_do(200, "POST", "/_sim/tokens", "{\"revoke\":true}");
	signed_post(401, LIST, (struct signer){.id = copy[0], .secret = copy[1], .token = copy[2]});
}

static char *assume(const char *role, const char *token)
{
	return mem_printf("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s&RoleSessionName=s&WebIdentityToken=%s", role, token);
}

START_TEST(sts_gives_keys_for_a_service_accounts_token)
{
	static const char ROLE[] = "arn:aws:iam::000000000000:role/kaito-provisioner";
	CLEANUP(mem_freep) char *good = token_for("sts.amazonaws.com", clock_wall_s() + 600), *old = token_for("sts.amazonaws.com", 1), *other = token_for("api://x", clock_wall_s() + 600);
	CLEANUP(mem_freep) char *ask = assume(ROLE, good), *late = assume(ROLE, old), *elsewhere = assume(ROLE, other), *nobody = assume("arn:aws:iam::1:role/x", good), *no_token = assume(ROLE, "x.y");
	char id[200], secret[200], token[200];
	begin();
	sim_settings("{\"auth\":true}");
	refused(400, late, "ExpiredTokenException");
	refused(400, elsewhere, "InvalidIdentityToken");
	refused(400, no_token, "InvalidIdentityToken");
	refused(403, nobody, "AccessDenied");
	post(200, ask);
	snprintf(id, sizeof id, "%s", element("AccessKeyId"));
	snprintf(secret, sizeof secret, "%s", element("SecretAccessKey"));
	snprintf(token, sizeof token, "%s", element("SessionToken"));
	use_keys(id, secret, token);
	end();
}
END_TEST

START_TEST(machines_and_pods_get_keys_from_their_services)
{
	CLEANUP(mem_freep) char *good = token_for("pods.eks.amazonaws.com", clock_wall_s() + 600);
	CLEANUP(mem_freep) char *pod = mem_printf("Authorization: %s\r\n", good);
	char session[100];
	begin();
	sim_settings("{\"auth\":true}");
	sim_do(401, "GET", "/latest/meta-data/iam/security-credentials/", NULL);
	keep(sim_ask_with("PUT", "/latest/api/token", NULL, ""));
	ck_assert_int_eq(last.status, 400);
	keep(sim_ask_with("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n", ""));
	ck_assert_int_eq(last.status, 200);
	snprintf(session, sizeof session, "X-aws-ec2-metadata-token: %s\r\n", last.text);
	keep(sim_ask_with("GET", "/latest/meta-data/iam/security-credentials/", session, NULL));
	ck_assert_str_eq(last.text, "kaito-nodes");
	keep(sim_ask_with("GET", "/latest/meta-data/iam/security-credentials/kaito-nodes", session, NULL));
	ck_assert_str_eq(json_text_at(last.body, "", "Code", NULL), "Success");
	json_t *keys = json_incref(last.body);
	use_keys(json_text_at(keys, "", "AccessKeyId", NULL), json_text_at(keys, "", "SecretAccessKey", NULL), json_text_at(keys, "", "Token", NULL));
	json_decref(keys);
	keep(sim_ask_with("GET", "/v1/credentials", "Authorization: x\r\n", NULL));
	ck_assert_int_eq(last.status, 400);
	keep(sim_ask_with("GET", "/v1/credentials", pod, NULL));
	ck_assert_int_eq(last.status, 200);
	ck_assert_ptr_nonnull(json_text_at(last.body, NULL, "Expiration", NULL));
	sim_settings("{\"identity_assigned\":false}");
	keep(sim_ask_with("GET", "/v1/credentials", pod, NULL));
	ck_assert_int_eq(last.status, 404);
	end();
}
END_TEST

/* --- fleets --------------------------------------------------------------------------------------------------------------- */

START_TEST(a_client_token_makes_one_instance)
{
	char first[AWS_SIM_ID];
	begin();
	refused(400, FLEET "&ClientToken=t1", "InvalidLaunchTemplateName.NotFoundException");
	post(200, TEMPLATE);
	refused(400, TEMPLATE, "InvalidLaunchTemplateName.AlreadyExistsException");
	post(200, FLEET "&ClientToken=t1");
	snprintf(first, sizeof first, "%s", strstr(last.text, "<item>i-") + 6);
	ck_assert_uint_eq(strlen(first), 19);
	post(200, FLEET "&ClientToken=t1");
	ck_assert_ptr_nonnull(strstr(last.text, first));
	refused(400, FLEET "&ClientToken=t1&Context=x", "IdempotentParameterMismatch");
	post(200, LIST);
	ck_assert_uint_eq(count("<instanceId>"), 1);
	ck_assert_ptr_nonnull(strstr(last.text, "<key>team</key><value>a&amp;b</value>"));
	post(200, FLEET "&ClientToken=t2");
	post(200, LIST);
	ck_assert_uint_eq(count("<instanceId>"), 2);
	end();
}
END_TEST

START_TEST(what_cannot_be_had_is_said_by_type_zone_and_market)
{
	const struct { const char *settings, *code; } ROWS[] = {
		{"{\"capacity\":{\"g5.xlarge\":0}}", "InsufficientInstanceCapacity"},
		{"{\"capacity\":{\"g5.xlarge/us-east-1a\":0}}", "InsufficientInstanceCapacity"},
		{"{\"capacity\":{\"g5.xlarge/us-east-1a/on-demand\":0}}", "InsufficientInstanceCapacity"},
		{"{\"capacity\":{\"g5.xlarge/us-east-1b\":0,\"g5.xlarge/spot\":0,\"g5\":0}}", ""},
		{"{\"capacity\":{},\"quotas\":{\"on-demand\":7}}", "VcpuLimitExceeded"}, /* the one of the row before has four cores */
		{"{\"quotas\":{\"on-demand\":8}}", ""},
		{"{\"quotas\":{},\"instance_profile\":\"other\"}", "InvalidParameterValue"},
	};
	begin();
	post(200, TEMPLATE);
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		sim_settings(ROWS[i].settings);
		post(200, FLEET);
		ck_assert_msg(strcmp(element("errorCode"), ROWS[i].code) == 0, "row %zu: %s", i, last.text);
		ck_assert_uint_eq(count("<item>i-"), ROWS[i].code[0] ? 0 : 1);
	}
	sim_do(400, "PUT", "/_sim/settings", "{\"capacity\":{\"g5.xlarge\":-1}}");
	sim_do(400, "PUT", "/_sim/settings", "{\"max_pools\":3}"); /* Azure's */
	end();
}
END_TEST

START_TEST(run_instances_remembers_that_its_instance_ended)
{
	static const char RUN[] = "Action=RunInstances" VERSION "&MinCount=1&MaxCount=1&InstanceType=g5.xlarge&SubnetId=subnet-0bbbbbbbbbbbbbbb2&ClientToken=r&LaunchTemplate.LaunchTemplateName=kaito-1";
	char end_it[120];
	begin();
	post(200, TEMPLATE);
	sim_settings("{\"capacity\":{\"g5.xlarge\":0}}");
	refused(500, RUN, "InsufficientInstanceCapacity");
	sim_settings("{\"capacity\":{}}");
	post(200, RUN);
	snprintf(end_it, sizeof end_it, "Action=TerminateInstances" VERSION "&InstanceId.1=%s", element("instanceId"));
	post(200, RUN);
	post(200, end_it);
	refused(400, RUN, "IdempotentInstanceTerminated");
	refused(400, "Action=TerminateInstances" VERSION, "MissingParameter");
	refused(400, "Action=TerminateInstances" VERSION "&InstanceId.1=i-0123", "InvalidInstanceID.NotFound");
	refused(400, "Action=TerminateInstances" VERSION "&InstanceId.1=x", "InvalidInstanceID.Malformed");
	end();
}
END_TEST

/* --- lives ----------------------------------------------------------------------------------------------------------------- */

START_TEST(an_instance_is_listed_late_runs_ends_and_is_forgotten)
{
	char one[120], end_it[120];
	begin();
	sim_settings("{\"create_ms\":60000,\"list_delay_ms\":5000,\"delete_ms\":30000,\"keep_ms\":600000}");
	post(200, TEMPLATE);
	post(200, FLEET);
	const char *id = strstr(last.text, "<item>i-") + 6;
	snprintf(one, sizeof one, LIST "&InstanceId.1=%.19s", id);
	snprintf(end_it, sizeof end_it, "Action=TerminateInstances" VERSION "&InstanceId.1=%.19s", id);
	refused(400, one, "InvalidInstanceID.NotFound");
	post(200, LIST);
	ck_assert_uint_eq(count("<instanceId>"), 0);
	sim_advance(5000);
	post(200, one);
	ck_assert_ptr_nonnull(strstr(last.text, "<name>pending</name>"));
	sim_advance(55000);
	ck_assert_ptr_nonnull(strstr(post(200, one), "<name>running</name>"));
	ck_assert_ptr_nonnull(strstr(post(200, end_it), "<name>shutting-down</name>"));
	sim_advance(30000);
	ck_assert_ptr_nonnull(strstr(post(200, one), "<name>terminated</name>"));
	post(200, end_it); /* again: nothing happens */
	sim_advance(600000);
	refused(400, one, "InvalidInstanceID.NotFound");
	end();
}
END_TEST

START_TEST(lists_come_in_pages_and_filtered)
{
	char next[300];
	begin();
	for (int i = 0; i < 12; i++)
		sim_do(200, "POST", "/_sim/instances", i % 2 ? "{\"tags\":{\"team\":\"a\",\"odd\":\"\"}}" : "{\"tags\":{\"team\":\"b\"},\"type\":\"p4d.24xlarge\"}");
	post(200, LIST "&MaxResults=5");
	ck_assert_uint_eq(count("<instanceId>"), 5);
	snprintf(next, sizeof next, LIST "&MaxResults=5&NextToken=%s", element("nextToken"));
	post(200, next);
	snprintf(next, sizeof next, LIST "&MaxResults=5&NextToken=%s", element("nextToken"));
	post(200, next);
	ck_assert_uint_eq(count("<instanceId>"), 2);
	ck_assert_str_eq(element("nextToken"), "");
	post(200, LIST "&Filter.1.Name=tag:team&Filter.1.Value.1=x&Filter.1.Value.2=a");
	ck_assert_uint_eq(count("<instanceId>"), 6);
	post(200, LIST "&Filter.1.Name=tag-key&Filter.1.Value.1=od*&Filter.2.Name=instance-type&Filter.2.Value.1=p4d.24xlarge");
	ck_assert_uint_eq(count("<instanceId>"), 0);
	refused(400, LIST "&Filter.1.Name=colour&Filter.1.Value.1=red", "InvalidParameterValue");
	refused(400, LIST "&MaxResults=2", "InvalidParameterValue");
	refused(400, LIST "&NextToken=z", "InvalidNextToken");
	end();
}
END_TEST

START_TEST(the_network_and_images_are_described)
{
	begin();
	post(200, "Action=DescribeSubnets" VERSION "&Filter.1.Name=tag:karpenter.sh/discovery&Filter.1.Value.1=kaito");
	ck_assert_uint_eq(count("<subnetId>"), 3);
	post(200, "Action=DescribeSubnets" VERSION "&SubnetId.1=subnet-0bbbbbbbbbbbbbbb2");
	ck_assert_str_eq(element("availabilityZone"), "us-east-1b");
	refused(400, "Action=DescribeSubnets" VERSION "&SubnetId.1=subnet-1", "InvalidSubnetID.NotFound");
	post(200, "Action=DescribeSecurityGroups" VERSION "&Filter.1.Name=group-name&Filter.1.Value.1=nodes");
	ck_assert_str_eq(element("groupId"), AWS_SIM_GROUP);
	keep(sim_ask_with("POST", "/", "X-Amz-Target: AmazonSSM.GetParameter\r\n", "{\"Name\":\"/aws/service/eks/x/image_id\"}"));
	ck_assert_int_eq(strncmp(json_text_at(last.body, "", "Parameter", "Value", NULL), "ami-", 4), 0);
	keep(sim_ask_with("POST", "/", "X-Amz-Target: AmazonSSM.GetParameter\r\n", "{\"Name\":\"/mine\"}"));
	ck_assert_str_eq(json_text_at(last.body, "", "__type", NULL), "ParameterNotFound");
	refused(400, "Action=DescribeVpcs" VERSION, "InvalidAction");
	refused(400, "Action=DescribeSubnets", "InvalidAction");
	end();
}
END_TEST

START_TEST(pace_permission_and_scripts_refuse_in_ec2s_shape)
{
	static const char RUN[] = "Action=RunInstances" VERSION "&MinCount=1&MaxCount=1&InstanceType=g5.xlarge&SubnetId=subnet-0bbbbbbbbbbbbbbb2&LaunchTemplate.LaunchTemplateName=kaito-1";
	begin();
	post(200, TEMPLATE);
	sim_settings("{\"throttle\":true,\"denied\":\"CreateTags, DescribeSubnets\"}");
	for (int i = 0; i < 5; i++)
		post(200, RUN);
	refused(503, RUN, "RequestLimitExceeded");
	post(200, LIST); /* a bucket of its own */
	sim_advance(500);
	post(200, RUN);
	refused(403, "Action=DescribeSubnets" VERSION, "UnauthorizedOperation");
	sim_do(200, "POST", "/_sim/script", "[{\"match\":{\"path\":\"^/CreateFleet$\"},\"operation\":{\"code\":\"UnfulfillableCapacity\",\"message\":\"no & no\"}},"
	       "{\"match\":{\"path\":\"^/CreateFleet$\"},\"status\":500,\"operation\":{\"code\":\"InternalError\",\"message\":\"oops\"}}]");
	post(200, FLEET);
	ck_assert_str_eq(element("errorCode"), "UnfulfillableCapacity");
	refused(500, FLEET, "InternalError");
	post(200, FLEET);
	ck_assert_uint_eq(count("<item>i-"), 1);
	json_t *state = sim_expect(200, "GET", "/_sim/state", NULL);
	ck_assert_int_eq(json_int_at(state, 0, "calls", "by_class", "CreateFleet", NULL), 3);
	ck_assert_int_eq(json_int_at(state, 0, "budget", "RunInstances", "overruns", NULL), 1);
	ck_assert_int_eq(json_int_at(state, 0, "alive", NULL), 7);
	json_decref(state);
	end();
}
END_TEST

START_TEST(others_change_and_take_away_instances)
{
	char where[80];
	begin();
	json_t *made = sim_expect(200, "POST", "/_sim/instances", "{\"zone\":\"us-east-1c\"}");
	snprintf(where, sizeof where, "/_sim/instances/%s", json_text_at(made, "", "id", NULL));
	json_decref(made);
	sim_do(200, "POST", where, "{\"state\":\"stopped\",\"tags\":{\"a\":\"b\"}}");
	ck_assert_ptr_nonnull(strstr(post(200, LIST), "<name>stopped</name>"));
	sim_do(200, "POST", where, "{\"state\":\"running\"}");
	sim_do(400, "POST", where, "{\"state\":\"asleep\"}");
	sim_do(400, "POST", where, "{\"tags\":{\"a\":1}}");
	sim_do(200, "POST", where, "{\"state\":\"terminated\",\"reason\":{\"code\":\"Server.SpotInstanceTermination\"}}");
	ck_assert_str_eq((post(200, LIST), strstr(last.text, "<stateReason>") ? "why" : ""), "why");
	sim_do(409, "POST", where, "{\"state\":\"running\"}");
	sim_do(200, "DELETE", where, NULL);
	sim_do(404, "DELETE", where, NULL);
	sim_do(404, "PUT", "/_sim/cluster", "{\"powerState\":\"Stopped\"}"); /* Azure's */
	end();
}
END_TEST

/* --- user data -------------------------------------------------------------------------------------------------------------- */

static json_t *boot(const char *text, char why[200])
{
	char location[] = "us-east-1", cluster[] = "kaito", encoded[2000];
	const struct simulator s = {.location = location, .cluster = cluster};
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)strlen(text));
	return aws_sim_boot_taints(&s, encoded, why);
}

START_TEST(a_machine_joins_the_cluster_that_its_user_data_names)
{
#define CONFIG(name, server) "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--B\nContent-Type: application/node.eks.aws\n\n" \
	"{\"spec\":{\"cluster\":{\"name\":\"" name "\",\"apiServerEndpoint\":\"" server "\",\"certificateAuthority\":\"c2ltdWxhdGVk\",\"cidr\":\"10.100.0.0/16\"}," \
	"\"kubelet\":{\"config\":{\"registerWithTaints\":[{\"key\":\"a\",\"effect\":\"NoExecute\"}]}}}}\n--B--\n"
#define TOML(name) "[settings.kubernetes]\ncluster-name = \"" name "\"\napi-server = \"https://kaito.eks.us-east-1.amazonaws.com\"\ncluster-certificate = \"c2ltdWxhdGVk\"\n" \
	"[settings.kubernetes.node-taints]\n\"a\" = [\"v:NoSchedule\", \":NoExecute\"]\n"
	const struct { const char *text; size_t taints; const char *why; } ROWS[] = {
		{CONFIG("kaito", "https://kaito.eks.us-east-1.amazonaws.com"), 1, ""},
		{CONFIG("other", "https://kaito.eks.us-east-1.amazonaws.com"), 0, "another cluster"},
		{CONFIG("kaito", "https://other"), 0, "another API server"},
		{"MIME-Version: 1.0\n\n", 0, "no NodeConfig"},
		{TOML("kaito"), 2, ""},
		{TOML("other"), 0, "another cluster"},
		{"#!/bin/sh", 0, ""},
		{"", 0, ""},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		char why[200];
		CLEANUP(json_decrefp) json_t *taints = boot(ROWS[i].text, why);
		ck_assert_msg((taints != NULL) == (ROWS[i].why[0] == 0), "row %zu: %s", i, why);
		ck_assert_uint_eq(json_array_size(taints), ROWS[i].taints);
		ck_assert_msg(strstr(why, ROWS[i].why) != NULL, "row %zu: %s", i, why);
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("aws", 60, a_signature_is_verified_and_each_fault_has_its_code, an_authorization_header_is_read_in_any_order_and_not_when_it_is_broken,
		  a_form_is_decoded_and_what_is_no_form_is_refused, sts_gives_keys_for_a_service_accounts_token, machines_and_pods_get_keys_from_their_services, a_client_token_makes_one_instance,
		  what_cannot_be_had_is_said_by_type_zone_and_market, run_instances_remembers_that_its_instance_ended, an_instance_is_listed_late_runs_ends_and_is_forgotten,
		  lists_come_in_pages_and_filtered, the_network_and_images_are_described, pace_permission_and_scripts_refuse_in_ec2s_shape, others_change_and_take_away_instances,
		  a_machine_joins_the_cluster_that_its_user_data_names);
}
