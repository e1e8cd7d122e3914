/* credentials.h: what Docker, Podman and Kubernetes left on this machine for a registry.
 *
 * Looked at, in this order; the first that knows the registry wins:
 *   $REGISTRY_AUTH_FILE · config.json or .dockerconfigjson in each folder of $DOCKER_CONFIG (separated by ':'), and in
 *   its folders config.d/<name>/ · the same for ~/.docker (unless DOCKER_CONFIG is set) · $XDG_RUNTIME_DIR/containers/auth.json ·
 *   ~/.config/containers/auth.json
 * In a file: credHelpers for the registry, then auths (the longest matching path), then credsStore. */
#pragma once
#include "base/err.h"

struct credentials { char *user, *password, *identity_token; }; /* either the first two or the last */

/* 0 with *out set, 1 when nothing is known, -1 when a file or helper is broken (its name is in the message, its
 * content is not). */
WARN_UNUSED int credentials_find(const char *registry, const char *repository, struct credentials *out, struct err *err);
void credentials_done(struct credentials *c);
/* base64 of "user:password". Caller frees. */
char *credentials_basic(const struct credentials *c);

/* helper.c: "docker-credential-NAME get". Same results as credentials_find; a helper that needs more than 30 s is ended. */
WARN_UNUSED int credentials_from_helper(const char *name, const char *registry, struct credentials *out, struct err *err);
