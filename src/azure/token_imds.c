/* token_imds.c: the managed identity of this machine, from the instance metadata service. It is asked without a proxy, and only the
 * configured endpoint may be a link-local address. */
#include "azure/token_source.h"

#include "base/mem.h"

static bool configured(const struct azure_environment *e) { return e->imds[0]; }

static int fetch(const struct token_context *c, struct token_grant *out, struct err *err)
{
	const struct azure_environment *e = c->environment;
	CLEANUP(mem_freep) char *endpoint = mem_printf("%s/metadata/identity/oauth2/token", e->imds);
	CLEANUP(mem_freep) char *url = token_answer_url(endpoint, "2018-02-01", e, true);
	CLEANUP(token_response_done) struct http_response r = {0};
	if (token_answer_get(c, url, "Metadata: true", NULL, &r, err) < 0)
		return -1;
	if (r.status == 200)
		return token_answer_read(buf_str(&r.body), "the instance metadata service", out, err);
	return token_answer_error(&r, "the instance metadata service",
				  e->client_id[0] ? "assign the identity AZURE_CLIENT_ID to this machine" : "assign a managed identity to this machine, or set AZURE_CLIENT_ID", NULL, err);
}

const struct token_source TOKEN_IMDS = {"managed-identity", configured, true, fetch};
