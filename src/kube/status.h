/* status.h: the API server's refusals (metav1.Status) as errors. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>

/* code: the HTTP status. The message is the Status' own; status may be anything or NULL. */
int kube_status_error(int code, const json_t *status, struct err *err);
/* As above, from the body of an answer, which may be cut or not be JSON at all. */
int kube_body_error(int code, str body, struct err *err);
#define kube_status_error(...) ({ (void)(kube_status_error)(__VA_ARGS__); -1; })
#define kube_body_error(...) ({ (void)(kube_body_error)(__VA_ARGS__); -1; })
