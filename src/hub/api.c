/* api.c: see api.h. A large file's answer is a redirect to a content network; the size and the SHA-256 are in that
 * redirect's own headers (X-Linked-Size, X-Linked-ETag), so it is read before it is followed. */
#include "hub/api.h"

#include "base/limits.h"
#include "codec/json.h"
#include "hub/token.h"
#include <curl/curl.h>

#define LISTING_MAX ((size_t)32 << 20)
#define FILES_MAX 100000

int api_open(struct api *a, const struct source *source, const char *endpoint, bool allow_private, const atomic_bool *cancel, struct err *err)
{
	const char *from_env = getenv("HF_ENDPOINT");
	if (!endpoint)
		endpoint = from_env && from_env[0] ? from_env : "https://huggingface.co";
	CLEANUP(mem_freep) char *token = NULL;
	if (token_find(&token, err) < 0)
		return -1;
	*a = (struct api){.source = source, .endpoint = mem_strdup(endpoint)};
	for (size_t n = strlen(a->endpoint); n && a->endpoint[n - 1] == '/';)
		a->endpoint[--n] = 0;
	a->authorization = token ? mem_printf("Bearer %s", token) : NULL;
	a->client = http_client_new(&(struct http_options){.reach = allow_private ? ADDRESS_REACH_PRIVATE : ADDRESS_REACH_PUBLIC, .cancel = cancel});
	return 0;
}

void api_close(struct api *a)
{
	http_client_free(a->client);
	free(a->endpoint);
	free(a->authorization);
}

/* The hub's own words for a refusal, by its X-Error-Code. To add one: a row. */
static const struct { const char *code; enum err_kind kind; const char *say; } CODES[] = {
	{"EntryNotFound", ERR_NOT_FOUND, "has no such file"},
	{"GatedRepo", ERR_DENIED, "is gated: accept its terms on the hub's page, then set HF_TOKEN to a token of that account"},
	{"RepoNotFound", ERR_NOT_FOUND, "does not exist, or is private and HF_TOKEN does not open it"},
	{"RevisionNotFound", ERR_NOT_FOUND, "has no such revision"},
};

static int refusal(const struct api *a, const struct http_response *response, const char *what, struct err *err)
{
	const char *code = http_response_header(response, "x-error-code");
	for (size_t i = 0; code && i < sizeof CODES / sizeof CODES[0]; i++)
		if (strcmp(CODES[i].code, code) == 0)
			return err_set(err, CODES[i].kind, "hf://%s (%s): the repository %s", a->source->repository, what, CODES[i].say);
	if (response->status == 401 || response->status == 403)
		return err_set(err, ERR_DENIED, "hf://%s (%s): refused (%d); %s", a->source->repository, what, response->status,
			       a->authorization ? "the token in HF_TOKEN does not open it, or its terms are not accepted"
						: "it may be private or gated: set HF_TOKEN");
	CLEANUP(mem_freep) char *doing = mem_printf("hf://%s (%s)", a->source->repository, what);
	return http_status_error(response->status, doing, err);
}

/* Percent-encoded, '/' kept when it separates folders. */
static char *escape(const char *text, bool keep_slashes)
{
	struct buf out = {0};
	for (const char *part = text;;) {
		size_t n = keep_slashes ? strcspn(part, "/") : strlen(part);
		char *one = n ? curl_easy_escape(NULL, part, (int)n) : NULL;
		buf_puts(&out, one ? one : "");
		curl_free(one);
		if (!part[n])
			return buf_take(&out);
		buf_putc(&out, '/');
		part += n + 1;
	}
}

static void decref(json_t **value) { json_decref(*value); }

static int read_listing(const struct api *a, str body, name_list *files, char **commit, struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	const json_t *siblings = NULL;
	const char *sha = NULL;
	if (json_parse(&root, body, "hub answer", err) < 0)
		return -1;
	if (!json_is_object(root))
		return err_set(err, ERR_PROTOCOL, "the hub's answer for %s is not an object", a->source->repository);
	if (json_get_array(root, "siblings", "", &siblings, err) < 0 || json_get_string(root, "sha", "", &sha, err) < 0)
		return -1;
	size_t n = json_array_size(siblings);
	if (n > FILES_MAX)
		return err_set(err, ERR_LIMIT, "%s has %zu files; the limit is %d", a->source->repository, n, FILES_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_object_get(json_array_get(siblings, i), "rfilename"));
		if (!name || !source_path_is_safe(name))
			return err_set(err, ERR_PROTOCOL, "the hub lists a file without a plain relative name (siblings[%zu])", i);
		vec_push(files, mem_strdup(name));
	}
	if (sha && !source_path_is_safe(sha))
		return err_set(err, ERR_PROTOCOL, "the hub names an odd commit for %s", a->source->repository);
	*commit = mem_strdup(sha ? sha : a->source->revision);
	return 0;
}

