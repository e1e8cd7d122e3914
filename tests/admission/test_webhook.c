/* The webhook against an API server in this process: its Secret, its configurations, and reviews over TLS. */
#include "admission/lookup.h"
#include "admission/webhook.h"
#include "admission/webhook_config.h"
#include "admission/webhook_secret.h"
#include "base/clock.h"
#include "fixture.h"
#include "kube/fake_api.h"

#include <curl/curl.h>

#define SECRET "/api/v1/namespaces/kaito-workspace/secrets/workspace-webhook-cert"
#define CONFIGURATION "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.workspace.kaito.sh"
#define HOST "workspace-svc.kaito-workspace.svc"
enum { DAY_S = 24 * 3600 };

static const char *const HOSTS[] = {HOST};

static struct kube_client *client_of(struct fake_api *f)
{
	struct kube_client *c = NULL;
	struct err err = ERR_INIT;
	const struct kube_options o = {.kubeconfig = fake_api_kubeconfig(f, "t"), .qps = 1000, .burst = 1000};
	ck_assert_msg(kube_client_open(&c, &o, &err) == 0, "%s", err.message);
	return c;
}

static void put_secret(struct fake_api *f, json_t *data)
{
	fake_api_put(f, SECRET, json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "v1", "kind", "Secret", "metadata", "name", "workspace-webhook-cert", "namespace",
					  "kaito-workspace", "data", data));
}

static int ensure(struct kube_client *c, int64_t validity_s, struct webhook_secret *out, struct err *err)
{
	const struct webhook_secret_options o = {
		.namespace_ = "kaito-workspace", .name = "workspace-webhook-cert", .hosts = HOSTS, .n_hosts = 1, .validity_s = validity_s, .renew_before_s = DAY_S,
	};
	return webhook_secret_ensure(c, &o, out, err);
}

static struct webhook_secret ensured(struct kube_client *c, int64_t validity_s)
{
	struct webhook_secret s;
	struct err err = ERR_INIT;
	ck_assert_msg(ensure(c, validity_s, &s, &err) == 0, "%s", err.message);
	return s;
}

/* --- the Secret ---------------------------------------------------------------------------------------------- */

static void check_makes_one(struct fake_api *f)
{
	struct kube_client *c = client_of(f);
	struct webhook_secret first = ensured(c, 10 * DAY_S), second = ensured(c, 10 * DAY_S);
	ck_assert_str_eq(first.certificate.cert_pem, second.certificate.cert_pem);
	ck_assert_str_eq(first.bundle, first.certificate.ca_pem);
	json_t *stored = fake_api_get(f, SECRET);
	ck_assert_uint_gt(strlen(json_text_at(stored, "", "data", "server-key.pem", NULL)), 100);
	json_decref(stored);
	webhook_secret_done(&first);
	webhook_secret_done(&second);
	kube_client_close(c);
}

START_TEST(a_certificate_is_made_where_there_is_none)
{
	struct fake_api *f = fake_api_new();
	check_makes_one(f); /* no Secret */
	put_secret(f, json_object());
	check_makes_one(f); /* empty, as the chart makes it */
	put_secret(f, json_pack("{s:s, s:s, s:s}", "server-key.pem", "AAAA", "server-cert.pem", "not base64", "ca-cert.pem", "AA=="));
	check_makes_one(f);
	fake_api_free(f);
}
END_TEST

START_TEST(a_renewal_trusts_the_ca_before_it_too)
{
	struct fake_api *f = fake_api_new();
	struct kube_client *c = client_of(f);
	struct webhook_secret old = ensured(c, 2 * DAY_S), new;
	struct err err = ERR_INIT;
	const struct webhook_secret_options soon = {
		.namespace_ = "kaito-workspace", .name = "workspace-webhook-cert", .hosts = HOSTS, .n_hosts = 1, .validity_s = 10 * DAY_S, .renew_before_s = 5 * DAY_S,
	};
	ck_assert_int_eq(webhook_secret_ensure(c, &soon, &new, &err), 0);
	ck_assert_str_ne(new.certificate.cert_pem, old.certificate.cert_pem);
	ck_assert_ptr_nonnull(strstr(new.bundle, new.certificate.ca_pem));
	ck_assert_ptr_nonnull(strstr(new.bundle, old.certificate.ca_pem));
	webhook_secret_done(&old);
	webhook_secret_done(&new);
	kube_client_close(c);
	fake_api_free(f);
}
END_TEST

