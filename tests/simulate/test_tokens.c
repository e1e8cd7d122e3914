/* test_tokens.c: the token endpoints and what ARM makes of a token: each credential, each refusal, expiry, revocation, the CAE challenge. */
#include "simulate/sim_client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "check_main.h"
#include "kube/meta.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#define TOKEN "/" SIM_TENANT "/oauth2/v2.0/token"
#define FORM "grant_type=client_credentials&client_id=" SIM_CLIENT "&scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default"
#define ASSERTION FORM "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="

static void start(void)
{
	sim_begin(NULL);
	sim_settings("{\"auth\":true}");
}

/* The AADSTS number that a form is answered by; 0: a token, which is kept. */
static char token[200];
static int ask_token(const char *path, const char *form)
{
	struct sim_answer a = sim_ask("POST", path, form);
	int number = (int)json_int_at(a.body, 0, "error_codes", "#0", NULL);
	char prefix[32];
	snprintf(prefix, sizeof prefix, "AADSTS%d: ", number);
	if (number)
		ck_assert_ptr_nonnull(strstr(json_text_at(a.body, "", "error_description", NULL), prefix));
	else
		ck_assert_msg(a.status == 200 && json_int_at(a.body, 0, "expires_in", NULL) > 0, "%d %s", a.status, a.text);
	snprintf(token, sizeof token, "%s", json_text_at(a.body, "", "access_token", NULL));
	sim_answer_done(&a);
	return number;
}

static struct sim_answer list_with(const char *bearer)
{
	char header[300];
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", bearer);
	return sim_ask_with("GET", SIM_POOLS "?" SIM_VERSION, header, NULL);
}

/* The status of a LIST, and the refusal's code. */
static char refused[100];
static int list_status(const char *bearer)
{
	struct sim_answer a = list_with(bearer);
	int status = a.status;
	snprintf(refused, sizeof refused, "%s", json_text_at(a.body, "", "error", "code", NULL));
	sim_answer_done(&a);
	return status;
}

START_TEST(a_client_secret_gets_a_token_that_arm_takes)
{
	start();
	ck_assert_str_eq(sim_refusal(401, "GET", SIM_POOLS "?" SIM_VERSION, NULL, NULL), "AuthenticationFailed");
	ck_assert_int_eq(ask_token(TOKEN, FORM "&client_secret=simulated-secret"), 0);
	ck_assert_int_eq(list_status(token), 200);
	ck_assert_int_eq(list_status("nonsense"), 401);
	ck_assert_str_eq(refused, "InvalidAuthenticationToken");
	sim_end();
}
END_TEST

START_TEST(forms_that_lack_something_are_refused_with_the_number)
{
	start();
	ck_assert_int_eq(ask_token(TOKEN, "client_id=" SIM_CLIENT), 900144);
	ck_assert_int_eq(ask_token(TOKEN, "grant_type=client_credentials"), 900144);
	ck_assert_int_eq(ask_token(TOKEN, "grant_type=client_credentials&client_id=" SIM_CLIENT), 900144);
	ck_assert_int_eq(ask_token(TOKEN, "grant_type=password&client_id=" SIM_CLIENT "&scope=a/.default"), 70003);
	ck_assert_int_eq(ask_token(TOKEN, "grant_type=client_credentials&client_id=other&scope=a/.default"), 700016);
	ck_assert_int_eq(ask_token(TOKEN, "grant_type=client_credentials&client_id=" SIM_CLIENT "&scope=openid"), 70011);
	ck_assert_int_eq(ask_token(TOKEN, "grant_type=client_credentials&client_id=" SIM_CLIENT "&scope=openid+a/.default+profile&client_secret=s"), ask_token(TOKEN, "grant_type=client_credentials&client_id=" SIM_CLIENT "&scope=a/.default&client_secret=s"));
	ck_assert_int_eq(ask_token(TOKEN, FORM), 7000218);
	ck_assert_int_eq(ask_token(TOKEN, FORM "&client_secret=wrong"), 7000215);
	ck_assert_int_eq(ask_token(TOKEN, FORM "&client_assertion=a.b.c"), 900144);
	ck_assert_int_eq(ask_token(TOKEN, ASSERTION "a.b.c"), 50027);
	ck_assert_int_eq(ask_token(TOKEN, ASSERTION "x"), 50027);
	ck_assert_int_eq(ask_token("/common/oauth2/v2.0/token", FORM "&client_secret=simulated-secret"), 90002);
	sim_end();
}
END_TEST

