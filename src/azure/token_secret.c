/* token_secret.c: an application's client secret (AZURE_CLIENT_SECRET). */
#include "azure/token_source.h"

static bool configured(const struct azure_environment *e) { return e->client_secret[0] && e->client_id[0]; }

static int fetch(const struct token_context *c, struct token_grant *out, struct err *err)
{
	const char *secret = c->environment->client_secret;
	return token_entra_ask(c, &(struct token_form){"client_secret", secret}, 1, secret, NULL, out, err);
}

const struct token_source TOKEN_SECRET = {"client-secret", configured, false, fetch};
