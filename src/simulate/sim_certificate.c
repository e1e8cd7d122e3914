/* sim_certificate.c: the certificate of --tls: for this machine and for the names of Azure's public endpoints, signed by a CA of its own whose
 * key is thrown away at once. A program that insists on https://management.azure.com is pointed here by its hosts file and trusts the CA. */
#include "simulate/sim.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define NAMES "IP:127.0.0.1,DNS:localhost,DNS:management.azure.com,DNS:login.microsoftonline.com"
#define VALIDITY_S 31536000L

static void key_freep(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void cert_freep(X509 **c) { X509_free(*c); }

static bool add(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(c, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static bool set_serial(X509 *c)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
	BN_free(n);
	return ok;
}

static X509 *blank(EVP_PKEY *key, const char *common_name, const X509 *issuer)
{
	X509 *c = X509_new();
	X509_NAME *name = c ? X509_get_subject_name(c) : NULL;
	if (c && X509_set_version(c, X509_VERSION_3) && set_serial(c) && X509_gmtime_adj(X509_getm_notBefore(c), -300) && X509_gmtime_adj(X509_getm_notAfter(c), VALIDITY_S) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0) &&
	    X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer) : name) && X509_set_pubkey(c, key))
		return c;
	X509_free(c);
	return NULL;
}

static X509 *make_ca(EVP_PKEY *key)
{
	X509 *c = blank(key, "kaito simulator CA", NULL);
	if (c && add(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") && add(c, c, NID_key_usage, "critical,keyCertSign") &&
	    add(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, key, EVP_sha256()))
		return c;
	X509_free(c);
	return NULL;
}

static X509 *make_leaf(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key)
{
	X509 *c = blank(key, "localhost", ca);
	if (c && add(c, ca, NID_basic_constraints, "critical,CA:FALSE") && add(c, ca, NID_key_usage, "critical,digitalSignature") &&
	    add(c, ca, NID_ext_key_usage, "serverAuth") && add(c, ca, NID_subject_alt_name, NAMES) && add(c, ca, NID_authority_key_identifier, "keyid") &&
	    X509_sign(c, ca_key, EVP_sha256()))
		return c;
	X509_free(c);
	return NULL;
}

static char *text_of(X509 *cert, EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *data = NULL, *out = NULL;
	if (b && (cert ? PEM_write_bio_X509(b, cert) : PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL))) {
		long len = BIO_get_mem_data(b, &data);
		out = mem_strndup(data, (size_t)len);
	}
	BIO_free(b);
	return out;
}

int sim_certificate_make(struct sim_certificate *out, struct err *err)
{
	CLEANUP(key_freep) EVP_PKEY *ca_key = EVP_EC_gen("P-256");
	CLEANUP(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(cert_freep) X509 *ca = ca_key ? make_ca(ca_key) : NULL;
	CLEANUP(cert_freep) X509 *leaf = ca && key ? make_leaf(key, ca, ca_key) : NULL;
	struct sim_certificate c = {leaf ? text_of(leaf, NULL) : NULL, leaf ? text_of(NULL, key) : NULL, leaf ? text_of(ca, NULL) : NULL};
	if (!c.cert_pem || !c.key_pem || !c.ca_pem) {
		sim_certificate_done(&c);
		return err_set(err, ERR_INTERNAL, "cannot make the simulator's certificate");
	}
	*out = c;
	return 0;
}

void sim_certificate_done(struct sim_certificate *c)
{
	free(c->cert_pem);
	free(c->key_pem);
	free(c->ca_pem);
	*c = (struct sim_certificate){0};
}
