/* test_environment.c: the variables of gpu-provisioner, the clouds, and which endpoints are accepted. */
#include "azure/environment.h"
#include "azure/azure_variables.h"
#include "check_main.h"

static struct azure_environment e;
static struct err err;

static void read_ok(void)
{
	err = ERR_INIT;
	ck_assert_msg(environment_read(&e, variable_get, &err) == 0, "%s", err.message);
}

static void read_bad(const char *part)
{
	err = ERR_INIT;
	struct azure_environment untouched = {.cloud = (char *)(uintptr_t) "x"};
	ck_assert_int_eq(environment_read(&untouched, variable_get, &err), -1);
	ck_assert_str_eq(untouched.cloud, "x");
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	ck_assert_msg(strstr(err.message, part) != NULL, "'%s' lacks '%s'", err.message, part);
}

START_TEST(variables_are_read_and_trimmed)
{
	variables_reset();
	variable_set("ARM_RESOURCE_GROUP", "  group\n");
	variable_set("AZURE_NODE_RESOURCE_GROUP", "MC_group");
	read_ok();
	ck_assert_str_eq(e.resource_group, "group");
	ck_assert_str_eq(e.subscription, "11111111-2222-3333-4444-555555555555");
	ck_assert_str_eq(e.cluster, "cluster");
	ck_assert_str_eq(e.location, "eastus");
	ck_assert_str_eq(e.node_resource_group, "MC_group");
	ck_assert_str_eq(e.client_secret, "");
	ck_assert(!e.managed && !e.plain_http);
	environment_done(&e);
}
END_TEST

START_TEST(all_missing_variables_are_named_in_one_message)
{
	memset(variables, 0, sizeof variables);
	read_bad("set ARM_SUBSCRIPTION_ID, ARM_RESOURCE_GROUP, AZURE_CLUSTER_NAME, AZURE_TENANT_ID, AZURE_CLIENT_ID");
	variables_reset();
	variable_set("ARM_SUBSCRIPTION_ID", "   ");
	variable_set("DEPLOYMENT_MODE", "hosted");
	read_bad("set ARM_SUBSCRIPTION_ID; DEPLOYMENT_MODE 'hosted' is neither self-hosted nor managed");
}
END_TEST

START_TEST(a_managed_deployment_needs_no_client)
{
	variables_reset();
	variable_set("AZURE_CLIENT_ID", NULL);
	read_bad("set AZURE_CLIENT_ID");
	variable_set("DEPLOYMENT_MODE", "managed");
	read_ok();
	ck_assert(e.managed);
	ck_assert_str_eq(e.federated_token_file, "");
	environment_done(&e);
}
END_TEST

START_TEST(a_self_hosted_one_has_the_usual_token_file)
{
	variables_reset();
	read_ok();
	ck_assert_str_eq(e.federated_token_file, "/var/run/secrets/azure/tokens/azure-identity-token");
	environment_done(&e);
	variable_set("AZURE_FEDERATED_TOKEN_FILE", "/elsewhere");
	variable_set("DEPLOYMENT_MODE", "self-hosted");
	read_ok();
	ck_assert_str_eq(e.federated_token_file, "/elsewhere");
	environment_done(&e);
}
END_TEST

static const struct { const char *named, *authority_host, *cloud, *authority, *arm, *audience; } CLOUDS[] = {
	{NULL, NULL, "AzurePublicCloud", "https://login.microsoftonline.com/", "https://management.azure.com", "https://management.core.windows.net/"},
	{"AzurePublicCloud", NULL, "AzurePublicCloud", "https://login.microsoftonline.com/", "https://management.azure.com", "https://management.core.windows.net/"},
	{"AzureUSGovernmentCloud", NULL, "AzureUSGovernmentCloud", "https://login.microsoftonline.us/", "https://management.usgovcloudapi.net",
	 "https://management.core.usgovcloudapi.net/"},
	{"azurechinacloud", NULL, "AzureChinaCloud", "https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"},
	{"AzureUSGovernment", NULL, "AzureUSGovernmentCloud", "https://login.microsoftonline.us/", "https://management.usgovcloudapi.net",
	 "https://management.core.usgovcloudapi.net/"},
	{NULL, "https://login.microsoftonline.us", "AzureUSGovernmentCloud", "https://login.microsoftonline.us/", "https://management.usgovcloudapi.net",
	 "https://management.core.usgovcloudapi.net/"},
	{NULL, "https://LOGIN.chinacloudapi.cn/", "AzureChinaCloud", "https://LOGIN.chinacloudapi.cn/", "https://management.chinacloudapi.cn",
	 "https://management.core.chinacloudapi.cn/"},
	{NULL, "https://login.stack.example", "AzurePublicCloud", "https://login.stack.example/", "https://management.azure.com", "https://management.core.windows.net/"},
};

