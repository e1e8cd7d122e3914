/* url.c: the few questions about URLs that client.h answers, over libcurl's parser so that what is checked is what is
 * asked. */
#include "http/client.h"

#include <curl/curl.h>

static void free_url(CURLU **u) { curl_url_cleanup(*u); }

static char *part(CURLU *u, CURLUPart what)
{
	char *value = NULL;
	if (curl_url_get(u, what, &value, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return NULL;
	char *copy = mem_strdup(value);
	curl_free(value);
	return copy;
}

char *http_redact_url(const char *url)
{
	CLEANUP(free_url) CURLU *u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return mem_strdup("(unreadable URL)");
	bool had_query = strchr(url, '?') != NULL;
	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(u, CURLUPART_QUERY, NULL, 0);
	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	char *value = NULL;
	if (curl_url_get(u, CURLUPART_URL, &value, 0) != CURLUE_OK)
		return mem_strdup("(unreadable URL)");
	char *copy = mem_printf("%.150s%s", value, had_query ? "?…" : "");
	curl_free(value);
	return copy;
}

bool http_url_parts(const char *url, char **scheme, char **host)
{
	CLEANUP(free_url) CURLU *u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
		return false;
	if (scheme)
		*scheme = part(u, CURLUPART_SCHEME);
	if (host)
		*host = part(u, CURLUPART_HOST);
	return true;
}

char *http_url_resolve(const char *base, const char *location)
{
	CLEANUP(free_url) CURLU *u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, base, 0) != CURLUE_OK || curl_url_set(u, CURLUPART_URL, location, 0) != CURLUE_OK)
		return NULL;
	CLEANUP(mem_freep) char *scheme = part(u, CURLUPART_SCHEME);
	char *value = NULL;
	if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) || curl_url_get(u, CURLUPART_URL, &value, 0) != CURLUE_OK)
		return NULL;
	char *copy = mem_strdup(value);
	curl_free(value);
	return copy;
}

bool http_same_origin(const char *a, const char *b)
{
	static const CURLUPart PARTS[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CLEANUP(free_url) CURLU *x = curl_url();
	CLEANUP(free_url) CURLU *y = curl_url();
	if (!x || !y || curl_url_set(x, CURLUPART_URL, a, 0) || curl_url_set(y, CURLUPART_URL, b, 0))
		return false;
	for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
		CLEANUP(mem_freep) char *p = part(x, PARTS[i]);
		CLEANUP(mem_freep) char *q = part(y, PARTS[i]);
		if (!p || !q || strcasecmp(p, q) != 0)
			return false;
	}
	return true;
}
