/* kubeconfig.c: see kubeconfig.h. Files become one merged document first: a JSON object with clusters, users and
 * contexts by name, each entry remembering the folder that its relative paths start from. Then one context is read from it. */
#include "kube/kubeconfig.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/vec.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/yaml.h"

#define FOLDER_KEY " folder" /* no key of a kubeconfig starts with a blank */

/* --- merging --------------------------------------------------------------------------------------------------- */

static const char *const LISTS[][2] = {{"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"}};

static int merge_list(json_t *into, const json_t *from, const char *list, const char *member, const char *folder, struct err *err)
{
	const json_t *entries = NULL, *entry;
	if (json_get_array(from, list, "", &entries, err) < 0)
		return -1;
	size_t i;
	json_array_foreach(entries, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));
		json_t *value = json_object_get(entry, member);
		if (!name)
			return err_set(err, ERR_CONFIG, "%s[%zu] has no name", list, i);
		if (!json_is_object(value) || json_object_get(json_object_get(into, list), name))
			continue;
		json_t *copy = json_copy(value); /* the tree is shared with the YAML document */
		json_object_set_new(copy, FOLDER_KEY, json_string(folder));
		json_object_set_new(json_object_get(into, list), name, copy);
	}
	return 0;
}

static json_t *new_merged(void)
{
	json_t *merged = json_object();
	for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++)
		json_object_set_new(merged, LISTS[i][0], json_object());
	return merged;
}

static int merge_text(json_t *into, str text, const char *name, const char *folder, struct err *err)
{
	struct yaml_doc doc;
	if (yaml_parse(&doc, text, name, err) < 0)
		return -1;
	int rc = 0;
	if (!json_is_object(doc.root) && !json_is_null(doc.root))
		rc = err_set(err, ERR_CONFIG, "'%s' is not a kubeconfig: it must be a mapping", name);
	for (size_t i = 0; rc == 0 && i < sizeof LISTS / sizeof LISTS[0]; i++)
		if ((rc = merge_list(into, doc.root, LISTS[i][0], LISTS[i][1], folder, err)) < 0)
			err_wrap(err, "'%s'", name);
	const char *current = json_string_value(json_object_get(doc.root, "current-context"));
	if (rc == 0 && current && current[0] && !json_object_get(into, "current-context"))
		json_object_set_new(into, "current-context", json_string(current));
	yaml_doc_done(&doc);
	return rc;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == path ? mem_strdup("/") : slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(".");
}

static int merge_file(json_t *into, const char *path, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, LIMIT_YAML_BYTES, &text, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *folder = folder_of(path);
	return merge_text(into, buf_str(&text), path, folder, err);
}

/* --- reading one context --------------------------------------------------------------------------------------- */

struct reader {
	struct kube_config *out;
	const json_t *entry;     /* the cluster or user being read */
	char where[120];         /* "user 'admin'" */
	struct err *err;
};

static int member_text(struct reader *r, const char *key, const char **out)
{
	str value = {0};
	if (json_get_str(r->entry, key, r->where, &value, r->err) < 0)
		return -1;
	*out = value.len ? arena_strdup(&r->out->arena, value) : NULL;
	return 0;
}

static int member_flag(struct reader *r, const char *key, bool *out) { return json_get_bool(r->entry, key, r->where, out, r->err); }

/* A path of the file, made relative to the file's folder. */
static int member_path(struct reader *r, const char *key, const char **out)
{
	const char *value = NULL;
	if (member_text(r, key, &value) < 0)
		return -1;
	const char *folder = json_string_value(json_object_get(r->entry, FOLDER_KEY));
	*out = value && value[0] != '/' && folder ? arena_printf(&r->out->arena, "%s/%s", folder, value) : value;
	return 0;
}

static int decode_base64(struct reader *r, const char *key, const char *text, str *out)
{
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t n = 0;
	if (base64_decode(BASE64_STANDARD, str_of(text), &bytes, &n, NULL) < 0)
		return err_set(r->err, ERR_CONFIG, "%s.%s is not base64", r->where, key);
	*out = (str){arena_strndup(&r->out->arena, bytes, n), n};
	return 0;
}

static int file_bytes(struct reader *r, const char *path, str *out)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, LIMIT_YAML_BYTES, &text, r->err) < 0)
		return err_wrap(r->err, "%s", r->where);
	*out = (str){arena_strndup(&r->out->arena, text.data ? text.data : "", text.len), text.len};
	return 0;
}

/* "KEY-data" (base64) wins over "KEY" (a file). */
static int member_pem(struct reader *r, const char *key, str *out)
{
	char data_key[64];
	snprintf(data_key, sizeof data_key, "%s-data", key);
	const char *data = NULL, *path = NULL;
	if (member_text(r, data_key, &data) < 0 || member_path(r, key, &path) < 0)
		return -1;
	if (data)
		return decode_base64(r, data_key, data, out);
	return path ? file_bytes(r, path, out) : 0;
}