/* --- assertions -------------------------------------------------------------------------------------------------- */

static void encode(const void *data, size_t len, struct buf *out)
{
	unsigned char *text = mem_alloc(len * 2 + 8);
	int n = EVP_EncodeBlock(text, data, (int)len);
	for (int i = 0; i < n && text[i] != '='; i++)
		buf_putc(out, text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i]);
	free(text);
}

/* A JWT; key NULL: its signature is some bytes. */
static char *jwt(const char *header, const char *claims, EVP_PKEY *key)
{
	struct buf out = {0};
	unsigned char signature[512] = {1, 2, 3};
	size_t len = sizeof signature;
	encode(header, strlen(header), &out);
	buf_putc(&out, '.');
	encode(claims, strlen(claims), &out);
	if (key) {
		EVP_MD_CTX *c = EVP_MD_CTX_new();
		ck_assert_int_eq(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key), 1);
		ck_assert_int_eq(EVP_DigestSign(c, signature, &len, (const unsigned char *)out.data, out.len), 1);
		EVP_MD_CTX_free(c);
	}
	buf_putc(&out, '.');
	encode(signature, key ? len : 3, &out);
	return buf_take(&out);
}

static int ask_with(const char *header, const char *claims, EVP_PKEY *key)
{
	char *text = jwt(header, claims, key), *form = mem_printf("%s%s", ASSERTION, text);
	int number = ask_token(TOKEN, form);
	free(text);
	free(form);
	return number;
}

static int ask_federated(const char *issuer, const char *subject, const char *audience, int64_t expires_in_s)
{
	char claims[500];
	snprintf(claims, sizeof claims, "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":[\"%s\"],\"exp\":%lld}", issuer, subject, audience, (long long)(clock_wall_s() + expires_in_s));
	return ask_with("{\"alg\":\"RS256\"}", claims, NULL);
}

START_TEST(a_federated_assertion_is_judged_by_issuer_audience_subject_and_time)
{
	start();
	sim_settings("{\"federated_issuer\":\"https://issuer\",\"federated_subject\":\"system:serviceaccount:gpu-provisioner:gpu-provisioner\"}");
	const char *subject = "system:serviceaccount:gpu-provisioner:gpu-provisioner", *audience = "api://AzureADTokenExchange";
	ck_assert_int_eq(ask_federated("https://issuer", subject, audience, 3600), 0);
	ck_assert_int_eq(list_status(token), 200);
	ck_assert_int_eq(ask_federated("https://other", subject, audience, 3600), 700211);
	ck_assert_int_eq(ask_federated("https://issuer", subject, "other", 3600), 700212);
	ck_assert_int_eq(ask_federated("https://issuer", "other", audience, 3600), 700213);
	ck_assert_int_eq(ask_federated("https://issuer", subject, audience, -3600), 700024);
	sim_end();
}
END_TEST

static EVP_PKEY *make_certificate(char **pem)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *c = X509_new();
	X509_set_version(c, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(c), 0);
	X509_gmtime_adj(X509_getm_notAfter(c), 3600);
	X509_set_pubkey(c, key);
	X509_sign(c, key, EVP_sha256());
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, c);
	char *data;
	long len = BIO_get_mem_data(b, &data);
	*pem = mem_strndup(data, (size_t)len);
	BIO_free(b);
	X509_free(c);
	return key;
}

