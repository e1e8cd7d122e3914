/* err.h: the one error shape. A fallible function takes `struct err *` last and returns 0, or a
 * negative number with *err set and its outputs untouched. Libraries never log; the edge does, once. */
#pragma once
#include <stddef.h>

#define ERR_MESSAGE_MAX 240

/* To add a kind: add it here and a row to the table in err.c. */
enum err_kind {
	ERR_NONE = 0,
	ERR_INTERNAL,     /* our own bug or an impossible state */
	ERR_USAGE,        /* wrong command line */
	ERR_INVALID,      /* input is malformed or fails validation */
	ERR_CONFIG,       /* a configuration key is unknown, of the wrong type or out of range */
	ERR_DATA,         /* a dataset cannot be read or a row is bad */
	ERR_MODEL,        /* a model, tokenizer or adapter cannot be read or does not fit */
	ERR_LIMIT,        /* a documented limit is exceeded */
	ERR_NOT_FOUND,    /* file, key, tag, route does not exist */
	ERR_EXISTS,       /* would overwrite, or name already taken */
	ERR_BUSY,         /* queue full, port in use, try again */
	ERR_DENIED,       /* credentials missing or refused, address not allowed */
	ERR_IO,           /* local file system */
	ERR_NO_SPACE,     /* disk full */
	ERR_NO_MEMORY,    /* memory plan does not fit */
	ERR_NETWORK,      /* peer unreachable, reset, TLS */
	ERR_TIMEOUT,      /* deadline passed */
	ERR_PROTOCOL,     /* peer answered something the protocol forbids, digest mismatch */
	ERR_CANCELLED,    /* stopped by signal or by the client */
	ERR_DIVERGED,     /* training loss became NaN or infinite */
	ERR_UNSUPPORTED,  /* valid, but this build cannot do it */
	ERR_SAVED,        /* stopped by a signal after saving; the same command continues */
	ERR_CONFLICT,     /* someone else changed the object meanwhile; read it again */
	ERR_GONE,         /* what was asked for is no longer kept (an old resourceVersion) */
	ERR_KIND_COUNT
};

enum err_retry { ERR_RETRY_NEVER, ERR_RETRY_BACKOFF, ERR_RETRY_NOW };

struct err {
	enum err_kind kind;
	int sys_errno;                 /* errno where one was involved, else 0 */
	char message[ERR_MESSAGE_MAX + 1]; /* lower case, no newline, says what to do */
};

struct err_traits {
	const char *name;       /* stable machine word, e.g. "invalid" */
	const char *reason;     /* Kubernetes condition reason */
	int http_status;
	enum err_retry retry;
	int exit_code;          /* process exit code, documented in docs/exit-codes.md */
};

#define ERR_INIT ((struct err){ERR_NONE, 0, {0}})
#define WARN_UNUSED __attribute__((warn_unused_result))

const struct err_traits *err_traits(enum err_kind kind);
/* Set *err (may be NULL) and return -1, so that `return err_set(...)` is the whole error path. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As err_set, with ": strerror(sys_errno)" appended; ENOSPC, ENOENT, EACCES, ENOMEM refine the kind if it is ERR_IO. */
int err_set_errno(struct err *err, enum err_kind kind, int sys_errno, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Prefix "context: " to the message of an error that is already set; keeps the kind; returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The compiler cannot see that these return -1; the macros tell it, so that it knows outputs are set on success. */
#define err_set(...) ({ (void)(err_set)(__VA_ARGS__); -1; })
#define err_set_errno(...) ({ (void)(err_set_errno)(__VA_ARGS__); -1; })
#define err_wrap(...) ({ (void)(err_wrap)(__VA_ARGS__); -1; })
