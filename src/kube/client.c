/* client.c: see client.h. Opening, and the verbs that ask for one object; lists and watches are in list.c. */
#include "base/clock.h"
#include "codec/json.h"
#include "http/retry.h"
#include "kube/meta.h"
#include "kube/request.h"

static bool is_loopback(const char *server)
{
	CLEANUP(mem_freep) char *host = NULL;
	struct sockaddr_storage sa;
	const char *range = "";
	if (!http_url_parts(server, NULL, &host) || !host)
		return false;
	if (strcmp(host, "localhost") == 0)
		return true;
	return address_parse(str_of(host), &sa) && address_classify((struct sockaddr *)&sa, &range) == ADDRESS_PRIVATE && strcmp(range, "loopback") == 0;
}

/* A proxy of the environment is never meant for loopback; libcurl would ask it, other Kubernetes clients do not. */
static const char *proxy_of(const struct kube_config *config)
{
	return config->proxy ? config->proxy : is_loopback(config->server) ? "" : NULL;
}

int kube_client_open(struct kube_client **out, const struct kube_options *options, struct err *err)
{
	struct kube_config config;
	if (kube_config_load(&config, options->kubeconfig, options->context, err) < 0)
		return -1;
	struct kube_client *c = mem_alloc(sizeof *c);
	c->config = config;
	c->options = *options;
	c->user_agent = mem_strdup(options->user_agent ? options->user_agent : "kaito");
	c->credentials = kube_credentials_new(&c->config, options->cancel);
	pthread_mutex_init(&c->mu, NULL);
	c->options.qps = options->qps > 0 ? options->qps : 30;
	c->options.burst = options->burst > 0 ? options->burst : 50;
	c->http = http_client_new(&(struct http_options){
		.reach = ADDRESS_REACH_ANY, .connect_ms = 10000, .cancel = options->cancel, .until_ms = options->until_ms, .proxy = proxy_of(&c->config),
		.user_agent = c->user_agent, .buffer_bytes = 16384, .http1 = true, .direct = true,
	});
	*out = c;
	return 0;
}

void kube_client_close(struct kube_client *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	kube_credentials_free(c->credentials);
	kube_config_done(&c->config);
	pthread_mutex_destroy(&c->mu);
	free(c->user_agent);
	free(c);
}

int kube_client_pause(const struct kube_client *c, int64_t ms, struct err *err) { return retry_wait(ms, c->options.cancel, err); }

const char *kube_client_namespace(const struct kube_client *c) { return c->config.namespace_; }

int kube_get(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(r, namespace_, name, NULL);
	return kube_request_object(c, &(struct kube_request){.method = "GET", .path = path, .repeatable = true}, out, NULL, err);
}

int kube_get_text(struct kube_client *c, const char *path, size_t max, struct buf *out, struct err *err)
{
	struct buf body = {0};
	if (kube_request_send(c, &(struct kube_request){.method = "GET", .path = path, .body_max = max, .repeatable = true}, &body, NULL, err) < 0)
		return -1;
	buf_done(out);
	*out = body;
	return 0;
}

/* Whether everything that was asked for is in what is there. */
static bool contains(const json_t *there, const json_t *asked)
{
	const char *key;
	json_t *value;
	size_t i;
	if (json_is_object(asked)) {
		json_object_foreach((json_t *)(uintptr_t)asked, key, value)
			if (!contains(json_object_get(there, key), value))
				return false;
		return json_is_object(there);
	}
	if (!json_is_array(asked))
		return json_equal(there, asked);
	json_array_foreach(asked, i, value)
		if (!contains(json_array_get(there, i), value))
			return false;
	return json_array_size(there) == json_array_size(asked);
}

/* A create whose answer was lost and whose repetition found the name taken: by itself, when what is there is what was asked for. */
static int made_before(struct kube_client *c, const struct kube_resource *r, const json_t *object, json_t **out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *there = NULL;
	struct err local = ERR_INIT;
	if (kube_get(c, r, meta_namespace(object), meta_name(object), &there, &local) < 0 || !contains(there, object))
		return -1;
	*err = ERR_INIT;
	if (out)
		*out = json_incref(there);
	return 0;
}

