/* test_token.c: every source of tokens against a fake authority and fake metadata services, and the cache in front of them. */
#include "azure/azure_variables.h"
#include "azure/fake_azure.h"
#include "azure/token_source.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "codec/base64.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>

#define SECRET "s3cret~value+/="
#define ASSERTION "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3VlciIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDpncHUtcHJvdmlzaW9uZXI6Z3B1LXByb3Zpc2lvbmVyIn0.c2ln"
#define GRANT(token) "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"ext_expires_in\":3600,\"access_token\":\"" token "\"}"

static struct azure_environment e;
static struct token_cache *t;
static struct err err;
static char folder[64];
static int64_t now;
static int64_t clock_ms(void) { return now; }
static atomic_bool cancel;

static char *path_of(const char *name) { return mem_printf("%s/%s", folder, name); }

static void write_file(const char *name, const char *text)
{
	CLEANUP(mem_freep) char *path = path_of(name);
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600, &err), 0);
}

static void set_url(const char *variable, int port, const char *path)
{
	CLEANUP(mem_freep) char *url = mem_printf("http://127.0.0.1:%d%s", port, path);
	variable_set(variable, url);
}

/* The server, a folder with an assertion, and the variables of a self-hosted deployment. */
static void setup(void)
{
	err = ERR_INIT;
	now = 1000000;
	snprintf(folder, sizeof folder, "/tmp/kaito-token-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	int port = fake_azure_start();
	variables_reset();
	set_url("AZURE_AUTHORITY_HOST", port, "");
	set_url("AZURE_IMDS_ENDPOINT", port, "");
	write_file("assertion", ASSERTION "\n");
	CLEANUP(mem_freep) char *assertion = path_of("assertion");
	variable_set("AZURE_FEDERATED_TOKEN_FILE", assertion);
}

static void start(void)
{
	ck_assert_msg(environment_read(&e, variable_get, &err) == 0, "%s", err.message);
	t = token_cache_new_with(&e, &cancel, &(struct token_settings){clock_ms, folder});
}

static void teardown(void)
{
	token_cache_free(t);
	environment_done(&e);
	fake_azure_stop();
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}

static void expect_token(const char *want)
{
	CLEANUP(token_wipep) char *got = NULL;
	err = ERR_INIT;
	ck_assert_msg(token_get(t, &got, &err) == 0, "%s", err.message);
	ck_assert_str_eq(got, want);
}

static void expect_refusal(enum err_kind kind, const char *part)
{
	char *got = NULL;
	err = ERR_INIT;
	ck_assert_int_eq(token_get(t, &got, &err), -1);
	ck_assert_ptr_null(got);
	ck_assert_msg(strstr(err.message, part) != NULL, "'%s' lacks '%s'", err.message, part);
	ck_assert_msg(err.kind == kind, "%s: %s", err_traits(err.kind)->name, err.message);
}

static void reply(int status, const char *body, int times) { fake_azure_reply(&(struct fake_reply){.status = status, .body = body, .times = times}); }

static void expect_field(const char *key, const char *want)
{
	const char *got = fake_azure_field(fake_azure_last(), key);
	ck_assert_msg(got && strcmp(got, want) == 0, "%s is '%s'", key, got ? got : "(absent)");
}

/* --- sources ----------------------------------------------------------------------------------------------------- */

START_TEST(workload_identity_presents_the_file)
{
	setup();
	start();
	ck_assert_str_eq(token_source_name(t), "workload-identity");
	reply(200, GRANT("one"), 0);
	expect_token("Bearer one");
	ck_assert_str_eq(fake_azure_last()->method, "POST");
	ck_assert_str_eq(fake_azure_last()->path, "/tenant/oauth2/v2.0/token");
	expect_field("grant_type", "client_credentials");
	expect_field("client_id", "client");
	expect_field("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	expect_field("client_assertion", ASSERTION);
	expect_field("scope", "https://management.core.windows.net//.default");
	expect_field("claims", "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}");
	ck_assert_ptr_null(fake_azure_field(fake_azure_last(), "client_secret"));
	teardown();
}
END_TEST

START_TEST(the_assertion_is_read_anew_for_each_token)
{
	setup();
	start();
	reply(200, GRANT("one"), 0);
	expect_token("Bearer one");
	write_file("assertion", "a.b.second");
	now += 3500 * 1000;
	expect_token("Bearer one");
	ck_assert_int_eq((int)fake_azure_count("POST", "token"), 2);
	expect_field("client_assertion", "a.b.second");
	teardown();
}
END_TEST

START_TEST(a_missing_file_is_waited_for)
{
	setup();
	variable_set("AZURE_FEDERATED_TOKEN_FILE", "/tmp/kaito-no-such-file");
	start();
	expect_refusal(ERR_NOT_FOUND, "azure.workload.identity/use");
	CLEANUP(mem_freep) char *path = path_of("assertion");
	free(e.federated_token_file);
	e.federated_token_file = mem_strdup(path);
	reply(200, GRANT("late"), 0);
	expect_refusal(ERR_NOT_FOUND, "azure.workload.identity/use"); /* not asked again so soon */
	now += 30000;
	expect_token("Bearer late");
	teardown();
}
END_TEST

START_TEST(an_assertion_has_a_longest)
{
	setup();
	char *text = mem_alloc(LIMIT_ARM_CREDENTIAL_BYTES + 2);
	memset(text, 'a', LIMIT_ARM_CREDENTIAL_BYTES + 1);
	write_file("assertion", text);
	start();
	reply(200, GRANT("one"), 0);
	expect_refusal(ERR_LIMIT, "AZURE_FEDERATED_TOKEN_FILE");
	text[LIMIT_ARM_CREDENTIAL_BYTES] = 0;
	write_file("assertion", text);
	now += 30000;
	expect_token("Bearer one");
	ck_assert_int_gt((int)fake_azure_last()->body.len, (int)LIMIT_ARM_CREDENTIAL_BYTES);
	write_file("assertion", " \n");
	now += 3600000;
	expect_refusal(ERR_BUSY, "is empty");
	free(text);
	teardown();
}
END_TEST

START_TEST(a_client_secret_is_sent_and_never_shown)
{
	setup();
	variable_set("AZURE_CLIENT_SECRET", SECRET);
	start();
	reply(401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS99: you sent " SECRET "\",\"error_codes\":[99]}", 1);
	reply(200, GRANT("two"), 0);
	expect_refusal(ERR_DENIED, "AADSTS99: refused");
	ck_assert_ptr_null(strstr(err.message, "s3cret"));
	now += 30000;
	expect_token("Bearer two");
	expect_field("client_secret", SECRET);
	ck_assert_str_eq(token_source_name(t), "client-secret");
	ck_assert_ptr_null(fake_azure_field(fake_azure_last(), "client_assertion"));
	teardown();
}
END_TEST

/* A self-signed certificate with its key. */
static EVP_PKEY *make_certificate(X509 **cert, bool rsa)
{
	EVP_PKEY *key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *c = X509_new();
	ck_assert(key && c && X509_set_version(c, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(c), 1));
	ck_assert(X509_gmtime_adj(X509_getm_notBefore(c), 0) && X509_gmtime_adj(X509_getm_notAfter(c), 3600) && X509_set_pubkey(c, key));
	ck_assert(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)"kaito", -1, -1, 0));
	ck_assert(X509_set_issuer_name(c, X509_get_subject_name(c)) && X509_sign(c, key, EVP_sha256()));
	*cert = c;
	return key;
}

