/* error.c: errors as OpenAI clients expect them: {"error":{"message","type","param","code"}}. The type follows the HTTP
 * status (vLLM's words); param is the member that a decoding error names at its start ('name': why). */
#include "serve/state.h"

#include "codec/json.h"

struct status_type { int status; const char *type; };
/* To add a status: a row. */
static const struct status_type TYPES[] = {
	{400, "BadRequestError"}, {401, "AuthenticationError"}, {403, "PermissionDeniedError"}, {404, "NotFoundError"},
	{405, "MethodNotAllowedError"}, {409, "ConflictError"}, {413, "RequestTooLargeError"}, {429, "requests"},
	{431, "RequestTooLargeError"}, {499, "RequestCancelledError"}, {501, "NotImplementedError"},
	{503, "ServiceUnavailableError"}, {504, "TimeoutError"},
};

json_t *serve_text(str s)
{
	json_t *v = json_stringn(s.data ? s.data : "", s.len);
	if (v)
		return v;
	CLEANUP(buf_done) struct buf quoted = {.max = SIZE_MAX / 2};
	json_put_string(&quoted, s); /* replaces what is not UTF-8 */
	return json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static const char *type_of(int status)
{
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
		if (TYPES[i].status == status)
			return TYPES[i].type;
	return "InternalServerError";
}

static json_t *make(const char *message, const char *type, str param, json_t *code)
{
	return json_pack("{s:{s:o,s:s,s:o,s:o}}", "error", "message", serve_text(str_of(message)), "type", type, "param",
			 param.len ? serve_text(param) : json_null(), "code", code);
}

static str param_of(const char *message)
{
	const char *end = message[0] == '\'' ? strstr(message, "': ") : NULL;
	return end ? (str){message + 1, (size_t)(end - message) - 1} : (str){0};
}

json_t *error_json(const struct err *err, int status)
{
	return make(err->message, type_of(status), param_of(err->message), json_integer(status));
}

void error_render(const struct err *err, int status, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *value = error_json(err, status);
	json_print(value, JSON_PRINT_COMPACT, out);
}

int error_reply(struct http_exchange *x, int status, const char *type, const char *param, const char *code, const char *message)
{
	json_t *word = code ? json_string(code) : json_integer(status);
	return http_reply_json(x, status, make(message, type ? type : type_of(status), str_of(param), word));
}
