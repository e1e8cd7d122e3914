/* request.h: one request to the API server with what every request needs: the rate limit, credentials, retries, metrics.
 * Private to kube/. */
#pragma once
#include "kube/client.h"
#include "kube/credentials.h"
#include "kube/token_bucket.h"
#include <pthread.h>

enum { KUBE_BUCKETS = 32 };
struct kube_bucket { char resource[48]; struct token_bucket tokens; };
struct kube_client {
	struct kube_config config;
	struct kube_credentials *credentials;
	struct http_client *http;
	struct kube_options options;
	char *user_agent;
	pthread_mutex_t mu;          /* guards the buckets */
	size_t n_buckets;
	/* By resource, in order of first use, as controller-runtime's clients have a limit for each kind; past 32 the last one is shared. */
	struct kube_bucket buckets[KUBE_BUCKETS];
};

struct kube_request {
	const char *method, *path;   /* path with query */
	const char *content_type;    /* of body; NULL: none */
	str body;
	http_sink *sink;             /* gets 2xx bodies; NULL: they are collected */
	void *context;
	size_t body_max;             /* 0: LIMIT_KUBE_OBJECT_BYTES */
	int64_t stall_ms;            /* 0: 60 s */
	size_t buffer_bytes;         /* 0: the client's */
	const atomic_bool *cancel;   /* besides the client's */
	bool repeatable;             /* sent twice it does no harm, or the caller can tell */
	bool once;                   /* no retries: the caller has its own */
	bool detached;               /* the client's cancel does not end it */
	bool urgent;                 /* does not wait for the rate limit; the client's until_ms does not concern it */
};
/* What is known of a request beyond its answer. */
struct kube_sent {
	bool maybe_before;           /* an earlier try may have been carried out */
	bool delivered;              /* the sink got bytes */
};

/* 0: a 2xx answer, whose collected body is in *body. */
WARN_UNUSED int kube_request_send(struct kube_client *c, const struct kube_request *q, struct buf *body, struct kube_sent *sent, struct err *err);
/* As above, body parsed when out is not NULL. */
WARN_UNUSED int kube_request_object(struct kube_client *c, const struct kube_request *q, json_t **out, struct kube_sent *sent, struct err *err);
/* "/apis/apps/v1/namespaces/NS/statefulsets/NAME/status"; name and subresource may be NULL. Caller frees. */
char *kube_path(const struct kube_resource *r, const char *namespace_, const char *name, const char *subresource);
/* Appends ?key=value or &key=value, escaped; value NULL or empty: nothing. */
void kube_path_query(struct buf *path, const char *key, const char *value);
/* Fills in kind and apiVersion, which members of lists lack. */
void kube_name_kind(const struct kube_resource *r, json_t *object);