static void write_pem(const char *name, EVP_PKEY *key, X509 *const *certs, size_t n, const char *password)
{
	CLEANUP(mem_freep) char *path = path_of(name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < n; i++)
		ck_assert(PEM_write_X509(f, certs[i]));
	if (key)
		ck_assert(PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL, (const unsigned char *)password, password ? (int)strlen(password) : 0, NULL, NULL));
	fclose(f);
	variable_set("AZURE_CLIENT_CERTIFICATE_PATH", path);
}

static json_t *part_of(const char *jwt, int which)
{
	for (; which; which--)
		jwt = strchr(jwt, '.') + 1;
	size_t len = 0;
	CLEANUP(mem_freep) char *text = NULL;
	ck_assert_int_eq(base64_decode(BASE64_URL, (str){jwt, strcspn(jwt, ".")}, &text, &len, NULL), 0);
	json_t *value = json_loadb(text, len, 0, NULL);
	ck_assert_ptr_nonnull(value);
	return value;
}

static void expect_thumbprint(const json_t *header, const char *key, const X509 *cert, const EVP_MD *md)
{
	unsigned char digest[64];
	unsigned n = 0;
	X509_digest(cert, md, digest, &n);
	CLEANUP(mem_freep) char *want = base64_encode(BASE64_URL, (str){(const char *)digest, n});
	ck_assert_str_eq(json_string_value(json_object_get(header, key)), want);
}

static void expect_signature(const char *jwt, EVP_PKEY *key)
{
	const char *dot = strrchr(jwt, '.');
	size_t len = 0;
	CLEANUP(mem_freep) char *signature = NULL;
	ck_assert_int_eq(base64_decode(BASE64_URL, str_of(dot + 1), &signature, &len, NULL), 0);
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	ck_assert_int_eq(EVP_DigestVerifyInit(m, NULL, EVP_sha256(), NULL, key), 1);
	ck_assert_int_eq(EVP_DigestVerify(m, (unsigned char *)signature, len, (const unsigned char *)jwt, (size_t)(dot - jwt)), 1);
	EVP_MD_CTX_free(m);
}

