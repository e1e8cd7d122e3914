/* test_kubeconfig.c: kubeconfig files, the pod's service account, credential plug-ins and how credentials are renewed. */
#include "check_main.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "kube/client.h"
#include "kube/credentials.h"
#include "kube/exec_plugin.h"
#include "kube/fake_api.h"
#include <pthread.h>
#include <sys/stat.h>

static char folder[64];
static struct kube_config config;
static struct err err;

static void setup(void)
{
	snprintf(folder, sizeof folder, "/tmp/kaito-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	err = ERR_INIT;
}

static void teardown(void)
{
	kube_config_done(&config);
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}

static const char *put_file(const char *name, const char *text, unsigned mode)
{
	static char path[4][128];
	static int next;
	char *out = path[next++ & 3];
	snprintf(out, sizeof path[0], "%s/%s", folder, name);
	ck_assert_msg(fd_write_file(out, text, strlen(text), mode, &err) == 0, "%s", err.message);
	return out;
}

static int load(const char *text, const char *context)
{
	kube_config_done(&config);
	return kube_config_text(&config, str_of(text), folder, context, &err);
}

#define BASE "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"

START_TEST(a_context_names_cluster_user_and_namespace)
{
	ck_assert_msg(load("clusters:\n- {name: c, cluster: {server: 'https://h:6443/', tls-server-name: n, proxy-url: 'http://p:1', certificate-authority-data: Q0E=}}\n"
			   "users: [{name: u, user: {token: t, username: me, password: pw, client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}]\n"
			   "contexts: [{name: x, context: {cluster: c, user: u, namespace: ns}}, {name: y, context: {cluster: c}}]\ncurrent-context: x\n", NULL) == 0,
		      "%s", err.message);
	ck_assert_str_eq(config.server, "https://h:6443");
	ck_assert_str_eq(config.tls.server_name, "n");
	ck_assert_str_eq(config.proxy, "http://p:1");
	ck_assert_str_eq(config.namespace_, "ns");
	ck_assert(str_eqz(config.tls.ca, "CA") && str_eqz(config.tls.cert, "CERT") && str_eqz(config.tls.key, "KEY"));
	ck_assert_str_eq(config.token, "t");
	ck_assert_str_eq(config.username, "me");
	ck_assert_int_eq(load("clusters: [{name: c, cluster: {server: 'http://h', insecure-skip-tls-verify: true}}]\n"
			      "contexts: [{name: y, context: {cluster: c}}]\n", "y"), 0);
	ck_assert_str_eq(config.namespace_, "default");
	ck_assert(config.tls.insecure && !config.token);
}
END_TEST

START_TEST(relative_paths_start_at_the_file)
{
	put_file("ca.pem", "the CA", 0600);
	put_file("cert.pem", "CERT", 0600);
	put_file("key.pem", "KEY", 0600);
	const char *path = put_file("config", "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: ca.pem}}]\n"
				    "users: [{name: u, user: {tokenFile: tok, client-certificate: ./cert.pem, client-key: key.pem}}]\n" BASE, 0600);
	ck_assert_msg(kube_config_load(&config, path, NULL, &err) == 0, "%s", err.message);
	ck_assert(str_eqz(config.tls.ca, "the CA") && str_eqz(config.tls.cert, "CERT"));
	ck_assert_str_eq(config.token_file + strlen(folder), "/tok");
}
END_TEST

START_TEST(several_files_are_merged_and_the_first_wins)
{
	const char *a = put_file("a", "current-context: x\nusers: [{name: u, user: {token: first}}]\n", 0600);
	const char *b = put_file("b", "current-context: z\nclusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {token: second}}]\n"
				 "contexts: [{name: x, context: {cluster: c, user: u}}]\n", 0600);
	char paths[300];
	snprintf(paths, sizeof paths, "%s::%s/missing:%s", a, folder, b);
	setenv("KUBECONFIG", paths, 1);
	ck_assert_msg(kube_config_load(&config, NULL, NULL, &err) == 0, "%s", err.message);
	ck_assert_str_eq(config.token, "first");
	unsetenv("KUBECONFIG");
	ck_assert_int_lt(kube_config_files(&config, "/nowhere/a:/nowhere/b", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
}
END_TEST

static const struct { const char *text, *say; } BAD[] = {
	{"- a", "'kubeconfig' is not a kubeconfig: it must be a mapping"},
	{"", "the kubeconfig has no current-context; name one"},
	{"current-context: x", "the kubeconfig has no context 'x'"},
	{"clusters: 3", "'kubeconfig': clusters must be an array, not integer"},
	{"clusters: [{cluster: {}}]", "'kubeconfig': clusters[0] has no name"},
	{BASE, "the kubeconfig has no cluster 'c'"},
	{"clusters: [{name: c, cluster: {}}]\n" BASE, "cluster 'c' has no server"},
	{"clusters: [{name: c, cluster: {server: 'h h'}}]\n" BASE, "cluster 'c': server is not a URL"},
	{"clusters: [{name: c, cluster: {server: 'https://h', certificate-authority-data: '*'}}]\n" BASE, "cluster 'c'.certificate-authority-data is not base64"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\n" BASE, "the kubeconfig has no user 'u'"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {token: [1]}}]\n" BASE, "user 'u'.token must be a string, not array"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {client-key-data: S0VZ}}]\n" BASE,
	 "user 'u' has a client certificate or its key, but not both"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {auth-provider: {name: gcp}}}]\n" BASE,
	 "user 'u': auth-provider is not supported any more; use an exec plug-in"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {command: x, apiVersion: v0}}}]\n" BASE,
	 "user 'u': exec.apiVersion must be client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1}}}]\n" BASE,
	 "user 'u': exec has no command"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {command: x, args: [a, 3], apiVersion: client.authentication.k8s.io/v1}}}]\n" BASE,
	 "user 'u': exec.args[1] is not text"},
	{"clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {command: x, interactiveMode: Always, apiVersion: client.authentication.k8s.io/v1}}}]\n" BASE,
	 "user 'u': exec.interactiveMode is Always, but nobody can be asked here"},
};