START_TEST(whose_certificate_is_stored_first_wins)
{
	struct fake_api *f = fake_api_new();
	struct kube_client *c = client_of(f);
	put_secret(f, json_object());
	fake_api_fail(f, "PUT", "workspace-webhook-cert", 1, FAKE_ANSWER, 409, NULL);
	struct webhook_secret s = ensured(c, 10 * DAY_S);
	ck_assert_uint_eq(fake_api_count(f, "PUT", "workspace-webhook-cert"), 2);
	webhook_secret_done(&s);
	fake_api_fail(f, "GET", "workspace-webhook-cert", 1, FAKE_ANSWER, 403, NULL);
	struct err err = ERR_INIT;
	ck_assert_int_lt(ensure(c, 10 * DAY_S, &s, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.message, "read the webhook's certificate from Secret kaito-workspace/workspace-webhook-cert"));
	kube_client_close(c);
	fake_api_free(f);
}
END_TEST

START_TEST(a_life_that_is_too_short_is_an_error_and_no_loop)
{
	struct fake_api *f = fake_api_new();
	struct kube_client *c = client_of(f);
	struct webhook_secret s;
	struct err err = ERR_INIT;
	ck_assert_int_lt(ensure(c, DAY_S / 2, &s, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "expires at once"));
	kube_client_close(c);
	fake_api_free(f);
}
END_TEST

/* --- lookups ------------------------------------------------------------------------------------------------- */

START_TEST(what_was_found_is_remembered_and_what_was_not_is_asked_again)
{
	static const char MAP[] = "/api/v1/namespaces/a/configmaps/m";
	struct fake_api *f = fake_api_new();
	struct kube_client *c = client_of(f);
	struct lookup *l = lookup_new(c);
	const struct validate_lookup v = lookup_for_rules(l, NULL, 0);
	struct err err = ERR_INIT;
	json_t *map = NULL;
	ck_assert_int_lt(v.get(v.context, "ConfigMap", "a", "m", &map, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	fake_api_put(f, MAP, json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata", "name", "m", "namespace", "a", "data", "k",
				       "v"));
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(v.get(v.context, "ConfigMap", "a", "m", &map, &err), 0);
		ck_assert_str_eq(json_text_at(map, "", "data", "k", NULL), "v");
		json_decref(map);
	}
	ck_assert_uint_eq(fake_api_count(f, "GET", "configmaps/m"), 2);
	ck_assert_int_lt(v.get(v.context, "Secret", "a", "m", &map, &err), 0); /* another kind of the same name */
	ck_assert_int_lt(v.get(v.context, "ConfigMap", "b", "m", &map, &err), 0);
	fake_api_fail(f, "GET", "secrets/s", 3, FAKE_ANSWER, 403, NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_lt(v.get(v.context, "Secret", "a", "s", &map, &err), 0);
		ck_assert_int_eq(err.kind, ERR_DENIED);
	}
	ck_assert_uint_eq(fake_api_count(f, "GET", "secrets/s"), 1); /* a right does not come back by asking */
	lookup_free(l);
	kube_client_close(c);
	fake_api_free(f);
}
END_TEST

/* --- the whole ----------------------------------------------------------------------------------------------- */

static void put_configuration(struct fake_api *f)
{
	fake_api_put(f, CONFIGURATION,
		     json_pack("{s:s, s:s, s:{s:s}, s:[{s:s, s:{s:{s:s, s:s}}}]}", "apiVersion", "admissionregistration.k8s.io/v1", "kind", "ValidatingWebhookConfiguration",
			       "metadata", "name", "validation.workspace.kaito.sh", "webhooks", "name", "validation.workspace.kaito.sh", "clientConfig", "service", "name",
			       "workspace-svc", "namespace", "kaito-workspace"));
}