static void expect_assertion(EVP_PKEY *key, const X509 *cert)
{
	expect_field("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	const char *jwt = fake_azure_field(fake_azure_last(), "client_assertion");
	ck_assert_ptr_nonnull(jwt);
	CLEANUP(json_decrefp) json_t *header = part_of(jwt, 0);
	CLEANUP(json_decrefp) json_t *payload = part_of(jwt, 1);
	ck_assert_str_eq(json_string_value(json_object_get(header, "alg")), "RS256");
	expect_thumbprint(header, "x5t", cert, EVP_sha1());
	expect_thumbprint(header, "x5t#S256", cert, EVP_sha256());
	ck_assert_str_eq(json_string_value(json_object_get(payload, "iss")), "client");
	ck_assert_str_eq(json_string_value(json_object_get(payload, "sub")), "client");
	CLEANUP(mem_freep) char *audience = token_entra_url(&e);
	ck_assert_str_eq(json_string_value(json_object_get(payload, "aud")), audience);
	json_int_t expires = json_integer_value(json_object_get(payload, "exp")), from = json_integer_value(json_object_get(payload, "nbf"));
	ck_assert_int_eq(expires - from, 600);
	ck_assert_int_le(from, clock_wall_s());
	ck_assert_int_ge((int)strlen(json_string_value(json_object_get(payload, "jti"))), 20);
	expect_signature(jwt, key);
}

START_TEST(a_certificate_signs_an_assertion)
{
	setup();
	X509 *certs[2];
	EVP_PKEY *other = make_certificate(&certs[0], true), *key = make_certificate(&certs[1], true);
	write_pem("both.pem", key, certs, 2, NULL); /* one of another issuer stands first */
	start();
	ck_assert_str_eq(token_source_name(t), "client-certificate");
	reply(200, GRANT("cert"), 0);
	expect_token("Bearer cert");
	expect_assertion(key, certs[1]);
	CLEANUP(mem_freep) char *first = mem_strdup(fake_azure_field(fake_azure_last(), "client_assertion"));
	now += 3600 * 1000;
	expect_token("Bearer cert");
	ck_assert_str_ne(first, fake_azure_field(fake_azure_last(), "client_assertion"));
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	X509_free(certs[0]);
	X509_free(certs[1]);
	teardown();
}
END_TEST

START_TEST(certificates_may_have_a_password)
{
	setup();
	X509 *cert;
	EVP_PKEY *key = make_certificate(&cert, true);
	write_pem("locked.pem", key, &cert, 1, "open sesame");
	variable_set("AZURE_CLIENT_CERTIFICATE_PASSWORD", "open sesame");
	start();
	reply(200, GRANT("cert"), 0);
	expect_token("Bearer cert");
	expect_assertion(key, cert);
	CLEANUP(mem_freep) char *path = path_of("bundle.pfx");
	PKCS12 *p = PKCS12_create("open sesame", "kaito", key, cert, NULL, 0, 0, 0, 0, 0);
	FILE *f = fopen(path, "w");
	ck_assert(f && p && i2d_PKCS12_fp(f, p));
	fclose(f);
	PKCS12_free(p);
	free(e.certificate_path);
	e.certificate_path = mem_strdup(path);
	now += 3600 * 1000;
	expect_token("Bearer cert");
	expect_assertion(key, cert);
	free(e.certificate_password);
	e.certificate_password = mem_strdup("close sesame");
	now += 3600 * 1000;
	expect_refusal(ERR_CONFIG, "AZURE_CLIENT_CERTIFICATE_PASSWORD");
	ck_assert_ptr_null(strstr(err.message, "sesame"));
	EVP_PKEY_free(key);
	X509_free(cert);
	teardown();
}
END_TEST

START_TEST(certificates_that_cannot_work_are_refused)
{
	setup();
	X509 *cert, *other, *curve;
	EVP_PKEY *key = make_certificate(&cert, true), *unused = make_certificate(&other, true), *ec = make_certificate(&curve, false);
	static const char *const COMPLAINTS[] = {"no private key", "no certificate that belongs", "not hold an RSA key", "no private key"};
	write_pem("public.pem", NULL, &cert, 1, NULL);
	start();
	for (size_t i = 0; i < 4; i++) {
		if (i == 1)
			write_pem("next.pem", key, &other, 1, NULL);
		if (i == 2)
			write_pem("next.pem", ec, &curve, 1, NULL);
		if (i == 3)
			write_file("next.pem", "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n");
		if (i == 1) {
			free(e.certificate_path);
			e.certificate_path = path_of("next.pem");
		}
		expect_refusal(ERR_CONFIG, COMPLAINTS[i]);
		now += 30000;
	}
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 0);
	EVP_PKEY_free(key);
	EVP_PKEY_free(unused);
	EVP_PKEY_free(ec);
	X509_free(cert);
	X509_free(other);
	X509_free(curve);
	teardown();
}
END_TEST