START_TEST(mistakes_are_named)
{
	ck_assert_int_lt(load(BAD[_i].text, NULL), 0);
	ck_assert_str_eq(err.message, BAD[_i].say);
	ck_assert_ptr_null(config.server);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	ck_assert_int_lt(kube_config_load(&config, "/nowhere/config", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	setenv("HOME", folder, 1);
	ck_assert_int_lt(kube_config_load(&config, NULL, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "/.kube/config"));
}
END_TEST

START_TEST(a_pod_uses_its_service_account)
{
	put_file("token", "t\n", 0600);
	put_file("ca.crt", "CA", 0600);
	put_file("namespace", "kaito\n", 0600);
	unsetenv("KUBERNETES_SERVICE_HOST");
	ck_assert_int_lt(kube_config_in_cluster(&config, folder, &err), 0);
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	ck_assert_msg(kube_config_in_cluster(&config, folder, &err) == 0, "%s", err.message);
	ck_assert_str_eq(config.server, "https://[fd00::1]:443");
	ck_assert_str_eq(config.namespace_, "kaito");
	ck_assert(str_eqz(config.tls.ca, "CA"));
	ck_assert_ptr_nonnull(config.token_file);
	kube_config_done(&config);
	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	ck_assert_int_eq(kube_config_in_cluster(&config, folder, &err), 0);
	ck_assert_str_eq(config.server, "https://10.0.0.1:443");
}
END_TEST

/* --- credentials ------------------------------------------------------------------------------------------------- */

static struct kube_credentials *credentials;

static uint64_t expect_authorization(uint64_t refused, const char *want)
{
	struct kube_credential *c = NULL;
	ck_assert_msg(kube_credentials_get(credentials, refused, &c, &err) == 0, "%s", err.message);
	if (want)
		ck_assert_str_eq(c->authorization, want);
	else
		ck_assert_ptr_null(c->authorization);
	uint64_t number = c->number;
	kube_credential_unref(c);
	return number;
}

static void with_user(const char *user)
{
	struct buf text = {0};
	buf_printf(&text, "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority-data: Q0E=}}]\nusers: [{name: u, user: %s}]\n%s", user, BASE);
	ck_assert_msg(load(text.data, NULL) == 0, "%s", err.message);
	buf_done(&text);
	kube_credentials_free(credentials);
	credentials = kube_credentials_new(&config, NULL);
}

START_TEST(tokens_and_passwords_become_authorizations)
{
	with_user("{token: abc}");
	expect_authorization(0, "Bearer abc");
	with_user("{username: me, password: secret}");
	expect_authorization(0, "Basic bWU6c2VjcmV0");
	with_user("{}");
	expect_authorization(0, NULL);
	kube_credentials_free(credentials);
}
END_TEST

START_TEST(a_token_file_is_read_again_when_it_was_replaced)
{
	put_file("tok", "one\n", 0600);
	with_user("{tokenFile: tok, token: ignored}");
	uint64_t number = expect_authorization(0, "Bearer one");
	ck_assert_uint_eq(expect_authorization(0, "Bearer one"), number);
	put_file("tok", "two\n", 0600);
	expect_authorization(0, "Bearer two");
	kube_credentials_free(credentials);
}
END_TEST

START_TEST(a_token_at_the_limit_is_taken_and_past_it_refused)
{
	char *token = mem_alloc(LIMIT_KUBE_CREDENTIAL_BYTES + 2);
	memset(token, 'a', LIMIT_KUBE_CREDENTIAL_BYTES);
	put_file("tok", token, 0600);
	with_user("{tokenFile: tok}");
	struct kube_credential *c = NULL;
	ck_assert_int_eq(kube_credentials_get(credentials, 0, &c, &err), 0);
	ck_assert_uint_eq(strlen(c->authorization), strlen("Bearer ") + LIMIT_KUBE_CREDENTIAL_BYTES);
	kube_credential_unref(c);
	token[LIMIT_KUBE_CREDENTIAL_BYTES] = 'a';
	put_file("tok", token, 0600);
	ck_assert_int_lt(kube_credentials_get(credentials, 0, &c, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	kube_credentials_free(credentials);
	free(token);
}
END_TEST

#define PLUGIN_HEAD "#!/bin/sh\necho run >> \"$LOG\"\nprintf %s \"$KUBERNETES_EXEC_INFO\" > \"$LOG.info\"\n"

static void with_plugin(const char *script)
{
	char user[512];
	put_file("plugin", script, 0700);
	snprintf(user, sizeof user, "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [a, 'b c'], env: [{name: LOG, value: '%s/log'}], "
		 "provideClusterInfo: true, installHint: get it somewhere}}", folder);
	with_user(user);
}

static size_t runs(void)
{
	struct buf text = {0};
	char path[100];
	snprintf(path, sizeof path, "%s/log", folder);
	ck_assert_int_eq(fd_read_file(path, 10000, &text, &err), 0);
	size_t n = text.len / 4;
	buf_done(&text);
	return n;
}

START_TEST(a_plug_in_is_run_and_its_answer_kept)
{
	with_plugin(PLUGIN_HEAD "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"'$1-$2'\"}}'\n");
	uint64_t number = expect_authorization(0, "Bearer a-b c");
	expect_authorization(0, "Bearer a-b c");
	ck_assert_uint_eq(runs(), 1);
	expect_authorization(number, "Bearer a-b c"); /* it was refused */
	ck_assert_uint_eq(runs(), 2);
	struct buf info = {0};
	char path[100];
	snprintf(path, sizeof path, "%s/log.info", folder);
	ck_assert_int_eq(fd_read_file(path, 10000, &info, &err), 0);
	ck_assert_str_eq(info.data, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"spec\":{\"interactive\":false,"
				    "\"cluster\":{\"server\":\"https://h\",\"certificate-authority-data\":\"Q0E=\"}}}");
	buf_done(&info);
	kube_credentials_free(credentials);
}
END_TEST

START_TEST(a_plug_in_is_run_again_before_its_answer_expires)
{
	with_plugin(PLUGIN_HEAD "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"clientCertificateData\":\"C\","
		    "\"clientKeyData\":\"K\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}'\n");
	expect_authorization(0, NULL);
	expect_authorization(0, NULL);
	ck_assert_uint_eq(runs(), 2);
	struct kube_credential *c = NULL;
	ck_assert_int_eq(kube_credentials_get(credentials, 0, &c, &err), 0);
	ck_assert(str_eqz(c->tls.cert, "C") && str_eqz(c->tls.key, "K") && str_eqz(c->tls.ca, "CA"));
	kube_credential_unref(c);
	kube_credentials_free(credentials);
}
END_TEST

static const struct { const char *script, *say; } BAD_PLUGINS[] = {
	{"#!/bin/sh\nexit 3\n", "it failed with exit status 3"},
	{"#!/bin/sh\nkill -9 $$\n", "it failed with exit status 137"},
	{"#!/bin/sh\necho hello\n", "'ExecCredential' line 1 column"},
	{"#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'\n",
	 "it printed 'ExecCredential' of 'client.authentication.k8s.io/v1beta1', not ExecCredential of client.authentication.k8s.io/v1"},
	{"#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\"}'\n", "its status has neither a token nor a certificate"},
	{"#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"clientCertificateData\":\"C\"}}'\n",
	 "its status has a certificate or its key, but not both"},
	{"#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"soon\"}}'\n",
	 "its expirationTimestamp is not a time"},
	{"#!/bin/sh\nwhile true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n", "it printed more than 1048576 bytes"},
	{"#!/nowhere/at/all\n", "cannot run it; get it somewhere"},
};

START_TEST(a_plug_in_that_fails_is_named)
{
	struct kube_credential *c = NULL;
	with_plugin(BAD_PLUGINS[_i].script);
	ck_assert_int_lt(kube_credentials_get(credentials, 0, &c, &err), 0);
	ck_assert_msg(strstr(err.message, BAD_PLUGINS[_i].say) && strstr(err.message, "credential plug-in '"), "%s", err.message);
	ck_assert_ptr_null(c);
	kube_credentials_free(credentials);
}
END_TEST

static void *stop_after_its_start(void *flag)
{
	char path[100];
	snprintf(path, sizeof path, "%s/log", folder);
	while (!fd_exists(path))
		clock_sleep_ms(5);
	atomic_store((atomic_bool *)flag, true);
	return NULL;
}

START_TEST(a_plug_in_that_does_not_end_holds_up_no_stop)
{
	static const char *const SCRIPTS[] = {"sleep 1000\n", "exec >&-\nsleep 1000\n"};
	struct kube_credential *c = NULL;
	atomic_bool stop = false;
	pthread_t thread;
	CLEANUP(mem_freep) char *script = mem_printf("%s%s", PLUGIN_HEAD, SCRIPTS[_i]);
	with_plugin(script);
	kube_credentials_free(credentials);
	credentials = kube_credentials_new(&config, &stop);
	pthread_create(&thread, NULL, stop_after_its_start, &stop);
	ck_assert_int_lt(kube_credentials_get(credentials, 0, &c, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	pthread_join(thread, NULL);
	kube_credentials_free(credentials);
}
END_TEST

START_TEST(times_are_read)
{
	ck_assert_int_eq(clock_of_rfc3339("1970-01-01T00:01:00Z"), 60);
	ck_assert_int_eq(clock_of_rfc3339("1970-01-01T00:01:00.123456Z"), 60);
	ck_assert_int_eq(clock_of_rfc3339("1970-01-01T01:01:00+01:00"), 60);
	ck_assert_int_eq(clock_of_rfc3339("1969-12-31T23:01:00-01:00"), 60);
	ck_assert_int_eq(clock_of_rfc3339("1970-01-01"), -1);
	ck_assert_int_eq(clock_of_rfc3339("1970-01-01T00:01:00"), -1);
	ck_assert_int_eq(clock_of_rfc3339(""), -1);
}
END_TEST

/* --- through the client ------------------------------------------------------------------------------------------ */

START_TEST(the_client_follows_a_rotated_token)
{
	struct fake_api *api = fake_api_new();
	struct kube_client *client = NULL;
	char text[400];
	put_file("tok", "one", 0600);
	snprintf(text, sizeof text, "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}]\nusers: [{name: u, user: {tokenFile: tok}}]\n%s", fake_api_port(api), BASE);
	const char *path = put_file("config", text, 0600);
	ck_assert_int_eq(kube_client_open(&client, &(struct kube_options){.kubeconfig = path}, &err), 0);
	json_t *all = NULL;
	fake_api_require(api, "Bearer one");
	ck_assert_msg(kube_list_array(client, &KUBE_PODS, NULL, NULL, &all, &err) == 0, "%s", err.message);
	json_decref(all);
	put_file("tok", "two", 0600);
	fake_api_require(api, "Bearer two");
	ck_assert_msg(kube_list_array(client, &KUBE_PODS, NULL, NULL, &all, &err) == 0, "%s", err.message);
	json_decref(all);
	size_t before = fake_api_count(api, NULL, "/pods");
	ck_assert_uint_eq(before, 2);
	fake_api_require(api, "Bearer three"); /* a refusal is final after one more try */
	ck_assert_int_lt(kube_list_array(client, &KUBE_PODS, NULL, NULL, &all, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_uint_eq(fake_api_count(api, NULL, "/pods"), before + 2);
	kube_client_close(client);
	fake_api_free(api);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/kubeconfig");
	TCase *t = tcase_create("kubeconfig");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_context_names_cluster_user_and_namespace);
	tcase_add_test(t, relative_paths_start_at_the_file);
	tcase_add_test(t, several_files_are_merged_and_the_first_wins);
	tcase_add_loop_test(t, mistakes_are_named, 0, sizeof BAD / sizeof BAD[0]);
	tcase_add_test(t, a_missing_file_is_named);
	tcase_add_test(t, a_pod_uses_its_service_account);
	tcase_add_test(t, tokens_and_passwords_become_authorizations);
	tcase_add_test(t, a_token_file_is_read_again_when_it_was_replaced);
	tcase_add_test(t, a_token_at_the_limit_is_taken_and_past_it_refused);
	tcase_add_test(t, a_plug_in_is_run_and_its_answer_kept);
	tcase_add_test(t, a_plug_in_is_run_again_before_its_answer_expires);
	tcase_add_loop_test(t, a_plug_in_that_does_not_end_holds_up_no_stop, 0, 2);
	tcase_add_loop_test(t, a_plug_in_that_fails_is_named, 0, sizeof BAD_PLUGINS / sizeof BAD_PLUGINS[0]);
	tcase_add_test(t, times_are_read);
	tcase_add_test(t, the_client_follows_a_rotated_token);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