START_TEST(an_assertion_of_a_certificate_is_verified)
{
	char *pem, claims[600];
	EVP_PKEY *key = make_certificate(&pem), *other = EVP_RSA_gen(2048);
	start();
	json_t *setting = json_pack("{s:s}", "client_certificate", pem);
	char *text = json_dumps(setting, 0);
	sim_settings(text);
	free(text);
	json_decref(setting);
	snprintf(claims, sizeof claims, "{\"aud\":\"http://test" TOKEN "\",\"iss\":\"" SIM_CLIENT "\",\"sub\":\"" SIM_CLIENT "\",\"jti\":\"1\",\"nbf\":%lld,\"exp\":%lld}",
		 (long long)clock_wall_s(), (long long)clock_wall_s() + 600);
	ck_assert_int_eq(ask_with("{\"alg\":\"RS256\",\"x5t\":\"abc\"}", claims, key), 0);
	ck_assert_int_eq(list_status(token), 200);
	ck_assert_int_eq(ask_with("{\"alg\":\"RS256\",\"x5t\":\"abc\"}", claims, other), 700027);
	ck_assert_int_eq(ask_with("{\"alg\":\"RS256\"}", claims, key), 50027);
	ck_assert_int_eq(ask_with("{\"alg\":\"RS256\",\"x5t\":\"abc\"}", "{\"aud\":\"x\",\"iss\":\"" SIM_CLIENT "\",\"sub\":\"" SIM_CLIENT "\",\"jti\":\"1\",\"exp\":99999999999}", key), 700023);
	ck_assert_int_eq(ask_with("{\"alg\":\"RS256\",\"x5t\":\"abc\"}", "{\"aud\":\"x\",\"iss\":\"" SIM_CLIENT "\",\"sub\":\"x\",\"jti\":\"1\",\"exp\":99999999999}", key), 700021);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	free(pem);
	sim_end();
}
END_TEST

/* --- managed identities --------------------------------------------------------------------------------------------- */

#define IMDS "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/"

START_TEST(instance_metadata_answers_in_strings)
{
	start();
	sim_do(400, "GET", IMDS, NULL);
	struct sim_answer a = sim_ask_with("GET", IMDS, "Metadata: true\r\n", NULL);
	ck_assert_int_eq(a.status, 200);
	int64_t expires = 0;
	ck_assert(str_to_i64(str_of(json_text_at(a.body, "", "expires_on", NULL)), &expires));
	ck_assert_int_ge(expires, clock_wall_s() + 3500);
	ck_assert_str_eq(json_text_at(a.body, "", "expires_in", NULL), "3600");
	ck_assert_int_eq(list_status(json_text_at(a.body, "", "access_token", NULL)), 200);
	sim_answer_done(&a);
	a = sim_ask_with("GET", "/metadata/identity/oauth2/token?api-version=2018-02-01", "Metadata: true\r\n", NULL);
	ck_assert_int_eq(a.status, 400);
	sim_answer_done(&a);
	a = sim_ask_with("GET", IMDS "&client_id=other", "Metadata: true\r\n", NULL);
	ck_assert_str_eq(json_text_at(a.body, "", "error_description", NULL), "Identity not found");
	sim_answer_done(&a);
	sim_settings("{\"identity_assigned\":false}");
	a = sim_ask_with("GET", IMDS, "Metadata: true\r\n", NULL);
	ck_assert_str_eq(json_text_at(a.body, "", "error", NULL), "invalid_request");
	sim_answer_done(&a);
	sim_end();
}
END_TEST

START_TEST(app_service_wants_its_header)
{
	start();
	sim_do(401, "GET", "/msi/token?api-version=2019-08-01&resource=r", NULL);
	struct sim_answer a = sim_ask_with("GET", "/msi/token?api-version=2019-08-01&resource=r", "X-IDENTITY-HEADER: simulated-identity-header\r\n", NULL);
	ck_assert_int_eq(a.status, 200);
	ck_assert_int_eq(list_status(json_text_at(a.body, "", "access_token", NULL)), 200);
	sim_answer_done(&a);
	sim_end();
}
END_TEST

START_TEST(arc_wants_the_content_of_the_file_that_it_names)
{
	char folder[] = "/tmp/kaito-arc-XXXXXX", header[300];
	const char *path = "/arc/metadata/identity/oauth2/token?api-version=2020-06-01&resource=r";
	struct err err = ERR_INIT;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	start();
	snprintf(header, sizeof header, "{\"arc_folder\":\"%s\"}", folder);
	sim_settings(header);
	struct sim_answer a = sim_ask_with("GET", path, "Metadata: true\r\n", NULL);
	ck_assert_int_eq(a.status, 401);
	const char *realm = strstr(sim_header(&a, "WWW-Authenticate"), "Basic realm=");
	ck_assert_ptr_nonnull(realm);
	struct buf key = {0};
	ck_assert_msg(fd_read_file(realm + strlen("Basic realm="), 4096, &key, &err) == 0, "%s", err.message);
	sim_answer_done(&a);
	snprintf(header, sizeof header, "Metadata: true\r\nAuthorization: Basic %s\r\n", key.data);
	a = sim_ask_with("GET", path, header, NULL);
	ck_assert_int_eq(a.status, 200);
	sim_answer_done(&a);
	a = sim_ask_with("GET", path, header, NULL); /* the key is good once */
	ck_assert_int_eq(a.status, 401);
	sim_answer_done(&a);
	buf_done(&key);
	sim_end();
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}
END_TEST