static void managed(void)
{
	setup();
	variable_set("DEPLOYMENT_MODE", "managed");
	variable_set("AZURE_FEDERATED_TOKEN_FILE", NULL);
}

START_TEST(the_metadata_service_prints_numbers_as_strings)
{
	char body[256];
	managed();
	start();
	ck_assert_str_eq(token_source_name(t), "managed-identity");
	snprintf(body, sizeof body, "{\"access_token\":\"m\",\"expires_on\":\"%lld\",\"resource\":\"x\",\"token_type\":\"Bearer\"}", (long long)clock_wall_s() + 1000);
	reply(200, body, 0);
	expect_token("Bearer m");
	const struct fake_request *r = fake_azure_last();
	ck_assert_str_eq(r->method, "GET");
	ck_assert_str_eq(r->path, "/metadata/identity/oauth2/token");
	ck_assert_str_eq(r->api_version, "2018-02-01");
	ck_assert_str_eq(r->resource, "https://management.core.windows.net/");
	ck_assert_str_eq(r->client_id, "client");
	ck_assert(fake_azure_has_header(r, "metadata: true\n"));
	now += 690000;
	expect_token("Bearer m");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
	now += 20000; /* 1000 s less 300 s have passed */
	expect_token("Bearer m");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	teardown();
}
END_TEST

START_TEST(no_proxy_is_asked_for_metadata)
{
	managed();
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	start();
	reply(200, "{\"access_token\":\"m\",\"expires_in\":\"3600\"}", 0);
	expect_token("Bearer m");
	unsetenv("http_proxy");
	teardown();
}
END_TEST

/* Tries come 2, 4, 8, 16, 32, 60, 60 s after each other, without anybody sleeping here. */
START_TEST(the_metadata_service_may_be_busy)
{
	static const int STATUSES[] = {404, 410, 429, 500, 503, 408, 502};
	static const int64_t WAITS[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};
	managed();
	start();
	for (size_t i = 0; i < 7; i++) {
		reply(STATUSES[i], "", 1);
		expect_refusal(ERR_BUSY, "the instance metadata service is not ready");
		now += WAITS[i] - 1;
		expect_refusal(ERR_BUSY, "the instance metadata service is not ready");
		ck_assert_int_eq((int)fake_azure_count(NULL, NULL), (int)i + 1);
		now += 1;
	}
	reply(200, "{\"access_token\":\"m\",\"expires_in\":\"3600\"}", 0);
	expect_token("Bearer m");
	teardown();
}
END_TEST

START_TEST(an_identity_that_is_not_assigned_is_said)
{
	managed();
	start();
	reply(400, "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}", 0);
	expect_refusal(ERR_DENIED, "assign the identity AZURE_CLIENT_ID to this machine: Identity not found");
	now += 29999;
	expect_refusal(ERR_DENIED, "assign the identity");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
	teardown();
}
END_TEST

START_TEST(app_service_wants_its_header)
{
	managed();
	int port = 0;
	ck_assert_int_eq(sscanf(variable_get("AZURE_IMDS_ENDPOINT"), "http://127.0.0.1:%d", &port), 1);
	set_url("IDENTITY_ENDPOINT", port, "/msi/token");
	variable_set("IDENTITY_HEADER", "hush-header");
	start();
	ck_assert_str_eq(token_source_name(t), "app-service");
	reply(401, "{\"error_description\":\"not hush-header\"}", 1);
	expect_refusal(ERR_DENIED, "check IDENTITY_HEADER");
	ck_assert_ptr_null(strstr(err.message, "hush"));
	now += 30000;
	reply(200, "{\"access_token\":\"a\",\"expires_on\":\"99999999999\"}", 0);
	expect_token("Bearer a");
	ck_assert_str_eq(fake_azure_last()->path, "/msi/token");
	ck_assert_str_eq(fake_azure_last()->api_version, "2019-08-01");
	ck_assert(fake_azure_has_header(fake_azure_last(), "x-identity-header: hush-header\n"));
	teardown();
}
END_TEST

/* The agent's first answer names this file ("%s": the folder), the second one gives a token. */
static void arc(const char *realm)
{
	static char challenge[256];
	managed();
	int port = 0;
	ck_assert_int_eq(sscanf(variable_get("AZURE_IMDS_ENDPOINT"), "http://127.0.0.1:%d", &port), 1);
	set_url("IMDS_ENDPOINT", port, "/");
	const char *hole = strstr(realm, "%s");
	snprintf(challenge, sizeof challenge, "Basic realm=%s%s", hole ? folder : "", hole ? hole + 2 : realm);
	fake_azure_reply(&(struct fake_reply){.times = 1, .status = 401, .headers = {"WWW-Authenticate", challenge}});
	reply(200, "{\"access_token\":\"arc\",\"expires_in\":\"3600\"}", 0);
	start();
}

