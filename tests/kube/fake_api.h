/* fake_api.h: a small API server in the test's own process: any resource, create/read/update/merge-patch/delete, paged
 * lists, watches, and the ways in which a real one fails. Thread-safe. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct fake_api;
struct fake_api *fake_api_new(void);
void fake_api_free(struct fake_api *f);
/* A kubeconfig for it (user with `token`, or none), in a temporary file that fake_api_free removes. */
const char *fake_api_kubeconfig(struct fake_api *f, const char *token);
int fake_api_port(const struct fake_api *f);
/* The server goes away, with all connections, and comes back on the same port. The store stays. */
void fake_api_down(struct fake_api *f);
void fake_api_up(struct fake_api *f);

/* `path` is an object's: "/api/v1/namespaces/a/pods/x". Each change raises the version and reaches the watches. */
void fake_api_put(struct fake_api *f, const char *path, json_t *object); /* takes the reference; creates or replaces */
void fake_api_remove(struct fake_api *f, const char *path);
json_t *fake_api_get(struct fake_api *f, const char *path);              /* new reference, or NULL */

/* Watches from before now, and continue tokens, are answered by 410. */
void fake_api_compact(struct fake_api *f);
/* An event that is not in the store, to the watches of a collection ("/api/v1/pods"; it need not be true or new). Takes object. */
void fake_api_send(struct fake_api *f, const char *collection, const char *type, json_t *object);
/* Ends all watches: in order, or in the middle of a line. */
void fake_api_end_watches(struct fake_api *f, bool abruptly);
/* The next `times` lists say this version and hold only what had been there at it. */
void fake_api_stale_lists(struct fake_api *f, int times, long version);

enum fake_fault { FAKE_ANSWER, FAKE_DROP_BEFORE, FAKE_DROP_AFTER /* carried out, the answer is lost */, FAKE_HANG, FAKE_DROP_BODY /* half of the answer */ };
/* The next `times` requests of this method whose path contains `part`. For FAKE_ANSWER: status, and Retry-After when not NULL. */
void fake_api_fail(struct fake_api *f, const char *method, const char *part, int times, enum fake_fault fault, int status, const char *retry_after);
/* Requests without this Authorization get 401; NULL: all are served. */
void fake_api_require(struct fake_api *f, const char *authorization);
/* Requests seen so far, of this method (NULL: any), whose path contains `part`. */
size_t fake_api_count(struct fake_api *f, const char *method, const char *part);
size_t fake_api_connections(struct fake_api *f); /* accepted so far */
/* The last request of this method: {"path", "type", "body", "agent", "host"}; new reference or NULL. */
json_t *fake_api_last(struct fake_api *f, const char *method);
size_t fake_api_watches(struct fake_api *f); /* open now */
