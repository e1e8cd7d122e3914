/* client.h: a Kubernetes API client for JSON objects. One client per process, shared by threads (guarded by its own mutex).
 *
 * Requests wait for the client-side rate limit (a token bucket for each resource, as in controller-runtime), are retried on connection
 * errors and on 429/503 with Retry-After when they can be repeated safely, and carry the credentials of the kubeconfig or of the
 * pod (the token file is read again when it changes; exec plug-ins are run again when their answer expires or on 401).
 *
 * Errors: ERR_NOT_FOUND 404, ERR_EXISTS 409 AlreadyExists, ERR_CONFLICT other 409, ERR_GONE 410, ERR_DENIED 401/403,
 * ERR_INVALID 400/422, ERR_BUSY 429, ERR_NETWORK, ERR_TIMEOUT, ERR_PROTOCOL 5xx or an answer that is not an object. The message
 * is the API server's own text. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "kube/resource.h"
#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

struct kube_options { /* zero: the default in parentheses */
	const char *kubeconfig;   /* path; NULL: $KUBECONFIG, then in-cluster, then ~/.kube/config */
	const char *context;      /* (the file's current-context) */
	double qps;               /* (30) */
	int burst;                /* (50) */
	const char *user_agent;   /* ("kaito") */
	const atomic_bool *cancel; /* borrowed for the client's life; ends waits and requests */
	const atomic_int_fast64_t *until_ms; /* borrowed; as http_options.until_ms: nothing is changed from then on, but the lease itself */
	/* Told after every answer, for metrics: verb ("GET"), HTTP status (0: none). Any thread. NULL: none. */
	void (*on_request)(void *context, const char *method, int status);
	void *context_for_on_request;
};
struct kube_client;
WARN_UNUSED int kube_client_open(struct kube_client **out, const struct kube_options *options, struct err *err);
void kube_client_close(struct kube_client *c);
static inline void kube_client_closep(struct kube_client **c) { kube_client_close(*c); }
/* Waits that long; ERR_CANCELLED as soon as the client's cancel is set. */
WARN_UNUSED int kube_client_pause(const struct kube_client *c, int64_t ms, struct err *err);
const char *kube_client_namespace(const struct kube_client *c); /* the context's or the pod's; "default" */

/* namespace_ NULL: cluster scope, or all namespaces in a list. *out is a new reference; out may be NULL where it is not needed. */
WARN_UNUSED int kube_get(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *name, json_t **out, struct err *err);

struct kube_list_options {
	const char *label_selector, *field_selector;
	int64_t page;                /* limit per request; 0: 500 */
	const char *resource_version; /* NULL: consistent read */
};
/* Calls item for each object (a new reference that the callee owns) page by page; *version gets the list's resourceVersion (caller
 * frees; may be NULL). A 410 in the middle starts again: restart is called first when not NULL. */
WARN_UNUSED int kube_list(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const struct kube_list_options *options,
			  void (*item)(void *context, json_t *object), void (*restart)(void *context), void *context, char **version, struct err *err);
WARN_UNUSED int kube_list_array(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *label_selector, json_t **out, struct err *err);

WARN_UNUSED int kube_create(struct kube_client *c, const struct kube_resource *r, const json_t *object, json_t **out, struct err *err);
/* POST of object to a subresource that its metadata names, "eviction" of a pod. Tried once, as 429 is an answer there; a lost connection may
 * send it twice, so it carries the uid as a precondition. */
WARN_UNUSED int kube_create_subresource(struct kube_client *c, const struct kube_resource *r, const char *subresource, const json_t *object, struct err *err);
/* PUT of object, optimistic on its resourceVersion. subresource NULL, "status", "scale". */
WARN_UNUSED int kube_update(struct kube_client *c, const struct kube_resource *r, const char *subresource, const json_t *object, json_t **out, struct err *err);
enum kube_patch_type { KUBE_PATCH_JSON, KUBE_PATCH_MERGE, KUBE_PATCH_STRATEGIC, KUBE_PATCH_APPLY /* field manager "kaito", forced */ };
WARN_UNUSED int kube_patch(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *name, const char *subresource,
			   enum kube_patch_type type, const json_t *body, json_t **out, struct err *err);
struct kube_delete_options { const char *uid, *resource_version, *propagation; /* "Foreground" | "Background" | "Orphan" */ int64_t grace_s; /* -1: none given */ };
/* options may be NULL. */
WARN_UNUSED int kube_delete(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *name,
			    const struct kube_delete_options *options, struct err *err);
/* Any path; the body as text, at most max bytes (ERR_LIMIT past it). For pods/log and version. */
WARN_UNUSED int kube_get_text(struct kube_client *c, const char *path, size_t max, struct buf *out, struct err *err);

/* One watch: returns 0 when the server closed it in order or the idle time-out passed, ERR_GONE when `version` is too old, else the error.
 * on_event: type "ADDED", "MODIFIED", "DELETED", "BOOKMARK"; object is borrowed. */
struct kube_watch_options { const char *label_selector, *field_selector, *version; int64_t idle_ms; /* without a byte; 0: 5 minutes */ const atomic_bool *cancel; };
WARN_UNUSED int kube_watch(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const struct kube_watch_options *options,
			   void (*on_event)(void *context, const char *type, json_t *object), void *context, struct err *err);