START_TEST(arc_proves_that_it_can_read_the_agents_file)
{
	arc("%s/abc.key");
	write_file("abc.key", "hush-key\n");
	ck_assert_str_eq(token_source_name(t), "arc");
	expect_token("Bearer arc");
	ck_assert_str_eq(fake_azure_request(0)->path, "/metadata/identity/oauth2/token");
	ck_assert_str_eq(fake_azure_request(0)->api_version, "2019-11-01");
	ck_assert(fake_azure_has_header(fake_azure_request(0), "metadata: true\n"));
	ck_assert(!fake_azure_has_header(fake_azure_request(0), "authorization:"));
	ck_assert(fake_azure_has_header(fake_azure_last(), "authorization: Basic hush-key\n"));
	teardown();
}
END_TEST

START_TEST(arc_reads_no_other_files)
{
	static const struct { const char *realm; enum err_kind kind; const char *say; } ROWS[] = {
		{"/etc/passwd", ERR_DENIED, "not read"},
		{"/etc/x.key", ERR_DENIED, "not read"},
		{"%s/../etc/x.key", ERR_DENIED, "not read"},
		{"%s/sub/x.key", ERR_DENIED, "not read"},
		{"%s/x.txt", ERR_DENIED, "not read"},
		{"%s.key", ERR_DENIED, "not read"},
		{"%s/.key", ERR_DENIED, "not read"},
		{"%s/absent.key", ERR_DENIED, "cannot read the key file"},
		{"%s/large.key", ERR_DENIED, "at most 4096 bytes"},
		{"%s/link.key", ERR_DENIED, "cannot read the key file"},
		{"%s/empty.key", ERR_DENIED, "is empty"},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		arc(ROWS[i].realm);
		char large[4098], link[128];
		memset(large, 'k', sizeof large - 1);
		large[sizeof large - 1] = 0;
		write_file("large.key", large);
		write_file("empty.key", "");
		write_file("x.txt", "hush");
		snprintf(link, sizeof link, "%s/link.key", folder);
		ck_assert_int_eq(symlink("/etc/hostname", link), 0);
		expect_refusal(ROWS[i].kind, ROWS[i].say);
		ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
		teardown();
	}
}
END_TEST

START_TEST(a_key_of_exactly_4096_bytes_is_taken)
{
	char key[4097];
	arc("%s/full.key");
	memset(key, 'k', 4096);
	key[4096] = 0;
	write_file("full.key", key);
	expect_token("Bearer arc");
	teardown();
}
END_TEST

START_TEST(arc_without_a_challenge_is_refused)
{
	arc("x");
	fake_azure_forget();
	reply(401, "", 1);
	expect_refusal(ERR_PROTOCOL, "did not name a key file");
	now += 30000;
	reply(200, "{\"access_token\":\"arc\",\"expires_in\":\"3600\"}", 0);
	expect_refusal(ERR_DENIED, "should have asked for a key first");
	teardown();
}
END_TEST

START_TEST(arc_may_refuse_the_key)
{
	arc("%s/abc.key");
	write_file("abc.key", "hush-key");
	static char challenge[256];
	snprintf(challenge, sizeof challenge, "Basic realm=%s/abc.key", folder);
	fake_azure_forget();
	fake_azure_reply(&(struct fake_reply){.status = 401, .headers = {"WWW-Authenticate", challenge}, .body = "{\"error_description\":\"hush-key is old\"}"});
	expect_refusal(ERR_DENIED, "the key was refused");
	ck_assert_ptr_null(strstr(err.message, "hush"));
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	teardown();
}
END_TEST

START_TEST(the_managed_chain_goes_on_when_a_source_is_not_there)
{
	setup();
	variable_set("DEPLOYMENT_MODE", "managed");
	start();
	ck_assert_str_eq(token_source_name(t), "workload-identity");
	fake_azure_reply(&(struct fake_reply){.part = "/oauth2/v2.0/", .times = 1, .status = 400, .body = "{\"error\":\"x\",\"error_description\":\"AADSTS700016: no\"}"});
	fake_azure_reply(&(struct fake_reply){.part = "/metadata/", .status = 200, .body = "{\"access_token\":\"m\",\"expires_in\":\"3600\"}"});
	expect_refusal(ERR_DENIED, "AADSTS700016"); /* refused is not absent */
	ck_assert_int_eq((int)fake_azure_count(NULL, "/metadata/"), 0);
	CLEANUP(mem_freep) char *path = path_of("assertion");
	unlink(path);
	now += 30000;
	expect_token("Bearer m");
	ck_assert_str_eq(token_source_name(t), "managed-identity");
	teardown();
}
END_TEST