static int read_cluster(struct reader *r)
{
	struct kube_config *c = r->out;
	const char *server = NULL;
	if (member_text(r, "server", &server) < 0 || member_pem(r, "certificate-authority", &c->tls.ca) < 0 ||
	    member_flag(r, "insecure-skip-tls-verify", &c->tls.insecure) < 0 ||
	    member_text(r, "tls-server-name", &c->tls.server_name) < 0 || member_text(r, "proxy-url", &c->proxy) < 0)
		return -1;
	if (!server)
		return err_set(r->err, ERR_CONFIG, "%s has no server", r->where);
	size_t len = strlen(server);
	while (len && server[len - 1] == '/')
		len--;
	if (len < 4 || !http_url_parts(server, NULL, NULL))
		return err_set(r->err, ERR_CONFIG, "%s: server is not a URL", r->where);
	c->server = arena_strndup(&c->arena, server, len);
	return 0;
}

static int read_list(struct reader *r, const json_t *exec, const char *key, bool pairs, const char *const **out)
{
	const json_t *items = NULL, *item;
	if (json_get_array(exec, key, r->where, &items, r->err) < 0)
		return -1;
	const char **list = arena_array(&r->out->arena, json_array_size(items) + 1, sizeof *list);
	size_t i;
	json_array_foreach(items, i, item) {
		const char *name = json_string_value(pairs ? json_object_get(item, "name") : item);
		const char *value = json_string_value(json_object_get(item, "value"));
		if (!name || (pairs && !value))
			return err_set(r->err, ERR_CONFIG, "%s: exec.%s[%zu] is not %s", r->where, key, i, pairs ? "a name and a value" : "text");
		list[i] = pairs ? arena_printf(&r->out->arena, "%s=%s", name, value) : arena_strdup(&r->out->arena, str_of(name));
	}
	*out = list;
	return 0;
}

static int check_exec(struct reader *r, const char *mode)
{
	static const char *const VERSIONS[] = {"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"};
	const struct kube_exec *e = &r->out->exec;
	if (!e->command)
		return err_set(r->err, ERR_CONFIG, "%s: exec has no command", r->where);
	if (mode && strcmp(mode, "Always") == 0)
		return err_set(r->err, ERR_CONFIG, "%s: exec.interactiveMode is Always, but nobody can be asked here", r->where);
	for (size_t i = 0; i < sizeof VERSIONS / sizeof VERSIONS[0]; i++)
		if (e->api_version && strcmp(e->api_version, VERSIONS[i]) == 0)
			return 0;
	return err_set(r->err, ERR_CONFIG, "%s: exec.apiVersion must be %s or %s", r->where, VERSIONS[0], VERSIONS[1]);
}

static int read_exec(struct reader *r)
{
	const json_t *exec = NULL;
	if (json_get_object(r->entry, "exec", r->where, &exec, r->err) < 0)
		return -1;
	if (!exec)
		return 0;
	struct reader inner = *r;
	inner.entry = exec;
	struct kube_exec *e = &r->out->exec;
	const char *mode = NULL;
	if (member_text(&inner, "command", &e->command) < 0 || member_text(&inner, "apiVersion", &e->api_version) < 0 ||
	    member_text(&inner, "installHint", &e->install_hint) < 0 || member_text(&inner, "interactiveMode", &mode) < 0 ||
	    member_flag(&inner, "provideClusterInfo", &e->provide_cluster) < 0 || read_list(r, exec, "args", false, &e->args) < 0 ||
	    read_list(r, exec, "env", true, &e->env) < 0)
		return -1;
	const char *folder = json_string_value(json_object_get(r->entry, FOLDER_KEY));
	if (e->command && e->command[0] != '/' && strchr(e->command, '/') && folder)
		e->command = arena_printf(&r->out->arena, "%s/%s", folder, e->command);
	return check_exec(r, mode);
}

static int read_user(struct reader *r)
{
	struct kube_config *c = r->out;
	if (json_object_get(r->entry, "auth-provider"))
		return err_set(r->err, ERR_UNSUPPORTED, "%s: auth-provider is not supported any more; use an exec plug-in", r->where);
	if (member_text(r, "token", &c->token) < 0 || member_path(r, "tokenFile", &c->token_file) < 0 ||
	    member_text(r, "username", &c->username) < 0 || member_text(r, "password", &c->password) < 0 ||
	    member_pem(r, "client-certificate", &c->tls.cert) < 0 || member_pem(r, "client-key", &c->tls.key) < 0)
		return -1;
	if (!c->tls.cert.len != !c->tls.key.len)
		return err_set(r->err, ERR_CONFIG, "%s has a client certificate or its key, but not both", r->where);
	return read_exec(r);
}

static int enter(struct reader *r, const json_t *merged, const char *list, const char *kind, const char *name)
{
	r->entry = json_object_get(json_object_get(merged, list), name);
	snprintf(r->where, sizeof r->where, "%s '%.80s'", kind, name);
	return r->entry ? 0 : err_set(r->err, ERR_CONFIG, "the kubeconfig has no %s", r->where);
}

