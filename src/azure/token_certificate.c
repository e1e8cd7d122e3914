/* token_certificate.c: an application's certificate (AZURE_CLIENT_CERTIFICATE_PATH: PEM or PKCS#12, key included). It signs a JSON web
 * token (RFC 7523) that stands for ten minutes; the authority finds the certificate by its thumbprint. */
#include "azure/token_source.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define ASSERTION_S 600

static void key_freep(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void cert_freep(X509 **c) { X509_free(*c); }
static void bio_freep(BIO **b) { BIO_free(*b); }
static void md_freep(EVP_MD_CTX **m) { EVP_MD_CTX_free(*m); }
static void pkcs12_freep(PKCS12 **p) { PKCS12_free(*p); }

static bool configured(const struct azure_environment *e) { return e->certificate_path[0] && e->client_id[0]; }

/* --- reading the file -------------------------------------------------------------------------------------------- */

static BIO *memory(str text) { return BIO_new_mem_buf(text.data, (int)text.len); }

/* Without a password OpenSSL would ask the terminal. */
static int give_password(char *out, int size, int rw, void *context)
{
	(void)rw;
	size_t len = strlen(context);
	if (len > (size_t)size)
		return -1;
	memcpy(out, context, len);
	return (int)len;
}

static void read_pem(str text, const char *password, EVP_PKEY **key, X509 **cert)
{
	CLEANUP(bio_freep) BIO *first = memory(text);
	CLEANUP(bio_freep) BIO *second = memory(text);
	*key = first ? PEM_read_bio_PrivateKey(first, NULL, give_password, (void *)(uintptr_t)password) : NULL;
	while (*key && second && (*cert = PEM_read_bio_X509(second, NULL, give_password, (void *)(uintptr_t)password))) {
		if (X509_check_private_key(*cert, *key) == 1)
			return;
		X509_free(*cert); /* of the chain */
		*cert = NULL;
	}
}

static void read_pkcs12(str text, const char *password, EVP_PKEY **key, X509 **cert)
{
	CLEANUP(bio_freep) BIO *b = memory(text);
	CLEANUP(pkcs12_freep) PKCS12 *p = b ? d2i_PKCS12_bio(b, NULL) : NULL;
	if (p && !PKCS12_parse(p, password, key, cert, NULL)) {
		*key = NULL;
		*cert = NULL;
	}
}

static int load(const struct azure_environment *e, EVP_PKEY **key, X509 **cert, struct err *err)
{
	CLEANUP(token_wipe_buf) struct buf text = {0};
	if (fd_read_file(e->certificate_path, LIMIT_ARM_CREDENTIAL_BYTES, &text, err) < 0)
		return err_wrap(err, "AZURE_CLIENT_CERTIFICATE_PATH");
	read_pem(buf_str(&text), e->certificate_password, key, cert);
	if (!*key)
		read_pkcs12(buf_str(&text), e->certificate_password, key, cert);
	ERR_clear_error();
	if (!*key)
		return err_set(err, ERR_CONFIG, "'%.120s' holds no private key that can be read: check it and AZURE_CLIENT_CERTIFICATE_PASSWORD", e->certificate_path);
	if (!*cert)
		return err_set(err, ERR_CONFIG, "'%.120s' holds no certificate that belongs to its private key", e->certificate_path);
	if (!EVP_PKEY_is_a(*key, "RSA"))
		return err_set(err, ERR_CONFIG, "'%.120s' does not hold an RSA key: the authority takes no other", e->certificate_path);
	return 0;
}

/* --- the assertion ----------------------------------------------------------------------------------------------- */

static char *thumbprint(const X509 *cert, const EVP_MD *md)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	return X509_digest(cert, md, digest, &n) ? base64_encode(BASE64_URL, (str){(const char *)digest, n}) : mem_strdup("");
}

/* The object printed and encoded; takes the reference. */
static char *encoded(json_t *object)
{
	CLEANUP(buf_done) struct buf text = {0};
	json_print(object, JSON_PRINT_COMPACT, &text);
	json_decref(object);
	return base64_encode(BASE64_URL, buf_str(&text));
}

static char *header(const X509 *cert)
{
	CLEANUP(mem_freep) char *sha1 = thumbprint(cert, EVP_sha1());
	CLEANUP(mem_freep) char *sha256 = thumbprint(cert, EVP_sha256());
	return encoded(json_pack("{s:s, s:s, s:s, s:s}", "alg", "RS256", "typ", "JWT", "x5t", sha1, "x5t#S256", sha256));
}

static char *payload(const struct azure_environment *e)
{
	unsigned char id[16];
	if (RAND_bytes(id, sizeof id) != 1)
		return NULL;
	CLEANUP(mem_freep) char *jti = base64_encode(BASE64_URL, (str){(const char *)id, sizeof id});
	CLEANUP(mem_freep) char *audience = token_entra_url(e);
	json_int_t now = clock_wall_s();
	return encoded(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "aud", audience, "iss", e->client_id, "sub", e->client_id, "jti", jti, "nbf", now,
				 "iat", now, "exp", now + ASSERTION_S));
}

static char *sign(EVP_PKEY *key, const char *text)
{
	CLEANUP(md_freep) EVP_MD_CTX *m = EVP_MD_CTX_new();
	size_t len = 0;
	if (!m || EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(m, NULL, &len, (const unsigned char *)text, strlen(text)) != 1)
		return NULL;
	CLEANUP(mem_freep) unsigned char *signature = mem_alloc(len);
	if (EVP_DigestSign(m, signature, &len, (const unsigned char *)text, strlen(text)) != 1)
		return NULL;
	return base64_encode(BASE64_URL, (str){(const char *)signature, len});
}

static char *assertion_of(const struct azure_environment *e, EVP_PKEY *key, const X509 *cert)
{
	CLEANUP(mem_freep) char *head = header(cert);
	CLEANUP(mem_freep) char *body = payload(e);
	CLEANUP(mem_freep) char *text = body ? mem_printf("%s.%s", head, body) : NULL;
	CLEANUP(mem_freep) char *signature = text ? sign(key, text) : NULL;
	return signature ? mem_printf("%s.%s", text, signature) : NULL;
}

static int fetch(const struct token_context *c, struct token_grant *out, struct err *err)
{
	CLEANUP(key_freep) EVP_PKEY *key = NULL;
	CLEANUP(cert_freep) X509 *cert = NULL;
	if (load(c->environment, &key, &cert, err) < 0)
		return -1;
	CLEANUP(token_wipep) char *assertion = assertion_of(c->environment, key, cert);
	if (!assertion)
		return err_set(err, ERR_INTERNAL, "the key of AZURE_CLIENT_CERTIFICATE_PATH cannot sign");
	const struct token_form fields[] = {{"client_assertion_type", TOKEN_ASSERTION_TYPE}, {"client_assertion", assertion}};
	return token_entra_ask(c, fields, 2, assertion, NULL, out, err);
}

const struct token_source TOKEN_CERTIFICATE = {"client-certificate", configured, false, fetch};