START_TEST(a_self_hosted_deployment_never_uses_the_machines_identity)
{
	setup();
	variable_set("AZURE_FEDERATED_TOKEN_FILE", "/tmp/kaito-no-such-file");
	start();
	reply(200, "{\"access_token\":\"m\",\"expires_in\":\"3600\"}", 0);
	expect_refusal(ERR_NOT_FOUND, "there is no");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 0);
	teardown();
}
END_TEST

/* --- the authority's errors -------------------------------------------------------------------------------------- */

#define SUBJECT "system:serviceaccount:gpu-provisioner:gpu-provisioner"
static const struct { const char *code, *say; } AADSTS[] = {
	{"70021", "AADSTS70021: no federated identity credential matches: its subject must be '" SUBJECT "', its audience api://AzureADTokenExchange"},
	{"700211", "AADSTS700211: no federated identity credential has this issuer"},
	{"700212", "AADSTS700212: no federated identity credential has this audience: it must be api://AzureADTokenExchange"},
	{"700213", "AADSTS700213: no federated identity credential has this subject: it must be '" SUBJECT "'"},
	{"700016", "AADSTS700016: the application is unknown in this tenant: check AZURE_CLIENT_ID"},
	{"700024", "AADSTS700024: the service account token has expired"},
	{"700027", "AADSTS700027: the certificate"},
	{"7000215", "AADSTS7000215: the client secret is wrong"},
	{"7000222", "AADSTS7000222: the client secret has expired"},
	{"90002", "AADSTS90002: the tenant is unknown"},
	{"500011", "AADSTS500011: the token audience"},
	{"53003", "AADSTS53003: Something said by the authority."},
};

START_TEST(the_authoritys_codes_say_what_to_check)
{
	for (size_t i = 0; i < sizeof AADSTS / sizeof AADSTS[0]; i++) {
		char body[512];
		setup();
		start();
		snprintf(body, sizeof body,
			 "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS%s: Something said by the authority. %sTrace ID: 1\",\"error_codes\":[%s],\"trace_id\":\"1\"}",
			 AADSTS[i].code, i % 2 ? "\\r\\n" : "", AADSTS[i].code);
		reply(400, body, 0);
		expect_refusal(ERR_DENIED, AADSTS[i].say);
		ck_assert_ptr_null(strstr(err.message, "Trace"));
		ck_assert_ptr_null(strstr(err.message, "eyJ"));
		teardown();
	}
}
END_TEST

static const struct { int status; const char *body; enum err_kind kind; const char *say; } ODD[] = {
	{400, "{\"error\":\"x\",\"error_codes\":[700016]}", ERR_DENIED, "AADSTS700016: the application"},
	{400, "{\"error\":\"unauthorized\"}", ERR_DENIED, "(400 unauthorized)"},
	{404, "<html>", ERR_DENIED, "check AZURE_AUTHORITY_HOST"},
	{429, "", ERR_BUSY, "not ready to give a token (429)"},
	{503, "{}", ERR_BUSY, "not ready to give a token (503)"},
	{302, "", ERR_DENIED, "refuses to give a token (302)"},
	{200, "", ERR_PROTOCOL, "not JSON"},
	{200, "[]", ERR_PROTOCOL, "without an access token"},
	{200, "{\"access_token\":\"\"}", ERR_PROTOCOL, "without an access token"},
	{200, "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":1}", ERR_PROTOCOL, "without an access token"},
	{200, "{\"access_token\":\"a\"}", ERR_PROTOCOL, "does not say when"},
	{200, "{\"access_token\":\"a\",\"expires_in\":0}", ERR_PROTOCOL, "has expired"},
	{200, "{\"access_token\":\"a\",\"expires_on\":\"5\"}", ERR_PROTOCOL, "has expired"},
};

START_TEST(odd_answers_of_the_authority_are_errors)
{
	for (size_t i = 0; i < sizeof ODD / sizeof ODD[0]; i++) {
		setup();
		start();
		reply(ODD[i].status, ODD[i].body, 0);
		expect_refusal(ODD[i].kind, ODD[i].say);
		teardown();
	}
}
END_TEST

START_TEST(what_the_authority_says_is_cut_between_characters)
{
	char body[2048] = "{\"error\":\"x\",\"error_description\":\"AADSTS1: ";
	setup();
	start();
	for (int i = 0; i < 300; i++)
		snprintf(body + strlen(body), sizeof body - strlen(body), "é");
	snprintf(body + strlen(body), sizeof body - strlen(body), "\"}");
	reply(400, body, 0);
	expect_refusal(ERR_DENIED, "AADSTS1: éé");
	ck_assert(str_is_utf8(str_of(err.message), &(size_t){0}));
	teardown();
}
END_TEST

