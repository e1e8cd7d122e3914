/* tls.c: the server's certificate, which may be replaced while it runs. Each handshake gets its own copy of the pair, made under the lock
 * and freed by the library, so that a replacement never touches a handshake under way; open connections go on with what they have. */
#include "http/exchange.h"

#include <gnutls/abstract.h>

#define CHAIN_MAX 4

struct http_tls { pthread_mutex_t mu; char *cert, *key; /* PEM, guarded by mu */ };

static gnutls_datum_t datum(const char *pem) { return (gnutls_datum_t){(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)}; }

/* --- reading the pair ---------------------------------------------------------------------------------------- */

static void chain_free(gnutls_pcert_st *chain, unsigned n)
{
	for (unsigned i = 0; chain && i < n; i++)
		gnutls_pcert_deinit(&chain[i]);
	gnutls_free(chain);
}

/* Memory of the library, as it frees it after a handshake. NULL: not a certificate. */
static gnutls_pcert_st *chain_new(const char *pem, unsigned *n)
{
	gnutls_pcert_st *chain = gnutls_calloc(CHAIN_MAX, sizeof *chain);
	gnutls_datum_t text = datum(pem);
	*n = CHAIN_MAX;
	if (chain && gnutls_pcert_list_import_x509_raw(chain, n, &text, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED) == 0 && *n > 0)
		return chain;
	gnutls_free(chain);
	return NULL;
}

static gnutls_privkey_t key_new(const char *pem)
{
	gnutls_privkey_t key = NULL;
	gnutls_datum_t text = datum(pem);
	if (gnutls_privkey_init(&key) == 0 && gnutls_privkey_import_x509_raw(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0) == 0)
		return key;
	if (key)
		gnutls_privkey_deinit(key);
	return NULL;
}

static bool belong_together(const gnutls_pcert_st *leaf, gnutls_privkey_t key)
{
	gnutls_pubkey_t public = NULL;
	unsigned char a[64], b[64];
	size_t a_len = sizeof a, b_len = sizeof b;
	bool same = gnutls_pubkey_init(&public) == 0 && gnutls_pubkey_import_privkey(public, key, 0, 0) == 0 &&
		    gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, a, &a_len) == 0 &&
		    gnutls_pubkey_get_key_id(leaf->pubkey, GNUTLS_KEYID_USE_SHA256, b, &b_len) == 0 && a_len == b_len && memcmp(a, b, a_len) == 0;
	if (public)
		gnutls_pubkey_deinit(public);
	return same;
}

static int check_pair(const char *cert, const char *key, struct err *err)
{
	unsigned n = 0;
	gnutls_pcert_st *chain = chain_new(cert, &n);
	gnutls_privkey_t private = key_new(key);
	int rc = 0;
	if (!chain)
		rc = err_set(err, ERR_INVALID, "the server's certificate is not a PEM certificate");
	else if (!private)
		rc = err_set(err, ERR_INVALID, "the server's key is not a PEM private key");
	else if (!belong_together(chain, private))
		rc = err_set(err, ERR_INVALID, "the server's certificate and key do not belong together");
	chain_free(chain, n);
	if (private)
		gnutls_privkey_deinit(private);
	return rc;
}

/* --- the server's part --------------------------------------------------------------------------------------- */

/* On an I/O thread, once per handshake. */
static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *n, gnutls_ocsp_data_st **ocsp,
		    unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
	(void)info;
	struct MHD_Connection *conn = gnutls_session_get_ptr(session);
	const union MHD_ConnectionInfo *state = conn ? MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT) : NULL;
	const struct http_peer *peer = state ? state->socket_context : NULL;
	if (!peer)
		return -1;
	struct http_tls *tls = peer->server->tls;
	pthread_mutex_lock(&tls->mu);
	*certs = chain_new(tls->cert, n);
	*key = key_new(tls->key);
	pthread_mutex_unlock(&tls->mu);
	*ocsp = NULL;
	*n_ocsp = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return *certs && *key ? 0 : -1;
}

int tls_start(struct http_server *s, struct err *err)
{
	if (!s->o.tls_cert_pem)
		return 0;
	if (check_pair(s->o.tls_cert_pem, s->o.tls_key_pem, err) < 0)
		return -1;
	s->tls = mem_alloc(sizeof *s->tls);
	pthread_mutex_init(&s->tls->mu, NULL);
	s->tls->cert = mem_strdup(s->o.tls_cert_pem);
	s->tls->key = mem_strdup(s->o.tls_key_pem);
	s->o.tls_cert_pem = s->o.tls_key_pem = NULL; /* the caller's */
	return 0;
}

void tls_options(const struct http_server *s, struct MHD_OptionItem out[3])
{
	size_t n = 0;
	if (s->tls) {
		out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
		out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)retrieve};
	}
	out[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static void tls_wipe(char *pem)
{
	if (pem)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}

void tls_stop(struct http_server *s)
{
	if (!s->tls)
		return;
	pthread_mutex_destroy(&s->tls->mu);
	free(s->tls->cert);
	tls_wipe(s->tls->key);
	free(s->tls);
	s->tls = NULL;
}

int http_server_set_certificate(struct http_server *s, const char *cert_pem, const char *key_pem, struct err *err)
{
	if (!s->tls)
		return err_set(err, ERR_USAGE, "the server does not speak TLS");
	if (check_pair(cert_pem, key_pem, err) < 0)
		return -1;
	char *cert = mem_strdup(cert_pem), *key = mem_strdup(key_pem), *old_cert, *old_key;
	pthread_mutex_lock(&s->tls->mu);
	old_cert = s->tls->cert;
	old_key = s->tls->key;
	s->tls->cert = cert;
	s->tls->key = key;
	pthread_mutex_unlock(&s->tls->mu);
	free(old_cert);
	tls_wipe(old_key);
	return 0;
}
