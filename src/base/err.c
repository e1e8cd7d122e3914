/* err.c: the table that maps an error kind to everything the edges need (exit code, HTTP status,
 * Kubernetes reason, retry policy). Nobody else may switch over err_kind. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* To add a kind: one row here, one enumerator in err.h, one line in docs/exit-codes.md.
 * Exit codes: 1 generic, 2 usage, 3..63 ours; 128+n is a signal and 137 an OOM kill, so never used here. */
static const struct err_traits TRAITS[ERR_KIND_COUNT] = {
	[ERR_NONE] = {"none", "Succeeded", 200, ERR_RETRY_NEVER, 0},
	[ERR_INTERNAL] = {"internal", "InternalError", 500, ERR_RETRY_BACKOFF, 1},
	[ERR_USAGE] = {"usage", "InvalidArguments", 400, ERR_RETRY_NEVER, 2},
	[ERR_INVALID] = {"invalid", "InvalidInput", 400, ERR_RETRY_NEVER, 3},
	[ERR_CONFIG] = {"config", "InvalidConfig", 400, ERR_RETRY_NEVER, 4},
	[ERR_DATA] = {"data", "InvalidDataset", 400, ERR_RETRY_NEVER, 5},
	[ERR_MODEL] = {"model", "InvalidModel", 400, ERR_RETRY_NEVER, 6},
	[ERR_LIMIT] = {"limit", "LimitExceeded", 400, ERR_RETRY_NEVER, 7},
	[ERR_NOT_FOUND] = {"not_found", "NotFound", 404, ERR_RETRY_BACKOFF, 8},
	[ERR_EXISTS] = {"exists", "AlreadyExists", 409, ERR_RETRY_NEVER, 9},
	[ERR_BUSY] = {"busy", "Busy", 429, ERR_RETRY_BACKOFF, 10},
	[ERR_DENIED] = {"denied", "AccessDenied", 403, ERR_RETRY_BACKOFF, 11},
	[ERR_IO] = {"io", "FileSystemError", 500, ERR_RETRY_BACKOFF, 12},
	[ERR_NO_SPACE] = {"no_space", "DiskFull", 507, ERR_RETRY_BACKOFF, 13},
	[ERR_NO_MEMORY] = {"no_memory", "OutOfMemory", 503, ERR_RETRY_BACKOFF, 14},
	[ERR_NETWORK] = {"network", "NetworkError", 502, ERR_RETRY_BACKOFF, 15},
	[ERR_TIMEOUT] = {"timeout", "DeadlineExceeded", 504, ERR_RETRY_BACKOFF, 16},
	[ERR_PROTOCOL] = {"protocol", "ProtocolError", 502, ERR_RETRY_BACKOFF, 17},
	[ERR_CANCELLED] = {"cancelled", "Cancelled", 499, ERR_RETRY_NOW, 18},
	[ERR_DIVERGED] = {"diverged", "LossDiverged", 500, ERR_RETRY_NEVER, 19},
	[ERR_UNSUPPORTED] = {"unsupported", "Unsupported", 501, ERR_RETRY_NEVER, 20},
	[ERR_SAVED] = {"saved", "InterruptedAndSaved", 503, ERR_RETRY_NOW, 21},
	[ERR_CONFLICT] = {"conflict", "Conflict", 409, ERR_RETRY_NOW, 22},
	[ERR_GONE] = {"gone", "Gone", 410, ERR_RETRY_NOW, 23},
};

const struct err_traits *err_traits(enum err_kind kind)
{
	assert(kind < ERR_KIND_COUNT);
	return &TRAITS[kind];
}

static void clean(char *message)
{
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
}

__attribute__((format(printf, 4, 0)))
static void set_message(struct err *err, enum err_kind kind, int sys_errno, const char *fmt, va_list ap)
{
	char text[sizeof err->message];
	vsnprintf(text, sizeof text, fmt, ap);
	clean(text);
	err->kind = kind;
	err->sys_errno = sys_errno;
	memcpy(err->message, text, sizeof text);
}

int (err_set)(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	if (!err)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	set_message(err, kind, 0, fmt, ap);
	va_end(ap);
	return -1;
}

static enum err_kind refine(enum err_kind kind, int sys_errno)
{
	if (kind != ERR_IO)
		return kind;
	if (sys_errno == ENOSPC || sys_errno == EDQUOT)
		return ERR_NO_SPACE;
	if (sys_errno == ENOENT)
		return ERR_NOT_FOUND;
	if (sys_errno == EACCES || sys_errno == EPERM)
		return ERR_DENIED;
	return sys_errno == ENOMEM ? ERR_NO_MEMORY : kind;
}

int (err_set_errno)(struct err *err, enum err_kind kind, int sys_errno, const char *fmt, ...)
{
	if (!err)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	set_message(err, refine(kind, sys_errno), sys_errno, fmt, ap);
	va_end(ap);
	size_t used = strlen(err->message);
	char buffer[128];
	snprintf(err->message + used, sizeof err->message - used, ": %s", strerror_r(sys_errno, buffer, sizeof buffer));
	return -1;
}

int (err_wrap)(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -1;
	char text[sizeof err->message];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	clean(text);
	size_t used = strlen(text);
	if (snprintf(text + used, sizeof text - used, ": %s", err->message) < 0) /* truncation is wanted */
		text[used] = 0;
	memcpy(err->message, text, sizeof text);
	return -1;
}