START_TEST(an_authority_that_cannot_be_reached_is_tried_again_soon)
{
	setup();
	variable_set("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1");
	start();
	expect_refusal(ERR_NETWORK, "127.0.0.1:1");
	now += 1999;
	expect_refusal(ERR_NETWORK, "127.0.0.1:1");
	CLEANUP(mem_freep) char *url = mem_strdup(variable_get("AZURE_IMDS_ENDPOINT"));
	free(e.authority);
	e.authority = mem_printf("%s/", url);
	reply(200, GRANT("back"), 0);
	now += 1;
	expect_token("Bearer back");
	teardown();
}
END_TEST

/* --- the cache --------------------------------------------------------------------------------------------------- */

START_TEST(a_token_is_used_until_five_minutes_before_its_end)
{
	setup();
	start();
	reply(200, GRANT("one"), 1);
	reply(200, GRANT("two"), 0);
	for (int i = 0; i < 10; i++)
		expect_token("Bearer one");
	now += 3299999;
	expect_token("Bearer one");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
	now += 1;
	expect_token("Bearer two");
	expect_token("Bearer two");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	teardown();
}
END_TEST

START_TEST(a_short_token_is_not_asked_for_at_every_call)
{
	setup();
	start();
	reply(200, "{\"access_token\":\"short\",\"expires_in\":60}", 0);
	for (int i = 0; i < 10; i++)
		expect_token("Bearer short");
	now += 29999;
	expect_token("Bearer short");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
	now += 1;
	expect_token("Bearer short");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	teardown();
}
END_TEST

START_TEST(the_old_token_serves_while_refreshing_fails)
{
	setup();
	start();
	reply(200, GRANT("one"), 1);
	reply(503, "", 0);
	expect_token("Bearer one");
	now += 3300000;
	expect_token("Bearer one");
	expect_token("Bearer one");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	now += 29999;
	expect_token("Bearer one");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	now += 1;
	expect_token("Bearer one");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 3);
	now += 270000; /* its end */
	expect_refusal(ERR_BUSY, "not ready");
	teardown();
}
END_TEST

struct asker { pthread_t thread; char *got; int rc; struct err err; };

static void *ask(void *context)
{
	struct asker *a = context;
	a->rc = token_get(t, &a->got, &a->err);
	return NULL;
}

static void wait_for_requests(size_t n)
{
	for (int i = 0; i < 2000 && fake_azure_count(NULL, NULL) < n; i++)
		clock_sleep_ms(1);
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), (int)n);
}

#define ASKERS 16
START_TEST(many_threads_make_one_request)
{
	struct asker askers[ASKERS] = {0};
	setup();
	start();
	fake_azure_reply(&(struct fake_reply){.times = 1, .status = 200, .body = GRANT("one"), .hold = true});
	for (size_t i = 0; i < ASKERS; i++)
		pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
	wait_for_requests(1);
	fake_azure_release();
	for (size_t i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		ck_assert_msg(askers[i].rc == 0, "%s", askers[i].err.message);
		ck_assert_str_eq(askers[i].got, "Bearer one");
		token_wipe(askers[i].got);
	}
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
	teardown();
}
END_TEST

START_TEST(one_failure_is_everyones)
{
	struct asker askers[ASKERS] = {0};
	setup();
	start();
	fake_azure_reply(&(struct fake_reply){.status = 400, .body = "{\"error\":\"x\",\"error_description\":\"AADSTS700016: no\"}", .hold = true});
	for (size_t i = 0; i < ASKERS; i++)
		pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
	wait_for_requests(1);
	fake_azure_release();
	for (size_t i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		ck_assert_int_eq(askers[i].rc, -1);
		ck_assert_ptr_nonnull(strstr(askers[i].err.message, "AADSTS700016"));
	}
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 1);
	teardown();
}
END_TEST

START_TEST(others_use_the_old_token_while_one_refreshes)
{
	struct asker refresher = {0};
	setup();
	start();
	reply(200, GRANT("one"), 1);
	expect_token("Bearer one");
	fake_azure_reply(&(struct fake_reply){.status = 200, .body = GRANT("two"), .hold = true});
	now += 3400000;
	pthread_create(&refresher.thread, NULL, ask, &refresher);
	wait_for_requests(2);
	expect_token("Bearer one"); /* without waiting: the answer is held back */
	fake_azure_release();
	pthread_join(refresher.thread, NULL);
	ck_assert_str_eq(refresher.got, "Bearer two");
	token_wipe(refresher.got);
	expect_token("Bearer two");
	teardown();
}
END_TEST

/* --- refused tokens ---------------------------------------------------------------------------------------------- */