/* --- life of a token ------------------------------------------------------------------------------------------------- */

START_TEST(tokens_expire_and_can_be_revoked)
{
	start();
	sim_settings("{\"token_lifetime_s\":60}");
	ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	sim_advance(58000);
	ck_assert_int_eq(list_status(token), 200);
	sim_advance(3000);
	ck_assert_int_eq(list_status(token), 401);
	ck_assert_str_eq(refused, "ExpiredAuthenticationToken");
	ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	ck_assert_int_eq(list_status(token), 200);
	sim_do(200, "POST", "/_sim/tokens", "{\"revoke\":true}");
	ck_assert_int_eq(list_status(token), 401);
	sim_end();
}
END_TEST

START_TEST(the_oldest_tokens_are_forgotten)
{
	char first[200];
	start();
	ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	memcpy(first, token, sizeof first);
	for (int i = 1; i < LIMIT_SIMULATOR_TOKENS; i++)
		ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	ck_assert_int_eq(list_status(first), 200);
	ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	ck_assert_int_eq(list_status(first), 401);
	ck_assert_int_eq(list_status(token), 200);
	sim_end();
}
END_TEST

START_TEST(a_challenge_wants_a_token_with_its_claims)
{
	char encoded[300] = "", form[1200];
	unsigned char claims[300] = "";
	start();
	ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	sim_do(200, "POST", "/_sim/tokens", "{\"challenge\":true}");
	struct sim_answer a = list_with(token);
	ck_assert_int_eq(a.status, 401);
	const char *p = strstr(sim_header(&a, "WWW-Authenticate"), "error=\"insufficient_claims\", claims=\"");
	ck_assert_ptr_nonnull(p);
	sscanf(p, "error=\"insufficient_claims\", claims=\"%299[^\"]", encoded);
	sim_answer_done(&a);
	ck_assert_int_gt(EVP_DecodeBlock(claims, (unsigned char *)encoded, (int)strlen(encoded)), 0);
	ask_token(TOKEN, FORM "&client_secret=simulated-secret"); /* without the claims: not enough */
	ck_assert_int_eq(list_status(token), 401);
	snprintf(form, sizeof form, "%s&claims=%s", FORM "&client_secret=simulated-secret", (char *)claims);
	ck_assert_int_eq(ask_token(TOKEN, form), 0);
	ck_assert_int_eq(list_status(token), 200);
	sim_do(200, "POST", "/_sim/tokens", "{\"challenge\":false}");
	ask_token(TOKEN, FORM "&client_secret=simulated-secret");
	ck_assert_int_eq(list_status(token), 200);
	sim_end();
}
END_TEST

START_TEST(discovery_names_our_own_endpoints)
{
	start();
	json_t *o = sim_expect(200, "GET", "/" SIM_TENANT "/v2.0/.well-known/openid-configuration", NULL);
	ck_assert_str_eq(json_text_at(o, "", "token_endpoint", NULL), "http://test" TOKEN);
	json_decref(o);
	o = sim_expect(200, "GET", "/common/discovery/instance?api-version=1.1", NULL);
	ck_assert_str_eq(json_text_at(o, "", "metadata", "#0", "preferred_network", NULL), "test");
	json_decref(o);
	sim_end();
}
END_TEST

int main(void)
{
	CHECK_RUN("tokens", 60, a_client_secret_gets_a_token_that_arm_takes, forms_that_lack_something_are_refused_with_the_number,
		  a_federated_assertion_is_judged_by_issuer_audience_subject_and_time, an_assertion_of_a_certificate_is_verified, instance_metadata_answers_in_strings,
		  app_service_wants_its_header, arc_wants_the_content_of_the_file_that_it_names, tokens_expire_and_can_be_revoked, the_oldest_tokens_are_forgotten, a_challenge_wants_a_token_with_its_claims,
		  discovery_names_our_own_endpoints);
}
