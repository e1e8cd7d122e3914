/* certificate.c: see certificate.h. Over OpenSSL 3. */
#include "admission/certificate.h"

#include "base/clock.h"
#include "base/mem.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SKEW_S 300 /* clocks of API servers may be behind */

static void key_freep(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void cert_freep(X509 **c) { X509_free(*c); }
static void bio_freep(BIO **b) { BIO_free(*b); }

/* --- making -------------------------------------------------------------------------------------------------- */

static bool set_serial(X509 *c)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
	BN_free(n);
	return ok;
}

static bool add_extension(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(c, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* A certificate without extensions and signature. NULL: the library failed. */
static X509 *blank(EVP_PKEY *key, const char *common_name, const X509 *issuer, int64_t validity_s)
{
	X509 *c = X509_new();
	X509_NAME *name = c ? X509_get_subject_name(c) : NULL;
	if (c && X509_set_version(c, X509_VERSION_3) && set_serial(c) && X509_gmtime_adj(X509_getm_notBefore(c), -SKEW_S) &&
	    X509_gmtime_adj(X509_getm_notAfter(c), (long)validity_s) &&
	    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"kaito", -1, -1, 0) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0) &&
	    X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer) : name) && X509_set_pubkey(c, key))
		return c;
	X509_free(c);
	return NULL;
}

static X509 *make_ca(EVP_PKEY *key, int64_t validity_s)
{
	X509 *c = blank(key, "kaito webhook CA", NULL, validity_s);
	if (c && add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") && add_extension(c, c, NID_key_usage, "critical,keyCertSign") &&
	    add_extension(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, key, EVP_sha256()))
		return c;
	X509_free(c);
	return NULL;
}

static X509 *make_leaf(EVP_PKEY *key, const char *const *names, size_t n, X509 *ca, EVP_PKEY *ca_key, int64_t validity_s)
{
	char list[1024] = "";
	char common[65]; /* the field's limit; names that are longer stand whole among the DNS names */
	size_t len = 0;
	for (size_t i = 0; i < n && len < sizeof list; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "%sDNS:%s", i ? "," : "", names[i]);
	snprintf(common, sizeof common, "%s", names[0]);
	X509 *c = len < sizeof list ? blank(key, common, ca, validity_s) : NULL;
	if (c && add_extension(c, ca, NID_basic_constraints, "critical,CA:FALSE") && add_extension(c, ca, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(c, ca, NID_ext_key_usage, "serverAuth") && add_extension(c, ca, NID_subject_alt_name, list) &&
	    add_extension(c, ca, NID_authority_key_identifier, "keyid") && X509_sign(c, ca_key, EVP_sha256()))
		return c;
	X509_free(c);
	return NULL;
}

static char *bio_text(BIO *b)
{
	char *data = NULL;
	long len = b ? BIO_get_mem_data(b, &data) : 0;
	return mem_strndup(data ? data : "", len > 0 ? (size_t)len : 0);
}

static char *cert_text(X509 *c)
{
	CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());
	return b && PEM_write_bio_X509(b, c) ? bio_text(b) : NULL;
}

static char *key_text(EVP_PKEY *key)
{
	CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_secmem());
	return b && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) ? bio_text(b) : NULL;
}

static int64_t unix_time(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static void read_times(const X509 *c, struct certificate *out)
{
	out->not_before = unix_time(X509_get0_notBefore(c));
	out->not_after = unix_time(X509_get0_notAfter(c));
}

int certificate_make(struct certificate *out, const char *const *names, size_t n, int64_t validity_s, struct err *err)
{
	CLEANUP(key_freep) EVP_PKEY *ca_key = EVP_EC_gen("P-256");
	CLEANUP(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(cert_freep) X509 *ca = ca_key ? make_ca(ca_key, validity_s) : NULL;
	CLEANUP(cert_freep) X509 *leaf = ca && key ? make_leaf(key, names, n, ca, ca_key, validity_s) : NULL;
	struct certificate c = {.cert_pem = leaf ? cert_text(leaf) : NULL, .key_pem = leaf ? key_text(key) : NULL, .ca_pem = leaf ? cert_text(ca) : NULL};
	if (!c.cert_pem || !c.key_pem || !c.ca_pem) {
		certificate_done(&c);
		return err_set(err, ERR_INTERNAL, "cannot make the webhook's certificate");
	}
	read_times(leaf, &c);
	*out = c;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static X509 *parse_cert(const char *pem)
{
	CLEANUP(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);
	return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

/* No question at the terminal for an encrypted key. */
static int no_password(char *buffer, int size, int writing, void *context)
{
	(void)buffer, (void)size, (void)writing, (void)context;
	return -1;
}

static EVP_PKEY *parse_key(const char *pem)
{
	CLEANUP(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);
	return b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
}

int certificate_read(struct certificate *out, const char *cert_pem, const char *key_pem, const char *ca_pem, const char *name, struct err *err)
{
	CLEANUP(cert_freep) X509 *leaf = parse_cert(cert_pem);
	CLEANUP(cert_freep) X509 *ca = parse_cert(ca_pem);
	CLEANUP(key_freep) EVP_PKEY *key = parse_key(key_pem);
	if (!leaf || !ca || !key)
		return err_set(err, ERR_INVALID, "the stored %s is not PEM", !leaf ? "server-cert.pem" : !ca ? "ca-cert.pem" : "server-key.pem");
	if (X509_check_private_key(leaf, key) != 1)
		return err_set(err, ERR_INVALID, "the stored server-cert.pem and server-key.pem do not belong together");
	if (X509_verify(leaf, X509_get0_pubkey(ca)) != 1)
		return err_set(err, ERR_INVALID, "the stored ca-cert.pem did not sign server-cert.pem");
	if (X509_check_host(leaf, name, 0, 0, NULL) != 1)
		return err_set(err, ERR_INVALID, "the stored server-cert.pem is not for %s", name);
	*out = (struct certificate){.cert_pem = mem_strdup(cert_pem), .key_pem = mem_strdup(key_pem), .ca_pem = mem_strdup(ca_pem)};
	read_times(leaf, out);
	return 0;
}

void certificate_done(struct certificate *c)
{
	if (c->key_pem)
		explicit_bzero(c->key_pem, strlen(c->key_pem));
	free(c->cert_pem);
	free(c->key_pem);
	free(c->ca_pem);
	*c = (struct certificate){0};
}
