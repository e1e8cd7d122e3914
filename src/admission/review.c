/* review.c: see review.h. A refusal reads as upstream's: status 400 BadRequest, "validation failed: …"; the API server puts
 * 'admission webhook "…" denied the request: ' before it. */
#include "admission/review.h"

#include "codec/json.h"
#include "crd/crd.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

#define WARNINGS_MAX 32

/* "inference.a: unknown field" -> 'unknown field "inference.a"', as the API server says it. */
static void strict_words(str line, struct buf *out)
{
	static const char UNKNOWN[] = ": unknown field";
	const char *at = memmem(line.data, line.len, UNKNOWN, strlen(UNKNOWN));
	if (!at) {
		buf_put_str(out, line);
		return;
	}
	size_t path = (size_t)(at - line.data), rest = path + strlen(UNKNOWN);
	buf_printf(out, "unknown field \"%.*s\"", STR_FMT(str_sub(line, 0, path)));
	buf_put_str(out, str_sub(line, rest, line.len));
}

size_t review_decode(const char *kind, const char *api_version, const json_t *object, struct buf *out)
{
	struct buf lines = {.max = 4096};
	size_t n = crd_check(kind, api_version, object, &lines);
	str all = str_trim(buf_str(&lines));
	buf_puts(out, n ? "strict decoding error: " : "");
	for (size_t at = 0; n && at <= all.len;) {
		size_t end = str_find(all, '\n', at);
		buf_puts(out, at ? ", " : "");
		strict_words(str_sub(all, at, end), out);
		at = end + 1;
	}
	buf_done(&lines);
	return n;
}

static json_t *warnings_of(const struct buf *lines)
{
	json_t *out = json_array();
	str all = buf_str(lines);
	for (size_t at = 0; at < all.len && json_array_size(out) < WARNINGS_MAX;) {
		size_t end = str_find(all, '\n', at);
		json_array_append_new(out, json_stringn(all.data + at, end - at));
		at = end + 1;
	}
	return out;
}

static json_t *refusal(const char *lead, const struct buf *text)
{
	struct buf message = {0};
	buf_printf(&message, "%s", lead);
	buf_put_str(&message, buf_str(text));
	json_t *status = json_object();
	json_object_set_new(status, "status", json_string("Failure"));
	json_object_set_new(status, "message", json_stringn(buf_str(&message).data, message.len));
	json_object_set_new(status, "reason", json_string("BadRequest"));
	json_object_set_new(status, "code", json_integer(400));
	buf_done(&message);
	return status;
}

static json_t *judge(const struct control_options *o, const struct validate_lookup *lookup, const char *kind, const char *api_version, const json_t *request)
{
	const json_t *object = json_object_get(request, "object"), *old = json_object_get(request, "oldObject");
	struct validate_errors e = {0};
	json_t *response = json_object(), *status = NULL;
	if (!json_is_object(old) && review_decode(kind, api_version, object, &e.text))
		status = refusal("decoding request failed: ", &e.text);
	else
		validate_object(o, lookup, kind, api_version, object, old, &e);
	if (!status && e.count)
		status = refusal("validation failed: ", &e.text);
	json_object_set_new(response, "allowed", json_boolean(!status));
	if (status)
		json_object_set_new(response, "status", status);
	if (e.warnings.len)
		json_object_set_new(response, "warnings", warnings_of(&e.warnings));
	validate_errors_done(&e);
	return response;
}

/* What is not about a spec: deletions, and the status that controllers write. */
static bool nothing_to_check(const json_t *request)
{
	const char *operation = json_text_at(request, "", "operation", NULL);
	return (strcmp(operation, "CREATE") != 0 && strcmp(operation, "UPDATE") != 0) || json_text_at(request, "", "subResource", NULL)[0];
}

int review_answer(const struct control_options *o, const struct validate_lookup *lookup, const char *kind, str body, json_t **out, bool *allowed,
		  struct err *err)
{
	json_t *review = NULL, *response;
	if (json_parse(&review, body, "admission review", err) < 0)
		return -1;
	const json_t *request = json_object_get(review, "request"), *object = json_object_get(request, "object");
	const char *uid = json_text_at(request, "", "uid", NULL), *api_version = json_text_at(object, "", "apiVersion", NULL);
	if (strcmp(json_text_at(review, "", "apiVersion", NULL), "admission.k8s.io/v1") != 0 || !uid[0]) {
		json_decref(review);
		return err_set(err, ERR_INVALID, "the body is not an AdmissionReview of admission.k8s.io/v1");
	}
	if (nothing_to_check(request)) {
		response = json_object();
		json_object_set_new(response, "allowed", json_true());
	} else if (strcmp(json_text_at(object, "", "kind", NULL), kind) != 0 || strncmp(api_version, "kaito.sh/", 9) != 0) {
		err_set(err, ERR_INVALID, "this path checks %s of kaito.sh, not %.60s of %.60s", kind, json_text_at(object, "nothing", "kind", NULL), api_version);
		json_decref(review);
		return -1;
	} else {
		response = judge(o, lookup, kind, api_version, request);
	}
	if (allowed)
		*allowed = json_is_true(json_object_get(response, "allowed"));
	json_object_set_new(response, "uid", json_string(uid));
	*out = json_object();
	json_object_set_new(*out, "apiVersion", json_string("admission.k8s.io/v1"));
	json_object_set_new(*out, "kind", json_string("AdmissionReview"));
	json_object_set_new(*out, "response", response);
	json_decref(review);
	return 0;
}
