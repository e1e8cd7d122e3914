/* client.h: HTTP requests over libcurl, with what it leaves to its caller: redirects one by one under an address
 * policy, retries with back-off, cancellation, and errors that never carry a secret.
 *
 * A client is shared by threads; a request and its response belong to one. TLS is verified unless a request's http_tls says
 * otherwise; the authorities are that one's, or the system's, or those in the file named by $KAITO_CA_FILE,
 * $CURL_CA_BUNDLE or $SSL_CERT_FILE. Proxies are taken from
 * the environment as curl does. Behind a proxy the target's name is resolved there, so only literal addresses can be
 * checked here. */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "http/address.h"
#include "http/retry.h"

struct http_options { /* zero: the default in parentheses */
	enum address_reach reach;    /* where requests may connect (public) */
	int64_t connect_ms;          /* until connected, TLS included (15 s) */
	int64_t stall_s;             /* seconds without a byte in either direction (60) */
	struct retry_policy retry;   /* (5 tries, 500 ms doubled up to 30 s) */
	const char *ca_file;         /* (see above) */
	const char *proxy;           /* (the environment's); "" for none; borrowed for the client's life */
	const char *user_agent;      /* ("kaito"); borrowed for the client's life */
	size_t buffer_bytes;         /* of a transfer under way, in each direction (256 KiB; at least 16 KiB) */
	bool direct;                 /* small requests that are sent once, over http1 (direct.h): half the cost */
	bool http1;                  /* no HTTP/2: one request at a time on a connection, with less memory */
	const atomic_bool *cancel;   /* borrowed for the client's life */
	/* From this moment of clock_now_ms on nothing is sent but GET and HEAD: the lease under which this process may change things ends then.
	 * 0: no limit; NULL: none ever. Borrowed for the client's life. */
	const atomic_int_fast64_t *until_ms;
};

struct http_client; /* guarded by its own mutex */
struct http_client *http_client_new(const struct http_options *options);
void http_client_free(struct http_client *c);
static inline void http_client_freep(struct http_client **c) { http_client_free(*c); }
const struct http_options *http_client_options(const struct http_client *c);

struct http_response {
	int status;
	char *url;              /* the last URL asked, after redirects */
	struct map headers;     /* lower-case name -> char *value; of a repeated one the last
	                         * (of www-authenticate all, joined by commas) */
	struct buf body;        /* everything that did not go to the sink */
	bool private_peer;      /* the first hop's peer has a private address */
	bool reconnected;       /* a kept connection was replaced for it: a repeatable request may have been sent on the old one too */
};
void http_response_done(struct http_response *r);
const char *http_response_header(const struct http_response *r, const char *lower_case_name); /* NULL when absent */

/* Gets the body of a 2xx answer piece by piece, `head` being complete. A negative return ends the request with *err. */
typedef int http_sink(void *context, const struct http_response *head, const void *data, size_t len, struct err *err);

/* Bytes to send: memory, or a range of a file (read with pread, so it can be sent again). */
struct http_body { const void *data; int fd; uint64_t offset, len; bool from_file; };

/* Whom to trust and who we are, as PEM text in memory; empty: as the client. Borrowed for the request. */
struct http_tls {
	str ca, cert, key;
	const char *server_name;     /* asked for and verified instead of the URL's host */
	bool insecure;               /* nothing is verified */
};

struct http_request {
	const char *method;             /* "GET" */
	const char *url;
	const char *const *headers;     /* "Name: value"; NULL-terminated; may be NULL */
	const char *authorization;      /* value of the Authorization header; not sent on to another host; never printed */
	struct http_body body;
	http_sink *sink;                /* NULL: the body is collected in the response */
	void (*sent)(void *context, uint64_t bytes); /* progress of the body on its way up; may be NULL */
	void *context;                  /* for sink and sent */
	size_t body_max;                /* ceiling of the collected body (1 MiB); past it ERR_LIMIT, for an error status it is cut */
	const atomic_bool *cancel;      /* besides the client's; may be NULL */
	bool detached;                  /* the client's cancel does not end it: for farewells */
	bool any_time;                  /* the client's until_ms does not concern it */
	const struct http_tls *tls;     /* may be NULL */
	int64_t stall_ms;               /* instead of the client's stall_s */
	int64_t total_ms;               /* with `once`: until the answer is complete; 0: as long as bytes move */
	size_t buffer_bytes;            /* of what arrives, instead of the client's; at least 1 KiB */
	bool repeatable;                /* with `once`: libcurl may send it again when a connection kept open turns out to be dead */
	bool once;                      /* do not retry here: the caller knows better what can be repeated */
	bool no_redirect;               /* hand 3xx back */
	bool trust_host;                /* the URL's own host may be private, and then its redirects too */
};

/* 0 with any HTTP status in *out (http_response_done is the caller's), -1 when there was no answer. *out must be zeroed. */
WARN_UNUSED int http_client_send(struct http_client *c, const struct http_request *request, struct http_response *out, struct err *err);
/* The error for a status that the caller did not expect; `doing` starts the message ("GET https://host/path"). */
int http_status_error(int status, const char *doing, struct err *err);
/* "https://user:pw@host/a?sig=x#y" -> "https://host/a?…": fit for messages. Caller frees. */
char *http_redact_url(const char *url);
/* The absolute http or https URL that a Location header names, or NULL. Caller frees. */
char *http_url_resolve(const char *base, const char *location);
/* Whether scheme, host and port are the same. */
bool http_same_origin(const char *a, const char *b);
/* "https" and "host" of a URL; false when it cannot be parsed. Either may be NULL; results are freed by the caller. */
bool http_url_parts(const char *url, char **scheme, char **host);
