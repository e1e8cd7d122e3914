/* The server over TLS, asked by libcurl, which checks the name and the CA as the API server does. */
#include "check_main.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair { char *cert, *key; };

static char *text_of(BIO *b)
{
	char *data = NULL;
	long len = BIO_get_mem_data(b, &data);
	char *out = mem_strndup(data, (size_t)len);
	BIO_free(b);
	return out;
}

/* A self-signed certificate for "name" that is its own CA. */
static struct pair make_pair(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *c = X509_new();
	char alt[80];
	snprintf(alt, sizeof alt, "DNS:%s", name);
	X509_set_version(c, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
	X509_gmtime_adj(X509_getm_notBefore(c), -60);
	X509_gmtime_adj(X509_getm_notAfter(c), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(c, X509_get_subject_name(c));
	X509_set_pubkey(c, key);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
	X509_add_ext(c, e, -1);
	X509_EXTENSION_free(e);
	X509_sign(c, key, EVP_sha256());
	BIO *cert = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(cert, c);
	PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL);
	X509_free(c);
	EVP_PKEY_free(key);
	return (struct pair){text_of(cert), text_of(private)};
}

static void pair_done(struct pair *p)
{
	free(p->cert);
	free(p->key);
}

static int on_echo(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply(x, 200, "text/plain", http_body(x));
}

static const struct http_route ROUTES[] = {{"POST", "/echo", on_echo, 0, NULL}};

static struct http_server *start(const struct pair *p)
{
	struct http_server *s = NULL;
	struct err err = ERR_INIT;
	const struct http_server_options o = {
		.host = "127.0.0.1", .routes = ROUTES, .n_routes = 1, .max_workers = 2, .io_threads = 1, .tls_cert_pem = p->cert, .tls_key_pem = p->key,
	};
	ck_assert_msg(http_server_start(&s, &o, &err) == 0, "%s", err.message);
	return s;
}

static size_t keep(char *data, size_t size, size_t n, void *out)
{
	buf_put(out, data, size * n);
	return size * n;
}

struct asked { CURLcode rc; long connects; char body[64]; };

static void set_ca(CURL *c, const char *ca)
{
	struct curl_blob blob = {(void *)(uintptr_t)ca, strlen(ca), CURL_BLOB_COPY};
	curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
}

static struct asked ask(CURL *c, int port, const char *name, const char *ca)
{
	struct asked out = {0};
	struct buf body = {0};
	char url[128], resolve[128];
	snprintf(url, sizeof url, "https://%s:%d/echo", name, port);
	snprintf(resolve, sizeof resolve, "%s:%d:127.0.0.1", name, port);
	struct curl_slist *hosts = curl_slist_append(NULL, resolve);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_RESOLVE, hosts);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, "hello");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
	set_ca(c, ca);
	out.rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_NUM_CONNECTS, &out.connects);
	snprintf(out.body, sizeof out.body, "%s", buf_str(&body).data);
	buf_done(&body);
	curl_slist_free_all(hosts);
	return out;
}

START_TEST(a_client_that_trusts_the_ca_is_answered_and_others_are_not)
{
	struct pair p = make_pair("svc.ns.svc"), other = make_pair("svc.ns.svc");
	struct http_server *s = start(&p);
	CURL *c = curl_easy_init(), *d = curl_easy_init();
	struct asked a = ask(c, http_server_port(s), "svc.ns.svc", p.cert);
	ck_assert_int_eq(a.rc, CURLE_OK);
	ck_assert_str_eq(a.body, "hello");
	a = ask(c, http_server_port(s), "svc.ns.svc", p.cert);
	ck_assert_int_eq(a.connects, 0); /* kept alive */
	ck_assert_int_eq(ask(d, http_server_port(s), "svc.ns.svc", other.cert).rc, CURLE_PEER_FAILED_VERIFICATION);
	ck_assert_int_eq(ask(d, http_server_port(s), "other.ns.svc", p.cert).rc, CURLE_PEER_FAILED_VERIFICATION);
	curl_easy_cleanup(c);
	curl_easy_cleanup(d);
	http_server_free(s);
	pair_done(&p);
	pair_done(&other);
}
END_TEST

