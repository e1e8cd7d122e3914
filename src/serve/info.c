/* info.c: the small answers: health, version, and the page at / (or the legacy greeting for clients that ask for JSON). */
#include "serve/page.h"
#include "serve/routes.h"

#ifndef KAITO_VERSION
#define KAITO_VERSION "unknown"
#endif

int serve_health(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply_json(x, 200, json_pack("{s:s}", "status", "Healthy"));
}

int serve_version(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply_json(x, 200, json_pack("{s:s}", "version", KAITO_VERSION));
}

int serve_openapi_document(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply_json(x, 200, serve_openapi(KAITO_VERSION));
}

/* A browser names text/html; curl names anything. */
int serve_page(struct http_exchange *x, struct err *err)
{
	(void)err;
	if (http_accepts(x, "application/json") && !http_accepts(x, "text/html"))
		return http_reply_json(x, 200, json_pack("{s:s}", "message", "Server is running"));
	http_reply_header(x, "Content-Security-Policy",
			  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	http_reply_header(x, "Cache-Control", "no-cache");
	return http_reply(x, 200, "text/html; charset=utf-8", (str){page_html, page_html_len});
}
