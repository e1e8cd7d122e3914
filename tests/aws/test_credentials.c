/* Keys: each source is asked as its service wants it, once for all threads, again before they expire; messages carry no secret. */
#include "check_main.h"

#include "aws/aws_credentials.h"
#include "aws/fleet_request.h"
#include "aws_scene.h"
#include "base/clock.h"
#include <pthread.h>
#include <unistd.h>

static struct aws_settings settings;
static struct err err;
static int64_t ahead_s;
static char token_path[64];

static int64_t wall(void) { return clock_wall_s() + ahead_s; }

static struct aws_credentials *open_source(const char *name)
{
	char url[80];
	int port = fake_ec2_start();
	FILE *file;
	ahead_s = 0;
	aws_scene_environment(port);
	snprintf(token_path, sizeof token_path, "/tmp/kaito-aws-token-%d", (int)getpid());
	file = fopen(token_path, "w");
	fputs("very-secret-token\n", file);
	fclose(file);
	aws_scene_set("AWS_ACCESS_KEY_ID", strcmp(name, "environment") == 0 ? "AKID" : NULL);
	if (strcmp(name, "web") == 0) {
		aws_scene_set("AWS_WEB_IDENTITY_TOKEN_FILE", token_path);
		aws_scene_set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/kaito");
	}
	if (strcmp(name, "pod") == 0) {
		snprintf(url, sizeof url, "http://127.0.0.1:%d/pod/v1/credentials", port);
		aws_scene_set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
		aws_scene_set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_path);
	}
	if (strcmp(name, "none") == 0)
		aws_scene_set("AWS_EC2_METADATA_DISABLED", "true");
	ck_assert_msg(aws_settings_read(&settings, aws_scene_get, &err) == 0, "%s", err.message);
	return aws_credentials_new(&settings, NULL, wall);
}

static void close_source(struct aws_credentials *c)
{
	aws_credentials_free(c);
	aws_settings_done(&settings);
	unlink(token_path);
	fake_ec2_stop();
}

static void check_keys(struct aws_credentials *c, const char *id, const char *secret, const char *token)
{
	struct aws_keys k = {0};
	ck_assert_msg(aws_credentials_get(c, &k, &err) == 0, "%s", err.message);
	ck_assert_str_eq(k.id, id);
	ck_assert_str_eq(k.secret, secret);
	ck_assert_str_eq(k.token, token);
	aws_keys_done(&k);
}

START_TEST(each_source_gives_its_keys)
{
	struct aws_credentials *c = open_source("environment");
	check_keys(c, "AKID", "hush-hush", "");
	ck_assert_uint_eq(fake_ec2_count(""), 0);
	close_source(c);

	c = open_source("web");
	check_keys(c, "ASIAKEY", "hush", "session");
	char *sent = fleet_request_field(fake_ec2_last("AssumeRoleWithWebIdentity"), "WebIdentityToken");
	ck_assert_str_eq(sent, "very-secret-token");
	free(sent);
	ck_assert_str_eq(fake_ec2_header("authorization"), ""); /* it is not signed */
	close_source(c);

	c = open_source("pod");
	check_keys(c, "ASIAKEY", "hush", "session");
	ck_assert_str_eq(fake_ec2_header("authorization"), "very-secret-token");
	close_source(c);

	c = open_source("machine");
	check_keys(c, "ASIAKEY", "hush", "session");
	ck_assert_uint_eq(fake_ec2_count("PUT /latest/api/token"), 1);
	ck_assert_uint_eq(fake_ec2_count("GET /latest/meta-data/iam/security-credentials/node-role"), 1);
	close_source(c);
}
END_TEST

START_TEST(keys_are_kept_until_shortly_before_they_expire)
{
	struct aws_credentials *c = open_source("web");
	check_keys(c, "ASIAKEY", "hush", "session");
	ahead_s = 3200;
	check_keys(c, "ASIAKEY", "hush", "session");
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 1);
	ahead_s = 3400; /* within the last five minutes */
	fake_ec2_keys(7200, "ASIANEW");
	check_keys(c, "ASIANEW", "hush", "session");
	/* A source that fails then: the old ones are used on, and it is not asked all the time. */
	ahead_s = 7000;
	fake_ec2_refuse_keys(5, 500, "");
	check_keys(c, "ASIANEW", "hush", "session");
	check_keys(c, "ASIANEW", "hush", "session");
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 3);
	close_source(c);
}
END_TEST