START_TEST(tls_1_1_and_plain_text_are_refused)
{
	struct pair p = make_pair("svc");
	struct http_server *s = start(&p);
	CURL *c = curl_easy_init();
	curl_easy_setopt(c, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0 | (long)CURL_SSLVERSION_MAX_TLSv1_1);
	ck_assert_int_eq(ask(c, http_server_port(s), "svc", p.cert).rc, CURLE_SSL_CONNECT_ERROR);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_2);
	ck_assert_int_eq(ask(c, http_server_port(s), "svc", p.cert).rc, CURLE_OK);
	curl_easy_cleanup(c);

	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(s)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[64] = "";
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	ck_assert_int_gt(send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", 33, 0), 0);
	ck_assert_int_le(recv(fd, answer, 4, MSG_WAITALL), 4);
	ck_assert_int_ne(strncmp(answer, "HTTP", 4), 0);
	close(fd);
	http_server_free(s);
	pair_done(&p);
}
END_TEST

START_TEST(a_new_certificate_is_for_new_connections_and_open_ones_go_on)
{
	struct pair before = make_pair("svc"), after = make_pair("svc");
	struct http_server *s = start(&before);
	struct err err = ERR_INIT;
	CURL *old = curl_easy_init(), *new = curl_easy_init();
	ck_assert_int_eq(ask(old, http_server_port(s), "svc", before.cert).rc, CURLE_OK);
	ck_assert_int_eq(http_server_set_certificate(s, after.cert, after.key, &err), 0);
	struct asked a = ask(old, http_server_port(s), "svc", before.cert);
	ck_assert_int_eq(a.rc, CURLE_OK);
	ck_assert_int_eq(a.connects, 0);
	ck_assert_int_eq(ask(new, http_server_port(s), "svc", before.cert).rc, CURLE_PEER_FAILED_VERIFICATION);
	ck_assert_int_eq(ask(new, http_server_port(s), "svc", after.cert).rc, CURLE_OK);
	curl_easy_cleanup(old);
	curl_easy_cleanup(new);
	http_server_free(s);
	pair_done(&before);
	pair_done(&after);
}
END_TEST

START_TEST(a_pair_that_cannot_work_is_refused_and_the_old_one_stays)
{
	struct pair a = make_pair("svc"), b = make_pair("svc");
	struct http_server *s = start(&a), *none = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_lt(http_server_set_certificate(s, b.cert, a.key, &err), 0);
	ck_assert_str_eq(err.message, "the server's certificate and key do not belong together");
	ck_assert_int_lt(http_server_set_certificate(s, "", a.key, &err), 0);
	ck_assert_int_lt(http_server_set_certificate(s, a.cert, a.cert, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	CURL *c = curl_easy_init();
	ck_assert_int_eq(ask(c, http_server_port(s), "svc", a.cert).rc, CURLE_OK);
	curl_easy_cleanup(c);
	http_server_free(s);
	const struct http_server_options o = {.host = "127.0.0.1", .routes = ROUTES, .n_routes = 1, .tls_cert_pem = a.cert, .tls_key_pem = b.key};
	ck_assert_int_lt(http_server_start(&none, &o, &err), 0);
	ck_assert_ptr_null(none);
	pair_done(&a);
	pair_done(&b);
}
END_TEST

struct swapping { struct http_server *server; const struct pair *pairs; atomic_bool stop; int count; };

static void *swap_certificates(void *context)
{
	struct swapping *w = context;
	struct err err = ERR_INIT;
	for (; !atomic_load(&w->stop); w->count++)
		ck_assert_int_eq(http_server_set_certificate(w->server, w->pairs[w->count & 1].cert, w->pairs[w->count & 1].key, &err), 0);
	return NULL;
}

START_TEST(handshakes_go_on_while_certificates_change)
{
	struct pair pairs[2] = {make_pair("svc"), make_pair("svc")};
	struct http_server *s = start(&pairs[0]);
	struct swapping w = {.server = s, .pairs = pairs};
	pthread_t thread;
	char *both = mem_printf("%s%s", pairs[0].cert, pairs[1].cert);
	ck_assert_int_eq(pthread_create(&thread, NULL, swap_certificates, &w), 0);
	for (int i = 0; i < 40; i++) {
		CURL *c = curl_easy_init();
		ck_assert_int_eq(ask(c, http_server_port(s), "svc", both).rc, CURLE_OK);
		curl_easy_cleanup(c);
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	ck_assert_int_gt(w.count, 0);
	free(both);
	http_server_free(s);
	pair_done(&pairs[0]);
	pair_done(&pairs[1]);
}
END_TEST

int main(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	CHECK_RUN("tls", 30, a_client_that_trusts_the_ca_is_answered_and_others_are_not, tls_1_1_and_plain_text_are_refused,
		  a_new_certificate_is_for_new_connections_and_open_ones_go_on, a_pair_that_cannot_work_is_refused_and_the_old_one_stays,
		  handshakes_go_on_while_certificates_change);
}
