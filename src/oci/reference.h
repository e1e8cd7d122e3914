/* reference.h: the name of an image, "[REGISTRY/]REPOSITORY[:TAG][@DIGEST]", with Docker's defaults: registry docker.io,
 * there the repository prefix "library/", tag "latest" when neither tag nor digest is given. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct reference {
	char *registry;    /* "docker.io", "localhost:5000", "[::1]:5000" */
	char *repository;  /* "library/busybox" */
	char *tag;         /* NULL when only a digest is given */
	char *digest;      /* "sha256:…" or NULL */
};

/* ERR_INVALID says which part is wrong and why; *out is untouched then. reference_done is the caller's. */
WARN_UNUSED int reference_parse(str text, struct reference *out, struct err *err);
void reference_done(struct reference *r);
/* Whole and canonical: "docker.io/library/busybox:latest". Caller frees. */
char *reference_format(const struct reference *r);
/* What goes into a manifest URL: the digest, else the tag. Borrowed. */
static inline const char *reference_target(const struct reference *r) { return r->digest ? r->digest : r->tag; }
/* The host that serves the registry's API: registry-1.docker.io for docker.io. Borrowed. */
const char *reference_api_host(const struct reference *r);
bool reference_is_loopback(const struct reference *r);
