/* webhook_secret.c: see webhook_secret.h. */
#include "admission/webhook_secret.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "kube/meta.h"
#include <string.h>

#define TRIES 8
#define PEM_MAX ((size_t)64 << 10)
#define KEY_SERVER_KEY "server-key.pem"
#define KEY_SERVER_CERT "server-cert.pem"
#define KEY_CA "ca-cert.pem"
#define KEY_OLD_CA "previous-ca-cert.pem" /* ours: trusted along with the new one after a rotation */

/* The decoded member of data, or "" (caller frees). */
static char *read_key(const json_t *secret, const char *key)
{
	const char *text = json_text_at(secret, "", "data", key, NULL);
	char *out = NULL;
	size_t len = 0;
	if (strlen(text) > PEM_MAX || base64_decode(BASE64_STANDARD, str_of(text), &out, &len, NULL) < 0)
		return mem_strdup("");
	return out;
}

static void write_key(json_t *secret, const char *key, const char *text)
{
	CLEANUP(mem_freep) char *encoded = base64_encode(BASE64_STANDARD, str_of(text));
	json_t *data = json_object_get(secret, "data");
	if (!json_is_object(data)) {
		data = json_object();
		json_object_set_new(secret, "data", data);
	}
	json_object_set_new(data, key, json_string(encoded));
}

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}

/* 0 when the Secret holds a certificate that works and lasts. */
static int read_certificate(const json_t *secret, const struct webhook_secret_options *o, struct certificate *out, struct err *err)
{
	CLEANUP(mem_freep) char *cert = read_key(secret, KEY_SERVER_CERT);
	CLEANUP(mem_freep) char *ca = read_key(secret, KEY_CA);
	CLEANUP(wipe) char *key = read_key(secret, KEY_SERVER_KEY);
	int64_t now = clock_wall_s();
	if (certificate_read(out, cert, key, ca, o->hosts[0], err) < 0)
		return -1;
	if (out->not_after - now > o->renew_before_s && out->not_before <= now)
		return 0;
	certificate_done(out);
	return err_set(err, ERR_GONE, "the certificate is about to expire");
}

static char *bundle_of(const json_t *secret, const struct certificate *c)
{
	CLEANUP(mem_freep) char *old = read_key(secret, KEY_OLD_CA);
	return mem_printf("%s%s", c->ca_pem, strcmp(old, c->ca_pem) == 0 ? "" : old);
}

/* Stores a new certificate: ERR_CONFLICT or ERR_EXISTS when another replica was faster. */
static int renew(struct kube_client *kube, const struct webhook_secret_options *o, json_t *secret, bool exists, struct err *err)
{
	struct certificate c = {0};
	CLEANUP(mem_freep) char *old_ca = read_key(secret, KEY_CA);
	if (certificate_make(&c, o->hosts, o->n_hosts, o->validity_s, err) < 0)
		return -1;
	write_key(secret, KEY_SERVER_KEY, c.key_pem);
	write_key(secret, KEY_SERVER_CERT, c.cert_pem);
	write_key(secret, KEY_CA, c.ca_pem);
	write_key(secret, KEY_OLD_CA, old_ca);
	certificate_done(&c);
	int rc = exists ? kube_update(kube, &KUBE_SECRETS, NULL, secret, NULL, err) : kube_create(kube, &KUBE_SECRETS, secret, NULL, err);
	return rc < 0 ? err_wrap(err, "store the webhook's certificate in Secret %s/%s", o->namespace_, o->name) : 0;
}

/* 0 read, 1 renewed (or somebody else did): read again. */
static int try_once(struct kube_client *kube, const struct webhook_secret_options *o, struct webhook_secret *out, struct err *err)
{
	json_t *secret = NULL;
	bool exists = kube_get(kube, &KUBE_SECRETS, o->namespace_, o->name, &secret, err) == 0;
	if (!exists && err->kind != ERR_NOT_FOUND)
		return err_wrap(err, "read the webhook's certificate from Secret %s/%s", o->namespace_, o->name);
	if (!exists)
		secret = meta_new(&KUBE_SECRETS, o->namespace_, o->name);
	int rc = 1;
	if (read_certificate(secret, o, &out->certificate, err) == 0) {
		out->bundle = bundle_of(secret, &out->certificate);
		rc = 0;
	} else if (renew(kube, o, secret, exists, err) < 0 && err->kind != ERR_CONFLICT && err->kind != ERR_EXISTS) {
		rc = -1;
	}
	json_decref(secret);
	return rc;
}

int webhook_secret_ensure(struct kube_client *kube, const struct webhook_secret_options *o, struct webhook_secret *out, struct err *err)
{
	*out = (struct webhook_secret){0};
	for (int i = 0; i < TRIES; i++) {
		int rc = try_once(kube, o, out, err);
		if (rc <= 0)
			return rc;
	}
	return err_set(err, ERR_CONFLICT, "Secret %s/%s keeps changing, or holds a certificate that expires at once", o->namespace_, o->name);
}

void webhook_secret_done(struct webhook_secret *s)
{
	certificate_done(&s->certificate);
	free(s->bundle);
	*s = (struct webhook_secret){0};
}
