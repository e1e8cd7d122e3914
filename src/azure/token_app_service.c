/* token_app_service.c: the identity endpoint of App Service and of services that copy it (IDENTITY_ENDPOINT with IDENTITY_HEADER). */
#include "azure/token_source.h"

#include "base/mem.h"

static bool configured(const struct azure_environment *e) { return e->identity_endpoint[0] && e->identity_header[0] && !e->arc_endpoint[0]; }

static int fetch(const struct token_context *c, struct token_grant *out, struct err *err)
{
	const struct azure_environment *e = c->environment;
	CLEANUP(mem_freep) char *url = token_answer_url(e->identity_endpoint, "2019-08-01", e, true);
	CLEANUP(token_wipep) char *header = mem_printf("X-IDENTITY-HEADER: %s", e->identity_header);
	CLEANUP(token_response_done) struct http_response r = {0};
	if (token_answer_get(c, url, header, NULL, &r, err) < 0)
		return -1;
	if (r.status == 200)
		return token_answer_read(buf_str(&r.body), "the identity endpoint", out, err);
	return token_answer_error(&r, "the identity endpoint", "check IDENTITY_HEADER, and that the identity AZURE_CLIENT_ID is assigned", e->identity_header, err);
}

const struct token_source TOKEN_APP_SERVICE = {"app-service", configured, true, fetch};