/* Waits for the CA in the configuration; the caller frees. */
static char *bundle_in_place(struct fake_api *f)
{
	for (int i = 0; i < 500; i++) {
		json_t *now = fake_api_get(f, CONFIGURATION);
		char *bundle = mem_strdup(json_text_at(now, "", "webhooks", "#0", "clientConfig", "caBundle", NULL));
		json_decref(now);
		if (bundle[0])
			return bundle;
		free(bundle);
		clock_sleep_ms(10);
	}
	ck_abort_msg("no CA was written");
	return NULL;
}

static size_t keep(char *data, size_t size, size_t n, void *out)
{
	buf_put(out, data, size * n);
	return size * n;
}

/* As the API server asks: by the Service's name, trusting only the CA of the Secret. */
static CURLcode ask(int port, const char *ca, const char *body, struct buf *out)
{
	char url[128], resolve[128];
	CURL *c = curl_easy_init();
	struct curl_blob blob = {(void *)(uintptr_t)ca, strlen(ca), CURL_BLOB_COPY};
	snprintf(url, sizeof url, "https://" HOST ":%d/validate/workspace.kaito.sh", port);
	snprintf(resolve, sizeof resolve, HOST ":%d:127.0.0.1", port);
	struct curl_slist *hosts = curl_slist_append(NULL, resolve);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_RESOLVE, hosts);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
	curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
	CURLcode rc = curl_easy_perform(c);
	curl_easy_cleanup(c);
	curl_slist_free_all(hosts);
	return rc;
}

START_TEST(reviews_are_answered_over_tls_and_the_configuration_is_kept)
{
	struct fake_api *f = fake_api_new();
	struct kube_client *c = client_of(f);
	const struct control_options control = control_options_default();
	const struct webhook_options o = {.service = "workspace-svc", .namespace_ = "kaito-workspace", .secret = "workspace-webhook-cert", .control = &control, .kube = c};
	struct webhook *w = NULL;
	struct err err = ERR_INIT;
	put_configuration(f);
	ck_assert_msg(webhook_start(&w, &o, &err) == 0, "%s", err.message);
	char *bundle = bundle_in_place(f);
	put_configuration(f); /* as an upgrade of the chart does */
	char *again = bundle_in_place(f);
	ck_assert_str_eq(bundle, again);

	struct webhook_secret s = ensured(c, 10 * DAY_S);
	struct buf out = {0};
	ck_assert_int_eq(ask(webhook_port(w), s.certificate.ca_pem, "{\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"7\",\"operation\":\"DELETE\"}}", &out),
			 CURLE_OK);
	ck_assert_msg(strstr(buf_str(&out).data, "\"uid\":\"7\"") && strstr(buf_str(&out).data, "\"allowed\":true"), "%s", buf_str(&out).data);
	buf_clear(&out);
	ck_assert_int_eq(ask(webhook_port(w), s.certificate.ca_pem, "{}", &out), CURLE_OK);
	ck_assert_msg(strstr(buf_str(&out).data, "not an AdmissionReview") != NULL, "%s", buf_str(&out).data);
	buf_done(&out);
	webhook_stop(w);
	webhook_secret_done(&s);
	free(bundle);
	free(again);
	kube_client_close(c);
	fake_api_free(f);
}
END_TEST

int main(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	CHECK_RUN("webhook", 60, a_certificate_is_made_where_there_is_none, a_renewal_trusts_the_ca_before_it_too, whose_certificate_is_stored_first_wins,
		  a_life_that_is_too_short_is_an_error_and_no_loop, what_was_found_is_remembered_and_what_was_not_is_asked_again,
		  reviews_are_answered_over_tls_and_the_configuration_is_kept);
}
