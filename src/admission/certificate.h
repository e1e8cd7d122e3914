/* certificate.h: the webhook's certificate: a leaf for the service's names, signed by a CA of its own whose key is thrown away at once, so
 * that nothing else can ever be signed by what the API server trusts. EC P-256, PEM. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct certificate { char *cert_pem, *key_pem, *ca_pem; int64_t not_before, not_after; /* Unix time, of the leaf */ };

/* names[0] is the subject; all of them are DNS names of the certificate. */
WARN_UNUSED int certificate_make(struct certificate *out, const char *const *names, size_t n, int64_t validity_s, struct err *err);
/* Reads a stored set (copied) and checks it: the key belongs to the leaf, the CA signed it, it is for `name`. ERR_INVALID. Expiry is the caller's. */
WARN_UNUSED int certificate_read(struct certificate *out, const char *cert_pem, const char *key_pem, const char *ca_pem, const char *name, struct err *err);
void certificate_done(struct certificate *c);
