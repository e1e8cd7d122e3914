/* status.c: see status.h. */
#include "kube/status.h"

#include "codec/json.h"
#include "kube/meta.h"

/* To add a code: a row. The first row that fits counts; a NULL reason fits all. */
static const struct { int code; const char *reason; enum err_kind kind; } KINDS[] = {
	{400, NULL, ERR_INVALID}, {401, NULL, ERR_DENIED}, {403, NULL, ERR_DENIED}, {404, NULL, ERR_NOT_FOUND},
	{409, "AlreadyExists", ERR_EXISTS}, {409, NULL, ERR_CONFLICT}, {410, NULL, ERR_GONE}, {413, NULL, ERR_LIMIT},
	{422, NULL, ERR_INVALID}, {429, NULL, ERR_BUSY},
};

static enum err_kind kind_of(int code, const char *reason)
{
	for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
		if (KINDS[i].code == code && (!KINDS[i].reason || strcmp(KINDS[i].reason, reason) == 0))
			return KINDS[i].kind;
	return ERR_PROTOCOL;
}

int (kube_status_error)(int code, const json_t *status, struct err *err)
{
	const char *message = json_text_at(status, "", "message", NULL), *reason = json_text_at(status, "", "reason", NULL);
	if (!message[0] && !reason[0])
		return err_set(err, kind_of(code, ""), "the API server answered %d", code);
	return err_set(err, kind_of(code, reason), "%s", message[0] ? message : reason);
}

int (kube_body_error)(int code, str body, struct err *err)
{
	CLEANUP(json_decrefp) json_t *status = NULL;
	if (body.len && body.data[0] == '{' && json_parse(&status, body, "status", NULL) == 0)
		return kube_status_error(code, status, err);
	str text = str_trim(body);
	if (!text.len)
		return kube_status_error(code, NULL, err);
	return err_set(err, kind_of(code, ""), "the API server answered %d: %.*s", code, (int)(text.len > 150 ? 150 : text.len), text.data);
}