int api_list(struct api *a, name_list *files, char **commit, struct err *err)
{
	CLEANUP(mem_freep) char *revision = escape(a->source->revision, false);
	CLEANUP(mem_freep) char *url = mem_printf("%s/api/%s/%s/revision/%s", a->endpoint, a->source->dataset ? "datasets" : "models", a->source->repository, revision);
	CLEANUP(http_response_done) struct http_response response = {0};
	const struct http_request q = {.method = "GET", .url = url, .authorization = a->authorization, .body_max = LISTING_MAX};
	if (http_client_send(a->client, &q, &response, err) < 0)
		return -1;
	if (response.status != 200)
		return refusal(a, &response, a->source->revision, err);
	return read_listing(a, buf_str(&response.body), files, commit, err);
}

static char *file_url(const struct api *a, const char *commit, const char *name)
{
	CLEANUP(mem_freep) char *revision = escape(commit, false);
	CLEANUP(mem_freep) char *path = escape(name, true);
	return mem_printf("%s/%s%s/resolve/%s/%s", a->endpoint, a->source->dataset ? "datasets/" : "", a->source->repository, revision, path);
}

void api_file_done(struct api_file *f)
{
	free(f->url);
	f->url = NULL;
}

static void read_head(const struct http_response *r, struct api_file *out)
{
	const char *linked_tag = http_response_header(r, "x-linked-etag"), *linked_size = http_response_header(r, "x-linked-size");
	const char *size = linked_size ? linked_size : r->status == 200 ? http_response_header(r, "content-length") : NULL;
	int64_t bytes;
	etag_parse(linked_tag ? linked_tag : r->status == 200 ? http_response_header(r, "etag") : NULL, &out->tag);
	out->has_size = size && str_to_i64(str_of(size), &bytes) && bytes >= 0;
	out->size = out->has_size ? (uint64_t)bytes : 0;
}

int api_file(struct api *a, const char *commit, const char *name, struct api_file *out, struct err *err)
{
	CLEANUP(mem_freep) char *url = file_url(a, commit, name);
	for (int hop = 0; hop <= LIMIT_REDIRECTS; hop++) {
		CLEANUP(http_response_done) struct http_response response = {0};
		const struct http_request q = {.method = "HEAD", .url = url, .authorization = a->authorization, .no_redirect = true};
		if (http_client_send(a->client, &q, &response, err) < 0)
			return -1;
		bool redirect = response.status >= 301 && response.status <= 308;
		const char *location = http_response_header(&response, "location");
		char *next = redirect && location ? http_url_resolve(url, location) : NULL;
		/* A renamed repository redirects within the hub; a large file to elsewhere. */
		if (next && http_same_origin(url, next) && !http_response_header(&response, "x-linked-etag")) {
			free(url);
			url = next;
			continue;
		}
		free(next);
		if (response.status != 200 && !redirect)
			return refusal(a, &response, name, err);
		read_head(&response, out);
		out->url = url;
		url = NULL;
		return 0;
	}
	return err_set(err, ERR_LIMIT, "hf://%s: more than %d redirects", a->source->repository, LIMIT_REDIRECTS);
}

int api_read(struct api *a, const char *commit, const char *name, struct buf *out, struct err *err)
{
	CLEANUP(mem_freep) char *url = file_url(a, commit, name);
	CLEANUP(http_response_done) struct http_response response = {0};
	const struct http_request q = {.method = "GET", .url = url, .authorization = a->authorization, .body_max = LIMIT_JSON_BYTES};
	if (http_client_send(a->client, &q, &response, err) < 0)
		return -1;
	if (response.status != 200)
		return refusal(a, &response, name, err);
	buf_done(out);
	*out = response.body;
	response.body = (struct buf){0};
	return 0;
}
