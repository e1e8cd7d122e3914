/* registry.c: opening, manifests and blob downloads; uploads are in upload.c. */
#include "oci/registry.h"

#include "base/limits.h"
#include "codec/json.h"

#define CHUNK_BYTES ((uint64_t)64 << 20)
#define ACCEPT "Accept: " MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST

static void decref(json_t **value) { json_decref(*value); }

int registry_error(const struct registry *r, const struct http_response *response, const char *doing, struct err *err)
{
	CLEANUP(mem_freep) char *what = mem_printf("%s %.80s/%.80s", doing, r->ref->registry, r->repository);
	http_status_error(response->status, what, err);
	CLEANUP(decref) json_t *root = NULL;
	if (json_parse(&root, buf_str(&response->body), "error", NULL) < 0)
		return -1;
	const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
	const char *code = json_string_value(json_object_get(first, "code")), *message = json_string_value(json_object_get(first, "message"));
	if (code && err) {
		enum err_kind kind = err->kind;
		CLEANUP(mem_freep) char *status = mem_strdup(err->message);
		err_set(err, kind, "%s: %.40s: %.90s", status, code, message ? message : "");
	}
	return -1;
}

int registry_send(struct registry *r, const struct registry_request *q, struct http_response *out, struct err *err)
{
	CLEANUP(mem_freep) char *url = q->path[0] == '/' ? mem_printf("%s%s", r->base, q->path) : mem_strdup(q->path);
	struct http_request http = q->http;
	http.url = url;
	http.trust_host = true;
	/* An upload may be sent on to a storage host, which must not see the registry's credentials. */
	bool ours = http_same_origin(url, r->base);
	CLEANUP(mem_freep) char *authorization = NULL;
	if (ours && auth_value(&r->auth, q->scope, false, NULL, &authorization, err) < 0)
		return -1;
	http.authorization = authorization;
	if (http_client_send(r->client, &http, out, err) < 0)
		return -1;
	if (out->status != 401 || !ours)
		return 0;
	CLEANUP(mem_freep) char *challenge = mem_strdup(http_response_header(out, "www-authenticate") ? http_response_header(out, "www-authenticate") : "");
	CLEANUP(mem_freep) char *renewed = NULL;
	if (auth_value(&r->auth, q->scope, true, challenge, &renewed, err) < 0)
		return -1;
	http_response_done(out);
	http.authorization = renewed;
	return http_client_send(r->client, &http, out, err);
}

/* GET /v2/: 1 when a registry answers there (its challenge is kept), 0 when something else does. */
static int ping(struct registry *r, const char *base, bool once, struct err *err)
{
	CLEANUP(mem_freep) char *url = mem_printf("%s/v2/", base);
	CLEANUP(http_response_done) struct http_response response = {0};
	const struct http_request request = {.method = "GET", .url = url, .trust_host = true, .once = once};
	if (http_client_send(r->client, &request, &response, err) < 0)
		return -1;
	const char *challenge = http_response_header(&response, "www-authenticate");
	if (response.status != 200 && response.status != 401 && response.status != 403 && response.status != 404) {
		registry_error(r, &response, "ask", err);
		return 0;
	}
	if (challenge && response.status == 401)
		challenge_parse(str_of(challenge), &r->auth.challenge);
	r->auth.trust_realm = response.private_peer;
	return 1;
}

static int find_scheme(struct registry *r, const struct oci_options *options, struct err *err)
{
	const char *host = reference_api_host(r->ref);
	bool loopback = reference_is_loopback(r->ref);
	if (options->plain_http || loopback) {
		r->base = mem_printf("http://%s", host);
		/* A TLS server on loopback answers plain http with 400 or closes: then https is tried below. */
		int rc = ping(r, r->base, loopback && !options->plain_http, err);
		r->auth.plain_http = rc == 1;
		if (rc == 1)
			return 0;
		if (options->plain_http || (err && err->kind == ERR_CANCELLED))
			return err_wrap(err, "registry %s", r->ref->registry);
		free(r->base);
	}
	struct err plain = err ? *err : ERR_INIT;
	r->base = mem_printf("https://%s", host);
	int rc = ping(r, r->base, loopback, err);
	if (rc == 1)
		return 0;
	if (loopback && err)
		*err = plain;
	return err_wrap(err, "registry %s", r->ref->registry);
}

