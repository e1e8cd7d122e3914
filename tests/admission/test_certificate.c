/* The webhook's certificate, and what is written into webhook configurations. */
#include "admission/certificate.h"
#include "admission/webhook_config.h"
#include "base/clock.h"
#include "check_main.h"
#include "kube/meta.h"

static const char *const NAMES[] = {"workspace-svc.kaito-workspace.svc", "workspace-svc"};
enum { DAY_S = 24 * 3600 };

static struct certificate make(int64_t validity_s)
{
	struct certificate c;
	struct err err = ERR_INIT;
	ck_assert_msg(certificate_make(&c, NAMES, 2, validity_s, &err) == 0, "%s", err.message);
	return c;
}

START_TEST(a_made_certificate_reads_back_for_each_of_its_names)
{
	struct certificate c = make(DAY_S), read;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < 2; i++) {
		ck_assert_msg(certificate_read(&read, c.cert_pem, c.key_pem, c.ca_pem, NAMES[i], &err) == 0, "%s", err.message);
		ck_assert_int_eq(read.not_after, c.not_after);
		certificate_done(&read);
	}
	ck_assert_int_le(c.not_before, clock_wall_s() - 200);
	ck_assert_int_le(labs(c.not_after - clock_wall_s() - DAY_S), 5);
	ck_assert_int_lt(certificate_read(&read, c.cert_pem, c.key_pem, c.ca_pem, "other.svc", &err), 0);
	ck_assert_str_eq(err.message, "the stored server-cert.pem is not for other.svc");
	certificate_done(&c);
}
END_TEST

START_TEST(parts_of_different_certificates_do_not_pass)
{
	struct certificate a = make(DAY_S), b = make(DAY_S), read;
	struct err err = ERR_INIT;
	ck_assert_str_ne(a.cert_pem, b.cert_pem);
	ck_assert_int_lt(certificate_read(&read, a.cert_pem, b.key_pem, a.ca_pem, NAMES[0], &err), 0);
	ck_assert_str_eq(err.message, "the stored server-cert.pem and server-key.pem do not belong together");
	ck_assert_int_lt(certificate_read(&read, a.cert_pem, a.key_pem, b.ca_pem, NAMES[0], &err), 0);
	ck_assert_str_eq(err.message, "the stored ca-cert.pem did not sign server-cert.pem");
	ck_assert_int_lt(certificate_read(&read, "", a.key_pem, a.ca_pem, NAMES[0], &err), 0);
	ck_assert_str_eq(err.message, "the stored server-cert.pem is not PEM");
	ck_assert_int_lt(certificate_read(&read, a.cert_pem, a.cert_pem, a.ca_pem, NAMES[0], &err), 0);
	ck_assert_str_eq(err.message, "the stored server-key.pem is not PEM");
	for (size_t cut = 0; cut + 30 < strlen(a.cert_pem); cut += 7) { /* the end line may lose its line feed */
		char *part = mem_strndup(a.cert_pem, cut);
		ck_assert_int_lt(certificate_read(&read, part, a.key_pem, a.ca_pem, NAMES[0], &err), 0);
		free(part);
	}
	certificate_done(&a);
	certificate_done(&b);
}
END_TEST

START_TEST(too_many_names_are_an_error)
{
	const char *names[40];
	char long_name[64];
	memset(long_name, 'a', 63);
	long_name[63] = 0;
	for (size_t i = 0; i < 40; i++)
		names[i] = long_name;
	struct certificate c;
	struct err err = ERR_INIT;
	ck_assert_int_lt(certificate_make(&c, names, 40, DAY_S, &err), 0);
}
END_TEST

/* --- configurations ------------------------------------------------------------------------------------------ */

static const struct webhook_place PLACE = {.service = "workspace-svc", .namespace_ = "kaito-workspace", .ca_bundle = "PEM"};

static json_t *configuration(const char *name, const char *service)
{
	return json_pack("{s:{s:s}, s:[{s:s, s:s, s:{s:{s:s, s:s, s:i}}}]}", "metadata", "name", name, "webhooks", "name", name, "failurePolicy", "Ignore", "clientConfig",
			 "service", "name", service, "namespace", "kaito-workspace", "port", 9443);
}

START_TEST(a_bare_configuration_gets_ca_path_and_rules_once)
{
	json_t *bare = configuration("validation.workspace.kaito.sh", "workspace-svc"), *full = webhook_config_wanted(&PLACE, bare);
	const json_t *hook = json_at(full, "webhooks", "#0", NULL);
	ck_assert_str_eq(json_text_at(hook, "", "clientConfig", "caBundle", NULL), "UEVN");
	ck_assert_str_eq(json_text_at(hook, "", "clientConfig", "service", "path", NULL), "/validate/workspace.kaito.sh");
	ck_assert_int_eq(json_int_at(hook, 0, "clientConfig", "service", "port", NULL), 9443);
	ck_assert_str_eq(json_text_at(hook, "", "failurePolicy", NULL), "Ignore"); /* the administrator's choice stays */
	ck_assert_int_eq(json_int_at(hook, 0, "timeoutSeconds", NULL), 10);
	ck_assert_str_eq(json_text_at(hook, "", "rules", "#1", "apiVersions", "#0", NULL), "v1beta1");
	ck_assert_str_eq(json_text_at(hook, "", "rules", "#0", "resources", "#1", NULL), "workspaces/status");
	ck_assert_str_eq(json_text_at(hook, "", "namespaceSelector", "matchExpressions", "#0", "operator", NULL), "DoesNotExist");
	ck_assert_ptr_null(webhook_config_wanted(&PLACE, full));
	json_decref(full);
	json_decref(bare);
}
END_TEST

START_TEST(configurations_of_others_are_left_alone)
{
	json_t *other = configuration("validation.ragengine.kaito.sh", "ragengine-svc"), *unknown = configuration("validation.example.com", "workspace-svc");
	ck_assert_ptr_null(webhook_config_wanted(&PLACE, other));
	ck_assert_ptr_null(webhook_config_wanted(&PLACE, unknown));
	json_decref(other);
	json_decref(unknown);
}
END_TEST

START_TEST(an_own_namespace_selector_is_added_to)
{
	json_t *bare = configuration("validation.workspace.kaito.sh", "workspace-svc");
	json_object_set_new(json_at(bare, "webhooks", "#0", NULL), "namespaceSelector",
			    json_pack("{s:[{s:s, s:s}]}", "matchExpressions", "key", "a", "operator", "Exists"));
	json_t *full = webhook_config_wanted(&PLACE, bare);
	ck_assert_str_eq(json_text_at(full, "", "webhooks", "#0", "namespaceSelector", "matchExpressions", "#0", "key", NULL), "a");
	ck_assert_str_eq(json_text_at(full, "", "webhooks", "#0", "namespaceSelector", "matchExpressions", "#1", "key", NULL), "webhooks.knative.dev/exclude");
	json_decref(full);
	json_decref(bare);
}
END_TEST

int main(void)
{
	CHECK_RUN("certificate", 30, a_made_certificate_reads_back_for_each_of_its_names, parts_of_different_certificates_do_not_pass, too_many_names_are_an_error,
		  a_bare_configuration_gets_ca_path_and_rules_once, configurations_of_others_are_left_alone, an_own_namespace_selector_is_added_to);
}