static int read_context(struct kube_config *out, const json_t *merged, const char *context, struct err *err)
{
	struct reader r = {.out = out, .err = err};
	if (!context)
		context = json_string_value(json_object_get(merged, "current-context"));
	if (!context)
		return err_set(err, ERR_CONFIG, "the kubeconfig has no current-context; name one");
	if (enter(&r, merged, "contexts", "context", context) < 0)
		return -1;
	const char *cluster = NULL, *user = NULL;
	if (member_text(&r, "cluster", &cluster) < 0 || member_text(&r, "user", &user) < 0 || member_text(&r, "namespace", &out->namespace_) < 0)
		return -1;
	if (!cluster)
		return err_set(err, ERR_CONFIG, "%s has no cluster", r.where);
	if (enter(&r, merged, "clusters", "cluster", cluster) < 0 || read_cluster(&r) < 0)
		return -1;
	if (user && (enter(&r, merged, "users", "user", user) < 0 || read_user(&r) < 0))
		return -1;
	if (!out->namespace_)
		out->namespace_ = "default";
	return 0;
}

/* --- entry points ---------------------------------------------------------------------------------------------- */

static int finish(struct kube_config *out, const json_t *merged, const char *context, struct err *err)
{
	struct kube_config c = {0};
	if (read_context(&c, merged, context, err) < 0) {
		kube_config_done(&c);
		return -1;
	}
	*out = c;
	return 0;
}

int kube_config_text(struct kube_config *out, str text, const char *folder, const char *context, struct err *err)
{
	CLEANUP(json_decrefp) json_t *merged = new_merged();
	return merge_text(merged, text, "kubeconfig", folder, err) < 0 ? -1 : finish(out, merged, context, err);
}

int kube_config_files(struct kube_config *out, const char *paths, const char *context, struct err *err)
{
	CLEANUP(json_decrefp) json_t *merged = new_merged();
	str list = str_of(paths);
	size_t found = 0;
	for (size_t at = 0; at <= list.len;) {
		size_t end = str_find(list, ':', at);
		CLEANUP(mem_freep) char *path = mem_strndup(list.data + at, end - at);
		at = end + 1;
		if (!path[0] || !fd_exists(path))
			continue;
		if (merge_file(merged, path, err) < 0)
			return -1;
		found++;
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no kubeconfig at '%s'", paths);
	return finish(out, merged, context, err) < 0 ? err_wrap(err, "%s", paths) : 0;
}

static int load_file(struct kube_config *out, const char *path, const char *context, struct err *err)
{
	CLEANUP(json_decrefp) json_t *merged = new_merged();
	if (merge_file(merged, path, err) < 0)
		return -1;
	return finish(out, merged, context, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

int kube_config_in_cluster(struct kube_config *out, const char *folder, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	if (!host || !host[0] || !port || !port[0])
		return err_set(err, ERR_NOT_FOUND, "not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set");
	struct kube_config c = {.namespace_ = "default"};
	struct reader r = {.out = &c, .where = "service account", .err = err};
	bool v6 = strchr(host, ':');
	c.server = arena_printf(&c.arena, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	c.token_file = arena_printf(&c.arena, "%s/token", folder);
	str space = {0};
	CLEANUP(mem_freep) char *ca = fd_join(folder, "ca.crt");
	CLEANUP(mem_freep) char *space_file = fd_join(folder, "namespace");
	if (file_bytes(&r, ca, &c.tls.ca) < 0 || (fd_exists(space_file) && file_bytes(&r, space_file, &space) < 0)) {
		kube_config_done(&c);
		return -1;
	}
	space = str_trim(space);
	if (space.len)
		c.namespace_ = arena_strdup(&c.arena, space);
	*out = c;
	return 0;
}

int kube_config_load(struct kube_config *out, const char *path, const char *context, struct err *err)
{
	const char *listed = getenv("KUBECONFIG"), *home = getenv("HOME");
	if (path && path[0])
		return load_file(out, path, context, err);
	if (listed && listed[0])
		return kube_config_files(out, listed, context, err);
	if (getenv("KUBERNETES_SERVICE_HOST") && fd_exists(KUBE_SERVICE_ACCOUNT_FOLDER "/token"))
		return kube_config_in_cluster(out, KUBE_SERVICE_ACCOUNT_FOLDER, err);
	CLEANUP(mem_freep) char *standard = fd_join(home ? home : "/", ".kube/config");
	if (!fd_exists(standard))
		return err_set(err, ERR_NOT_FOUND, "no kubeconfig: give --kubeconfig or set KUBECONFIG (looked for a pod's service account and %s)", standard);
	return load_file(out, standard, context, err);
}

void kube_config_done(struct kube_config *c)
{
	arena_done(&c->arena);
	*c = (struct kube_config){0};
}
