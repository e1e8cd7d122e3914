/* plain.c: one file from an http or https URL. Its name comes from the URL, never from the server. */
#include "base/fd.h"
#include "http/download.h"
#include "hub/hub.h"
#include "hub/source.h"

#include <curl/curl.h>

bool url_is_source(const char *word) { return strncmp(word, "https://", 8) == 0 || strncmp(word, "http://", 7) == 0; }

/* The decoded last part of the path; query and fragment do not belong to it. */
static int file_name(const char *url, char **name, struct err *err)
{
	CLEANUP(mem_freep) char *shown = http_redact_url(url);
	CURLU *u = curl_url();
	char *path = NULL, *decoded = NULL;
	int len = 0;
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK)
		decoded = curl_easy_unescape(NULL, strrchr(path, '/') + 1, 0, &len);
	bool ok = decoded && (size_t)len == strlen(decoded) && source_path_is_safe(decoded) && !strchr(decoded, '/');
	if (ok)
		*name = mem_strdup(decoded);
	curl_free(decoded);
	curl_free(path);
	curl_url_cleanup(u);
	return ok ? 0 : err_set(err, ERR_INVALID, "%s: the URL's path does not end in a file name", shown);
}

struct plain { const struct hub_options *options; const char *name; };

static void on_progress(void *context, uint64_t done, uint64_t total)
{
	const struct plain *p = context;
	if (p->options->progress)
		p->options->progress(p->options->progress_context, p->name, "pulling", done, total);
}

int url_pull(const char *url, const char *folder, const struct hub_options *options, char **path, struct err *err)
{
	static const struct hub_options DEFAULTS;
	options = options ? options : &DEFAULTS;
	CLEANUP(mem_freep) char *name = NULL;
	if (file_name(url, &name, err) < 0 || fd_make_dirs(folder, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *target = fd_join(folder, name);
	const struct http_options http = {.reach = options->allow_private ? ADDRESS_REACH_PRIVATE : ADDRESS_REACH_PUBLIC, .cancel = options->cancel};
	CLEANUP(http_client_freep) struct http_client *client = http_client_new(&http);
	struct plain plain = {options, name};
	const struct download d = {.url = url, .path = target, .progress = on_progress, .context = &plain};
	struct download_result result;
	if (download_run(client, &d, &result, err) < 0)
		return -1;
	if (options->progress)
		options->progress(options->progress_context, name, "pulled", result.size, result.size);
	if (path) {
		*path = target;
		target = NULL;
	}
	return 0;
}