int kube_create(struct kube_client *c, const struct kube_resource *r, const json_t *object, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(r, meta_namespace(object), NULL, NULL);
	CLEANUP(buf_done) struct buf body = {0};
	struct err local = ERR_INIT;
	struct kube_sent sent = {0};
	bool named = meta_name(object)[0];
	err = err ? err : &local;
	json_print(object, JSON_PRINT_COMPACT, &body);
	int rc = kube_request_object(c, &(struct kube_request){.method = "POST", .path = path, .content_type = "application/json",
			.body = buf_str(&body), .repeatable = named}, out, &sent, err);
	if (rc < 0 && err->kind == ERR_EXISTS && named && sent.maybe_before)
		return made_before(c, r, object, out, err);
	return rc;
}

int kube_create_subresource(struct kube_client *c, const struct kube_resource *r, const char *subresource, const json_t *object, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(r, meta_namespace(object), meta_name(object), subresource);
	CLEANUP(buf_done) struct buf body = {0};
	json_print(object, JSON_PRINT_COMPACT, &body);
	return kube_request_object(c, &(struct kube_request){.method = "POST", .path = path, .content_type = "application/json",
			.body = buf_str(&body), .repeatable = true, .once = true}, NULL, NULL, err);
}

int kube_update(struct kube_client *c, const struct kube_resource *r, const char *subresource, const json_t *object, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(r, meta_namespace(object), meta_name(object), subresource);
	CLEANUP(buf_done) struct buf body = {0};
	json_print(object, JSON_PRINT_COMPACT, &body);
	/* Repeated after it was carried out, it conflicts with itself: the caller reads and finds its own change. */
	return kube_request_object(c, &(struct kube_request){.method = "PUT", .path = path, .content_type = "application/json",
			.body = buf_str(&body), .repeatable = true}, out, NULL, err);
}

static const char *const PATCH_TYPES[] = {
	[KUBE_PATCH_JSON] = "application/json-patch+json", [KUBE_PATCH_MERGE] = "application/merge-patch+json",
	[KUBE_PATCH_STRATEGIC] = "application/strategic-merge-patch+json", [KUBE_PATCH_APPLY] = "application/apply-patch+yaml",
};

int kube_patch(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *name, const char *subresource,
	       enum kube_patch_type type, const json_t *body, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(r, namespace_, name, subresource);
	CLEANUP(mem_freep) char *applied = mem_printf("%s?fieldManager=kaito&force=true", path);
	CLEANUP(buf_done) struct buf text = {0};
	json_print(body, JSON_PRINT_COMPACT, &text);
	return kube_request_object(c, &(struct kube_request){.method = "PATCH", .path = type == KUBE_PATCH_APPLY ? applied : path,
			.content_type = PATCH_TYPES[type], .body = buf_str(&text), .repeatable = type != KUBE_PATCH_JSON}, out, NULL, err);
}

static void put_text(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, json_string(value));
}

static json_t *delete_body(const struct kube_delete_options *o)
{
	json_t *body = json_pack("{s:s, s:s}", "kind", "DeleteOptions", "apiVersion", "v1");
	if (o->uid || o->resource_version) {
		json_t *conditions = json_object();
		put_text(conditions, "uid", o->uid);
		put_text(conditions, "resourceVersion", o->resource_version);
		json_object_set_new(body, "preconditions", conditions);
	}
	put_text(body, "propagationPolicy", o->propagation);
	if (o->grace_s >= 0)
		json_object_set_new(body, "gracePeriodSeconds", json_integer(o->grace_s));
	return body;
}

int kube_delete(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *name,
		const struct kube_delete_options *options, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(r, namespace_, name, NULL);
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(json_decrefp) json_t *body = options ? delete_body(options) : NULL;
	if (body)
		json_print(body, JSON_PRINT_COMPACT, &text);
	return kube_request_object(c, &(struct kube_request){.method = "DELETE", .path = path, .content_type = body ? "application/json" : NULL,
			.body = buf_str(&text), .repeatable = true}, NULL, NULL, err);
}
