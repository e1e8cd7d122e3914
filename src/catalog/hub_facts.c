/* hub_facts.c: see hub_facts.h. The tree listing gives the sizes of large files too, so that no file has to be asked for singly; it comes
 * in pages that name the next one in a Link header. A gated model's listing is public and its configuration is not, which is how "gated"
 * shows. The messages are upstream's where clients know them. */
#include "catalog/hub_facts.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "codec/json.h"
#include "http/client.h"
#include <ctype.h>

enum { CONNECT_MS = 10000, STALL_S = 10, TRIES = 2 };
#define FORMAT 1 /* of the kept files */

struct question { /* one hub_facts_ask; owner: its thread */
	const struct hub_facts_source *source;
	const char *name;
	struct http_client *client;
	char *authorization;
	bool authorized;    /* from the first refusal on */
};

void hub_facts_done(struct hub_facts *f)
{
	json_decref(f->config);
	*f = (struct hub_facts){0};
}

static int refused(const struct question *q, const struct http_response *r, struct err *err)
{
	const char *code = http_response_header(r, "x-error-code");
	if (code && strcmp(code, "RepoNotFound") == 0)
		return err_set(err, ERR_NOT_FOUND, "the model hub has no model %s, or it is private: authentication required for accessing %s", q->name, q->name);
	if (r->status == 401 || r->status == 403)
		return err_set(err, ERR_DENIED, "authentication required for accessing %s", q->name);
	if (r->status == 404)
		return err_set(err, ERR_NOT_FOUND, "the model hub has no model %s", q->name);
	return http_status_error(r->status, q->name, err);
}

static int get(struct question *q, const char *url, size_t max, struct http_response *out, struct err *err)
{
	for (;;) {
		const struct http_request request = {.method = "GET", .url = url, .body_max = max, .trust_host = q->source->trusted,
						     .authorization = q->authorized ? q->authorization : NULL};
		if (http_client_send(q->client, &request, out, err) < 0)
			return -1;
		if (out->status == 200)
			return 0;
		if ((out->status != 401 && out->status != 403 && out->status != 404) || q->authorized || !q->authorization)
			return refused(q, out, err);
		q->authorized = true;
		http_response_done(out);
	}
}

static int get_json(struct question *q, const char *url, size_t max, const char *what, struct http_response *head, json_t **out, struct err *err)
{
	if (get(q, url, max, head, err) < 0)
		return -1;
	if (json_parse(out, buf_str(&head->body), what, err) == 0)
		return 0;
	err->kind = ERR_PROTOCOL;
	return -1;
}

/* The URL between < and > when the Link header has rel="next" and stays on the hub. NULL: this was the last page. Caller frees. */
static char *next_page(const struct question *q, const struct http_response *r)
{
	const char *link = http_response_header(r, "link");
	const char *open = link && strstr(link, "rel=\"next\"") ? strchr(link, '<') : NULL, *close = open ? strchr(open, '>') : NULL;
	if (!close)
		return NULL;
	char *url = mem_strndup(open + 1, (size_t)(close - open - 1));
	if (http_same_origin(url, q->source->url))
		return url;
	free(url);
	return NULL;
}

static int ask_files(struct question *q, struct derive_files *out, struct err *err)
{
	struct derive_tree tree = {0};
	char *url = mem_printf("%s/api/models/%s/tree/main?recursive=true", q->source->url, q->name);
	int rc = 0;
	for (int page = 0; url && rc == 0; page++) {
		CLEANUP(http_response_done) struct http_response response = {0};
		json_t *entries = NULL;
		if (page == LIMIT_HUB_PAGES)
			rc = err_set(err, ERR_LIMIT, "%s has more than %d pages of files", q->name, LIMIT_HUB_PAGES);
		else
			rc = get_json(q, url, LIMIT_HUB_LISTING_BYTES, "list of files", &response, &entries, err);
		if (rc == 0)
			rc = derive_tree_add(&tree, entries, err);
		json_decref(entries);
		free(url);
		url = rc == 0 ? next_page(q, &response) : NULL;
	}
	free(url);
	if (rc < 0)
		return err_wrap(err, "error listing files");
	return derive_tree_files(&tree, q->name, out, err);
}