static int renew(const char *refused, const char *claims, char **got)
{
	*got = NULL;
	err = ERR_INIT;
	return token_renew(t, refused, claims, got, &err);
}

START_TEST(a_challenges_claims_are_merged_with_our_capability)
{
	char *got;
	setup();
	start();
	reply(200, GRANT("one"), 1);
	reply(200, GRANT("two"), 1);
	expect_token("Bearer one");
	ck_assert_int_eq(renew("Bearer one", "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1726259122\"}}}", &got), 0);
	ck_assert_str_eq(got, "Bearer two");
	token_wipe(got);
	CLEANUP(json_decrefp) json_t *claims = json_loads(fake_azure_field(fake_azure_last(), "claims"), 0, NULL);
	CLEANUP(json_decrefp) json_t *want =
		json_pack("{s:{s:{s:[s]}, s:{s:b, s:s}}}", "access_token", "xms_cc", "values", "cp1", "nbf", "essential", 1, "value", "1726259122");
	ck_assert(json_equal(claims, want));
	expect_token("Bearer two");
	teardown();
}
END_TEST

START_TEST(a_token_that_another_renewed_is_taken)
{
	char *got;
	setup();
	start();
	reply(200, GRANT("one"), 1);
	reply(200, GRANT("two"), 0);
	expect_token("Bearer one");
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(renew("Bearer one", NULL, &got), 0);
		ck_assert_str_eq(got, "Bearer two");
		token_wipe(got);
	}
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	teardown();
}
END_TEST

START_TEST(a_renewed_token_that_is_refused_is_not_renewed_at_once)
{
	char *got;
	setup();
	start();
	reply(200, GRANT("one"), 1);
	reply(200, GRANT("two"), 1);
	reply(200, GRANT("three"), 1);
	expect_token("Bearer one");
	ck_assert_int_eq(renew("Bearer one", NULL, &got), 0);
	token_wipe(got);
	ck_assert_int_eq(renew("Bearer two", NULL, &got), -1);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.message, "refused too"));
	now += 30000;
	ck_assert_int_eq(renew("Bearer two", NULL, &got), 0);
	ck_assert_str_eq(got, "Bearer three");
	token_wipe(got);
	teardown();
}
END_TEST

START_TEST(when_no_new_token_comes_the_refused_one_is_gone)
{
	char *got;
	setup();
	start();
	reply(200, GRANT("one"), 1);
	reply(503, "", 0);
	expect_token("Bearer one");
	ck_assert_int_eq(renew("Bearer one", NULL, &got), -1);
	ck_assert_ptr_null(got);
	expect_refusal(ERR_BUSY, "not ready");
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 2);
	teardown();
}
END_TEST

START_TEST(sovereign_clouds_have_their_own_audience)
{
	setup();
	variable_set("AZURE_ENVIRONMENT", "AzureChinaCloud");
	start();
	reply(200, GRANT("cn"), 0);
	expect_token("Bearer cn");
	expect_field("scope", "https://management.core.chinacloudapi.cn//.default");
	teardown();
}
END_TEST

int main(void)
{
	CHECK_RUN("token", 30, workload_identity_presents_the_file, the_assertion_is_read_anew_for_each_token, a_missing_file_is_waited_for, an_assertion_has_a_longest,
		  a_client_secret_is_sent_and_never_shown, a_certificate_signs_an_assertion, certificates_may_have_a_password,
		  certificates_that_cannot_work_are_refused, the_metadata_service_prints_numbers_as_strings, no_proxy_is_asked_for_metadata,
		  the_metadata_service_may_be_busy, an_identity_that_is_not_assigned_is_said, app_service_wants_its_header,
		  arc_proves_that_it_can_read_the_agents_file, arc_reads_no_other_files, a_key_of_exactly_4096_bytes_is_taken, arc_without_a_challenge_is_refused, arc_may_refuse_the_key,
		  the_managed_chain_goes_on_when_a_source_is_not_there, a_self_hosted_deployment_never_uses_the_machines_identity,
		  the_authoritys_codes_say_what_to_check, odd_answers_of_the_authority_are_errors, what_the_authority_says_is_cut_between_characters, an_authority_that_cannot_be_reached_is_tried_again_soon,
		  a_token_is_used_until_five_minutes_before_its_end, a_short_token_is_not_asked_for_at_every_call, the_old_token_serves_while_refreshing_fails,
		  many_threads_make_one_request, one_failure_is_everyones, others_use_the_old_token_while_one_refreshes,
		  a_challenges_claims_are_merged_with_our_capability, a_token_that_another_renewed_is_taken,
		  a_renewed_token_that_is_refused_is_not_renewed_at_once, when_no_new_token_comes_the_refused_one_is_gone,
		  sovereign_clouds_have_their_own_audience);
}
