/* sim_assertion.c: client assertions (RFC 7523), as Entra ID judges them. A federated one (workload identity) is judged by issuer, subject,
 * audience and time; its signature is the business of an issuer that a simulator does not know. One made with a certificate, which names the
 * application as issuer and subject, is verified with the certificate of the settings when there is one. */
#include "simulate/sim.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#define SKEW_S 300
#define FEDERATED_AUDIENCE "api://AzureADTokenExchange"

static bool refuse(struct sim_oauth_error *e, int number, const char *text)
{
	*e = (struct sim_oauth_error){401, number, "invalid_client", ""};
	snprintf(e->text, sizeof e->text, "%s", text);
	return false;
}

/* false: it is none (RFC 7515). */
static bool decode(str text, struct buf *out)
{
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t len = 0;
	if (base64_decode(BASE64_URL, text, &bytes, &len, NULL) < 0)
		return false;
	buf_put(out, bytes, len);
	return len > 0;
}

struct assertion { str signed_part; json_t *header, *claims; struct buf signature; };

static json_t *decode_json(str part)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct err ignored = ERR_INIT;
	json_t *out = NULL;
	if (!decode(part, &text) || json_parse(&out, buf_str(&text), "assertion", &ignored) < 0)
		return NULL;
	return out;
}

static bool parse(struct assertion *a, str text)
{
	size_t first = str_find(text, '.', 0), second = str_find(text, '.', first + 1 < text.len ? first + 1 : text.len);
	if (second >= text.len)
		return false;
	a->signed_part = str_sub(text, 0, second);
	a->header = decode_json(str_sub(text, 0, first));
	a->claims = decode_json(str_sub(text, first + 1, second));
	return json_is_object(a->header) && json_is_object(a->claims) && decode(str_sub(text, second + 1, text.len), &a->signature);
}

static void drop(struct assertion *a)
{
	json_decref(a->header);
	json_decref(a->claims);
	buf_done(&a->signature);
}

json_t *sim_assertion_claims(str text)
{
	struct assertion a = {0};
	json_t *claims = parse(&a, text) ? json_incref(a.claims) : NULL;
	drop(&a);
	return claims;
}

bool sim_assertion_is_for(const json_t *claims, const char *wanted)
{
	json_t *aud = json_object_get(claims, "aud"), *one;
	size_t i;
	if (json_is_string(aud))
		return strcmp(json_string_value(aud), wanted) == 0;
	json_array_foreach(aud, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), wanted) == 0)
			return true;
	return false;
}

static bool in_time(const struct simulator *s, const json_t *claims)
{
	int64_t now = sim_timers_wall_s(s), exp = json_integer_value(json_object_get(claims, "exp")), nbf = json_integer_value(json_object_get(claims, "nbf"));
	return exp > now - SKEW_S && nbf < now + SKEW_S;
}

static bool differs(const char *wanted, const char *have) { return wanted[0] && strcmp(wanted, have) != 0; }

static bool check_federated(const struct simulator *s, const json_t *claims, struct sim_oauth_error *e)
{
	const char *iss = json_text_at(claims, "", "iss", NULL), *sub = json_text_at(claims, "", "sub", NULL);
	if (!iss[0] || differs(s->settings.federated_issuer, iss))
		return refuse(e, 700211, "No matching federated identity record found for presented assertion issuer.");
	if (!sim_assertion_is_for(claims, FEDERATED_AUDIENCE))
		return refuse(e, 700212, "No matching federated identity record found for presented assertion audience. The audience must be '" FEDERATED_AUDIENCE "'.");
	if (!sub[0] || differs(s->settings.federated_subject, sub))
		return refuse(e, 700213, "No matching federated identity record found for presented assertion subject.");
	return true;
}

static void key_freep(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void context_freep(EVP_MD_CTX **c) { EVP_MD_CTX_free(*c); }

/* RS256 or PS256 with the certificate of the settings. */
static bool verified(const char *pem, const struct assertion *a)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *cert = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	CLEANUP(key_freep) EVP_PKEY *key = cert ? X509_get_pubkey(cert) : NULL;
	CLEANUP(context_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;
	X509_free(cert);
	BIO_free(b);
	if (!key || !c || EVP_DigestVerifyInit(c, &pc, EVP_sha256(), NULL, key) != 1)
		return false;
	if (strcmp(json_text_at(a->header, "", "alg", NULL), "PS256") == 0 && EVP_PKEY_CTX_set_rsa_padding(pc, 6 /* PSS */) != 1)
		return false;
	return EVP_DigestVerify(c, (const unsigned char *)a->signature.data, a->signature.len, (const unsigned char *)a->signed_part.data, a->signed_part.len) == 1;
}

static bool check_certificate(const struct simulator *s, const struct assertion *a, const char *token_url, struct sim_oauth_error *e)
{
	if (!json_text_at(a->header, NULL, "x5t", NULL) && !json_text_at(a->header, NULL, "x5t#S256", NULL))
		return refuse(e, 50027, "JWT token is invalid or malformed: its header has no x5t.");
	if (strcmp(json_text_at(a->claims, "", "sub", NULL), s->client_id) != 0 || !json_text_at(a->claims, NULL, "jti", NULL))
		return refuse(e, 700021, "Client assertion application identifier doesn't match 'client_id' parameter, or jti is missing.");
	if (!sim_assertion_is_for(a->claims, token_url))
		return refuse(e, 700023, "Client assertion audience claim does not match Realm issuer.");
	if (s->settings.client_certificate[0] && !verified(s->settings.client_certificate, a))
		return refuse(e, 700027, "Client assertion failed signature validation.");
	return true;
}

bool sim_assertion_check(const struct simulator *s, str assertion, const char *token_url, struct sim_oauth_error *e)
{
	struct assertion a = {0};
	bool ok = parse(&a, assertion);
	if (!ok)
		refuse(e, 50027, "JWT token is invalid or malformed.");
	else if (!in_time(s, a.claims))
		ok = refuse(e, 700024, "Client assertion is not within its valid time range.");
	else if (strcmp(json_text_at(a.claims, "", "iss", NULL), s->client_id) == 0)
		ok = check_certificate(s, &a, token_url, e);
	else
		ok = check_federated(s, a.claims, e);
	drop(&a);
	return ok;
}
