/* token_workload_identity.c: a pod's projected service account token, exchanged for an Azure token by a federated identity credential. The
 * kubelet replaces the file before its token expires, so it is read anew each time. */
#include "azure/token_source.h"

#include "base/fd.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "codec/json.h"

static bool configured(const struct azure_environment *e) { return e->federated_token_file[0] && e->client_id[0]; }

/* The subject inside the assertion, which is no secret: what the federated credential must name. NULL: none. */
static char *subject_of(str assertion)
{
	size_t first = str_find(assertion, '.', 0), second = first < assertion.len ? str_find(assertion, '.', first + 1) : assertion.len, len = 0;
	if (second >= assertion.len)
		return NULL;
	CLEANUP(mem_freep) char *payload = NULL;
	CLEANUP(json_decrefp) json_t *claims = NULL;
	struct err ignored;
	if (base64_decode(BASE64_ANY, str_sub(assertion, first + 1, second), &payload, &len, NULL) < 0 ||
	    json_parse_with(&claims, (str){payload, len}, "assertion", &(struct json_rules){.max_depth = 16}, &ignored) < 0)
		return NULL;
	const char *subject = json_string_value(json_object_get(claims, "sub"));
	return subject ? mem_printf("%.120s", subject) : NULL;
}

static int fetch(const struct token_context *c, struct token_grant *out, struct err *err)
{
	const char *path = c->environment->federated_token_file;
	CLEANUP(token_wipe_buf) struct buf text = {0};
	if (!fd_exists(path))
		return err_set(err, ERR_NOT_FOUND, "there is no '%.80s': give the pod the label azure.workload.identity/use: \"true\" and its service account "
			       "the annotation azure.workload.identity/client-id", path);
	if (fd_read_file(path, LIMIT_ARM_CREDENTIAL_BYTES, &text, err) < 0)
		return err_wrap(err, "AZURE_FEDERATED_TOKEN_FILE");
	str assertion = str_trim(buf_str(&text));
	if (!assertion.len)
		return err_set(err, ERR_BUSY, "'%.150s' is empty: waiting for the kubelet to write it", path);
	CLEANUP(token_wipep) char *jwt = mem_strndup(assertion.data, assertion.len);
	CLEANUP(mem_freep) char *subject = subject_of(assertion);
	const struct token_form fields[] = {{"client_assertion_type", TOKEN_ASSERTION_TYPE}, {"client_assertion", jwt}};
	return token_entra_ask(c, fields, 2, jwt, subject, out, err);
}

const struct token_source TOKEN_WORKLOAD_IDENTITY = {"workload-identity", configured, false, fetch};