int registry_open(struct registry *r, const struct reference *ref, const struct oci_options *options, struct err *err)
{
	*r = (struct registry){.ref = ref, .repository = ref->repository, .chunk_bytes = CHUNK_BYTES, .mount_from = options->mount_from};
	const struct http_options http = {.reach = options->allow_private ? ADDRESS_REACH_PRIVATE : ADDRESS_REACH_PUBLIC, .cancel = options->cancel};
	r->client = http_client_new(&http);
	r->pull_scope = mem_printf("repository:%s:pull", r->repository);
	r->push_scope = options->mount_from ? mem_printf("repository:%s:pull,push repository:%s:pull", r->repository, options->mount_from)
					    : mem_printf("repository:%s:pull,push", r->repository);
	auth_init(&r->auth, r->client, ref->registry, r->repository);
	if (find_scheme(r, options, err) == 0)
		return 0;
	registry_close(r);
	return -1;
}

void registry_close(struct registry *r)
{
	auth_done(&r->auth);
	http_client_free(r->client);
	free(r->base);
	free(r->pull_scope);
	free(r->push_scope);
}

static int get_manifest_response(struct registry *r, const char *target, struct http_response *response, struct err *err)
{
	static const char *const HEADERS[] = {ACCEPT, NULL};
	CLEANUP(mem_freep) char *path = mem_printf("/v2/%s/manifests/%s", r->repository, target);
	const struct registry_request q = {
		.http = {.method = "GET", .headers = HEADERS, .body_max = LIMIT_OCI_MANIFEST_BYTES}, .path = path, .scope = r->pull_scope};
	return registry_send(r, &q, response, err);
}

int registry_get_manifest(struct registry *r, const char *target, struct buf *body, char digest[DIGEST_TEXT], struct err *err)
{
	CLEANUP(http_response_done) struct http_response response = {0};
	if (get_manifest_response(r, target, &response, err) < 0)
		return -1;
	if (response.status != 200) {
		CLEANUP(mem_freep) char *doing = mem_printf("get manifest %.80s of", target);
		return registry_error(r, &response, doing, err);
	}
	const char *announced = http_response_header(&response, "docker-content-digest");
	digest_of(buf_str(&response.body).data, response.body.len, digest);
	const char *expected = digest_is_valid(str_of(target)) ? target : announced;
	if (expected && digest_is_valid(str_of(expected)) && strcmp(expected, digest) != 0)
		return err_set(err, ERR_PROTOCOL, "registry %s sent a manifest with digest %.20s… instead of %.20s…", r->ref->registry, digest, expected);
	buf_done(body);
	*body = response.body;
	response.body = (struct buf){0};
	return 0;
}

int registry_put_manifest(struct registry *r, const char *target, const char *media_type, const char *text, const char *digest, struct err *err)
{
	CLEANUP(mem_freep) char *type = mem_printf("Content-Type: %s", media_type);
	CLEANUP(mem_freep) char *path = mem_printf("/v2/%s/manifests/%s", r->repository, target);
	const char *const headers[] = {type, NULL};
	const struct registry_request q = {.http = {.method = "PUT", .headers = headers, .body = {.data = text, .len = strlen(text)}},
					   .path = path, .scope = r->push_scope};
	CLEANUP(http_response_done) struct http_response response = {0};
	if (registry_send(r, &q, &response, err) < 0)
		return -1;
	if (response.status != 201) {
		CLEANUP(mem_freep) char *doing = mem_printf("put manifest %.80s of", target);
		return registry_error(r, &response, doing, err);
	}
	const char *stored = http_response_header(&response, "docker-content-digest");
	if (stored && strcmp(stored, digest) != 0)
		return err_set(err, ERR_PROTOCOL, "registry %s stored the manifest under another digest, %.80s", r->ref->registry, stored);
	return 0;
}

struct blob_download { struct registry *registry; const struct blob_progress *progress; };

static int authorize(void *context, bool refused, const char *challenge, char **value, struct err *err)
{
	struct registry *r = ((struct blob_download *)context)->registry;
	return auth_value(&r->auth, r->pull_scope, refused, challenge, value, err);
}

static void report(void *context, uint64_t done, uint64_t total)
{
	const struct blob_progress *p = ((struct blob_download *)context)->progress;
	if (p->fn)
		p->fn(p->context, done, total);
}

int registry_get_blob(struct registry *r, const struct descriptor *blob, const char *path, const struct blob_progress *progress, struct err *err)
{
	CLEANUP(mem_freep) char *url = mem_printf("%s/v2/%s/blobs/%s", r->base, r->repository, blob->digest);
	struct blob_download context = {r, progress};
	const struct download d = {
		.url = url, .path = path, .has_size = true, .size = blob->size, .digest = blob->digest, .trust_host = true,
		.authorize = authorize, .progress = report, .context = &context, .cancel = progress->cancel,
	};
	return download_run(r->client, &d, NULL, err);
}
