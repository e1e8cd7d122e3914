/* What machines are told when they start. */
#include "check_main.h"

#include "aws/user_data.h"

static char region[] = "us-east-1", cluster[] = "c1", endpoint[] = "https://c", ca[] = "Q0E=", cidr[] = "10.100.0.0/16", none[] = "";
static const struct aws_settings SETTINGS = {.region = region, .cluster = cluster, .cluster_endpoint = endpoint, .cluster_ca = ca, .service_cidr = cidr};
static struct err err;

static struct claim_view tainted(json_t **taints)
{
	*taints = json_pack("[{s:s,s:s,s:s}]", "key", "sku", "value", "gpu", "effect", "NoSchedule");
	return (struct claim_view){.taints = *taints};
}

static void check(enum image_family family, const char *custom, const char *const *parts)
{
	json_t *taints;
	struct buf out = {0};
	const struct claim_view claim = tainted(&taints);
	ck_assert_msg(user_data_text(family, &SETTINGS, &claim, custom, &out, &err) == 0, "%s", err.message);
	const char *at = out.data;
	for (size_t i = 0; parts[i]; i++) { /* in this order */
		at = strstr(at, parts[i]);
		ck_assert_msg(at != NULL, "%s is not in, or not after the one before it:\n%s", parts[i], out.data);
	}
	buf_done(&out);
	json_decref(taints);
}

static void check_refused(enum image_family family, const struct aws_settings *s, const char *custom, const char *part)
{
	json_t *taints;
	struct buf out = {0};
	const struct claim_view claim = tainted(&taints);
	ck_assert_int_eq(user_data_text(family, s, &claim, custom, &out, &err), -1);
	ck_assert_msg(strstr(err.message, part) != NULL, "%s", err.message);
	buf_done(&out);
	json_decref(taints);
}

START_TEST(amazon_linux_gets_a_node_config)
{
	static const char *const PLAIN[] = {"MIME-Version: 1.0\n", "boundary=\"KAITO\"\n\n--KAITO\n", "Content-Type: application/node.eks.aws\n\n{", "node.eks.aws/v1alpha1", "\"name\": \"c1\"", "https://c",
					    "10.100.0.0/16", "karpenter.sh/unregistered", "\"sku\"", "NoSchedule", "\n--KAITO--\n", NULL};
	static const char *const SCRIPT[] = {"--KAITO\nContent-Type: text/x-shellscript", "#!/bin/sh\necho\n--KAITO\n", "NodeConfig", "--KAITO--\n", NULL};
	check(IMAGE_AL2023, NULL, PLAIN);
	check(IMAGE_AL2023, "#!/bin/sh\necho", SCRIPT);
}
END_TEST

START_TEST(bottlerocket_gets_toml)
{
	static const char *const PARTS[] = {"[settings.host]\n", "[settings.kubernetes]\ncluster-name = \"c1\"\napi-server = \"https://c\"\ncluster-certificate = \"Q0E=\"\n",
					    "[settings.kubernetes.node-taints]\n", "\"karpenter.sh/unregistered\" = [\":NoExecute\"]\n", "\"sku\" = [\"gpu:NoSchedule\"]\n", NULL};
	check(IMAGE_BOTTLEROCKET, "[settings.host]", PARTS);
}
END_TEST

START_TEST(what_cannot_be_put_together_is_refused)
{
	struct aws_settings unknown = SETTINGS;
	static char big[17000];
	unknown.cluster_ca = none;
	memset(big, 'x', sizeof big - 1);
	check_refused(IMAGE_AL2023, &SETTINGS, "MIME-Version: 1.0\n", "MIME");
	check_refused(IMAGE_AL2023, &SETTINGS, "#!/bin/sh\n--KAITO\n", "--KAITO");
	check_refused(IMAGE_AL2023, &unknown, NULL, "CLUSTER_CA");
	check_refused(IMAGE_BOTTLEROCKET, &unknown, NULL, "CLUSTER_CA");
	check_refused(IMAGE_BOTTLEROCKET, &SETTINGS, "[settings.kubernetes]\nmax-pods = 3\n", "settings.kubernetes");
	check_refused(IMAGE_CUSTOM, &SETTINGS, big, "16384");
	unknown = SETTINGS;
	unknown.service_cidr = none;
	check_refused(IMAGE_AL2023, &unknown, NULL, "CLUSTER_SERVICE_CIDR");
}
END_TEST

START_TEST(it_is_sent_as_base64)
{
	char *text = NULL;
	const struct claim_view claim = {0};
	ck_assert_int_eq(user_data_make(IMAGE_CUSTOM, &SETTINGS, &claim, "hello", &text, &err), 0);
	ck_assert_str_eq(text, "aGVsbG8=");
	free(text);
	ck_assert_int_eq(user_data_make(IMAGE_CUSTOM, &SETTINGS, &claim, NULL, &text, &err), 0);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

int main(void) { CHECK_RUN("aws/user_data", 20, amazon_linux_gets_a_node_config, bottlerocket_gets_toml, what_cannot_be_put_together_is_refused, it_is_sent_as_base64); }