static int ask_config(struct question *q, const struct derive_files *files, json_t **out, struct err *err)
{
	const char *file = files->has_config || !files->has_params ? "config.json" : "params.json";
	CLEANUP(mem_freep) char *url = mem_printf("%s/%s/resolve/main/%s", q->source->url, q->name, file);
	CLEANUP(http_response_done) struct http_response response = {0};
	return get_json(q, url, LIMIT_HUB_CONFIG_BYTES, file, &response, out, err);
}

int hub_facts_ask(const struct hub_facts_source *source, const char *name, struct hub_facts *out, struct err *err)
{
	const struct http_options options = {.connect_ms = CONNECT_MS, .stall_s = STALL_S, .retry = {TRIES, 500, 2000}, .cancel = source->cancel};
	CLEANUP(http_client_freep) struct http_client *client = http_client_new(&options);
	CLEANUP(mem_freep) char *authorization = source->token && source->token[0] ? mem_printf("Bearer %s", source->token) : NULL;
	struct question q = {source, name, client, authorization, false};
	struct hub_facts facts = {0};
	int rc = ask_files(&q, &facts.files, err);
	if (rc == 0)
		rc = ask_config(&q, &facts.files, &facts.config, err);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization));
	if (rc < 0)
		return -1;
	facts.gated = q.authorized;
	*out = facts;
	return 0;
}

/* "org--name.json" in lower case. Caller frees. */
static char *kept_path(const char *folder, const char *name)
{
	const char *slash = strchr(name, '/');
	char *path = mem_printf("%s/%.*s--%s.json", folder, (int)(slash - name), name, slash + 1);
	for (char *c = path + strlen(folder); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return path;
}

static bool read_kept(const json_t *root, struct hub_facts *out, int64_t *age_s)
{
	struct err ignored = ERR_INIT;
	int64_t format = 0, bytes = 0, at = 0;
	json_t *config = json_object_get(root, "config");
	struct hub_facts f = {0};
	if (!json_is_object(root) || json_get_int(root, "format", "", &format, &ignored) < 0 || format != FORMAT ||
	    json_get_int(root, "weight_bytes", "", &bytes, &ignored) < 0 || bytes <= 0 || json_get_int(root, "asked_at", "", &at, &ignored) < 0 ||
	    json_get_bool(root, "mistral_format", "", &f.files.mistral_format, &ignored) < 0 || json_get_bool(root, "gated", "", &f.gated, &ignored) < 0 ||
	    !json_is_object(config))
		return false;
	f.files.weight_bytes = (uint64_t)bytes;
	f.config = json_incref(config);
	*age_s = clock_wall_s() - at;
	*out = f;
	return true;
}

int hub_facts_load(const char *folder, const char *name, struct hub_facts *out, int64_t *age_s)
{
	CLEANUP(mem_freep) char *path = kept_path(folder, name);
	CLEANUP(buf_done) struct buf text = {0};
	struct err ignored = ERR_INIT;
	json_t *root = NULL;
	if (fd_read_file(path, LIMIT_HUB_CONFIG_BYTES + 4096, &text, &ignored) < 0 || json_parse(&root, buf_str(&text), path, &ignored) < 0)
		return 0;
	bool ok = read_kept(root, out, age_s);
	json_decref(root);
	return ok;
}

bool hub_facts_save(const char *folder, const char *name, const struct hub_facts *f)
{
	CLEANUP(mem_freep) char *path = kept_path(folder, name);
	CLEANUP(buf_done) struct buf text = {0};
	json_t *root = json_pack("{s:i, s:I, s:I, s:b, s:b, s:O}", "format", FORMAT, "asked_at", (json_int_t)clock_wall_s(), "weight_bytes",
				 (json_int_t)f->files.weight_bytes, "mistral_format", f->files.mistral_format, "gated", f->gated, "config", f->config);
	json_print(root, JSON_PRINT_COMPACT, &text);
	json_decref(root);
	struct err ignored = ERR_INIT;
	return fd_make_dirs(folder, &ignored) == 0 && fd_write_file(path, text.data, text.len, 0600, &ignored) == 0;
}