START_TEST(refused_keys_are_renewed_but_not_at_once_again)
{
	struct aws_credentials *c = open_source("web");
	check_keys(c, "ASIAKEY", "hush", "session");
	aws_credentials_refused(c, "ASIAKEY");
	check_keys(c, "ASIAKEY", "hush", "session");
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 1); /* too young to have expired */
	ahead_s = 60;
	aws_credentials_refused(c, "ASIAOTHER");
	check_keys(c, "ASIAKEY", "hush", "session");
	fake_ec2_keys(3600, "ASIANEW");
	aws_credentials_refused(c, "ASIAKEY");
	check_keys(c, "ASIANEW", "hush", "session");
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 2);
	close_source(c);
}
END_TEST

START_TEST(refusals_say_what_to_do_and_no_secret)
{
	struct aws_keys k = {0};
	struct aws_credentials *c = open_source("web");
	fake_ec2_refuse_keys(9, 403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized very-secret-token</Message></Error></ErrorResponse>");
	ck_assert_int_eq(aws_credentials_get(c, &k, &err), -1);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.message, "AccessDenied"));
	ck_assert_ptr_nonnull(strstr(err.message, "AWS_ROLE_ARN"));
	ck_assert_ptr_null(strstr(err.message, "very-secret-token"));
	ck_assert_int_eq(aws_credentials_get(c, &k, &err), -1); /* not asked again at once */
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 1);
	ahead_s = 31;
	ck_assert_int_eq(aws_credentials_get(c, &k, &err), -1);
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 2);
	close_source(c);

	c = open_source("none");
	ck_assert_int_eq(aws_credentials_get(c, &k, &err), -1);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	close_source(c);

	c = open_source("pod");
	fake_ec2_keys(-5, "ASIAKEY");
	ck_assert_int_eq(aws_credentials_get(c, &k, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "clock"));
	close_source(c);
}
END_TEST

static void *asks(void *context)
{
	struct aws_keys k = {0};
	struct err why = ERR_INIT;
	void *ok = aws_credentials_get(context, &k, &why) == 0 ? context : NULL;
	aws_keys_done(&k);
	return ok;
}

START_TEST(many_threads_cost_one_question)
{
	pthread_t threads[8];
	void *ok;
	struct aws_credentials *c = open_source("web");
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, asks, c), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &ok);
		ck_assert_ptr_nonnull(ok);
	}
	ck_assert_uint_eq(fake_ec2_count("AssumeRoleWithWebIdentity"), 1);
	close_source(c);
}
END_TEST

START_TEST(settings_are_checked)
{
	aws_scene_environment(1);
	aws_scene_set("AWS_REGION", NULL);
	ck_assert_int_eq(aws_settings_read(&settings, aws_scene_get, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "AWS_DEFAULT_REGION is missing"));
	static const struct { const char *name, *value; } WRONG[] = {
		{"AWS_REGION", "us-east-1/../x"}, {"CLUSTER_NAME", "a b"}, {"AWS_ENDPOINT_URL_EC2", "http://ec2.example.com"}, {"AWS_ENDPOINT_URL_STS", "https://user@sts"},
		{"AWS_ENDPOINT_URL_SSM", "ftp://127.0.0.1"}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/x"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.253"},
	};
	for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
		aws_scene_environment(1);
		aws_scene_set(WRONG[i].name, WRONG[i].value);
		ck_assert_msg(aws_settings_read(&settings, aws_scene_get, &err) == -1, "%s", WRONG[i].name);
		ck_assert_ptr_nonnull(strstr(err.message, WRONG[i].name));
	}
	aws_scene_environment(1);
	aws_scene_set("AWS_ENDPOINT_URL", NULL);
	aws_scene_set("AWS_EC2_METADATA_SERVICE_ENDPOINT", NULL);
	aws_scene_set("AWS_REGION", "cn-north-1");
	ck_assert_msg(aws_settings_read(&settings, aws_scene_get, &err) == 0, "%s", err.message);
	ck_assert_str_eq(settings.ec2, "https://ec2.cn-north-1.amazonaws.com.cn");
	ck_assert_str_eq(settings.imds, "http://169.254.169.254");
	aws_settings_done(&settings);
}
END_TEST

int main(void)
{
	CHECK_RUN("aws/credentials", 60, each_source_gives_its_keys, keys_are_kept_until_shortly_before_they_expire, refused_keys_are_renewed_but_not_at_once_again,
		  refusals_say_what_to_do_and_no_secret, many_threads_cost_one_question, settings_are_checked);
}