START_TEST(clouds_come_by_name_or_by_authority)
{
	for (size_t i = 0; i < sizeof CLOUDS / sizeof CLOUDS[0]; i++) {
		variables_reset();
		variable_set("AZURE_ENVIRONMENT", CLOUDS[i].named);
		variable_set("AZURE_AUTHORITY_HOST", CLOUDS[i].authority_host);
		read_ok();
		ck_assert_str_eq(e.cloud, CLOUDS[i].cloud);
		ck_assert_str_eq(e.authority, CLOUDS[i].authority);
		ck_assert_str_eq(e.arm, CLOUDS[i].arm);
		ck_assert_str_eq(e.audience, CLOUDS[i].audience);
		ck_assert_str_eq(e.imds, "http://169.254.169.254");
		environment_done(&e);
	}
	variable_set("AZURE_ENVIRONMENT", "AzureGermanCloud");
	read_bad("AZURE_ENVIRONMENT 'AzureGermanCloud' is none of");
}
END_TEST

START_TEST(endpoints_can_be_overridden)
{
	variables_reset();
	variable_set("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://arm.stack.example:8443/");
	variable_set("AZURE_TOKEN_AUDIENCE", "https://arm.stack.example");
	variable_set("AZURE_IMDS_ENDPOINT", "http://127.0.0.1:1234/");
	read_ok();
	ck_assert_str_eq(e.arm, "https://arm.stack.example:8443");
	ck_assert_str_eq(e.audience, "https://arm.stack.example");
	ck_assert_str_eq(e.imds, "http://127.0.0.1:1234");
	environment_done(&e);
}
END_TEST

static const struct { const char *variable, *value, *allow, *complaint; } HTTP[] = {
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://127.0.0.1:80", NULL, NULL},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://localhost", NULL, NULL},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://[::1]:9", NULL, NULL},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://arm.example", NULL, "AZURE_RESOURCE_MANAGER_ENDPOINT is plain http"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://10.0.0.1", NULL, "plain http"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://169.254.169.254", NULL, "plain http"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://arm.example", "true", NULL},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "http://arm.example", "yes", "plain http"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "ftp://arm.example", NULL, "neither https nor http"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "https://user@arm.example", NULL, "is not an endpoint"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "https://arm.example/?x=1", NULL, "is not an endpoint"},
	{"AZURE_RESOURCE_MANAGER_ENDPOINT", "arm.example", NULL, "is not an endpoint"},
	{"AZURE_AUTHORITY_HOST", "http://login.example", NULL, "AZURE_AUTHORITY_HOST is plain http"},
	{"AZURE_IMDS_ENDPOINT", "http://169.254.0.1", NULL, NULL},
	{"AZURE_IMDS_ENDPOINT", "http://imds.example", NULL, "AZURE_IMDS_ENDPOINT is plain http"},
	{"IDENTITY_ENDPOINT", "http://192.168.0.1", NULL, "IDENTITY_ENDPOINT is plain http"},
	{"IMDS_ENDPOINT", "http://localhost:40342", NULL, NULL},
};

START_TEST(plain_http_is_for_this_machine_or_when_allowed)
{
	for (size_t i = 0; i < sizeof HTTP / sizeof HTTP[0]; i++) {
		variables_reset();
		variable_set(HTTP[i].variable, HTTP[i].value);
		variable_set("AZURE_ALLOW_HTTP", HTTP[i].allow);
		if (HTTP[i].complaint) {
			read_bad(HTTP[i].complaint);
			continue;
		}
		read_ok();
		ck_assert_int_eq(e.plain_http, strcmp(HTTP[i].variable, "AZURE_RESOURCE_MANAGER_ENDPOINT") == 0);
		environment_done(&e);
	}
}
END_TEST

START_TEST(bad_values_are_refused_without_showing_them)
{
	static char longer[512];
	variables_reset();
	variable_set("AZURE_CLIENT_SECRET", "hush\x01hush");
	read_bad("AZURE_CLIENT_SECRET has control characters");
	ck_assert_ptr_null(strstr(err.message, "hush"));
	memset(longer, 'a', sizeof longer - 1);
	variables_reset();
	variable_set("AZURE_RESOURCE_MANAGER_ENDPOINT", longer);
	read_bad("is not an endpoint");
	ck_assert_int_le((int)strlen(err.message), ERR_MESSAGE_MAX);
}
END_TEST

int main(void)
{
	CHECK_RUN("environment", 10, variables_are_read_and_trimmed, all_missing_variables_are_named_in_one_message, a_managed_deployment_needs_no_client,
		  a_self_hosted_one_has_the_usual_token_file, clouds_come_by_name_or_by_authority, endpoints_can_be_overridden,
		  plain_http_is_for_this_machine_or_when_allowed, bad_values_are_refused_without_showing_them);
}
