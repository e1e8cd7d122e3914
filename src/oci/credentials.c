/* credentials.c: see credentials.h. */
#include "oci/credentials.h"

#include "base/fd.h"
#include "codec/base64.h"
#include "codec/json.h"
#include <dirent.h>
#include <errno.h>

#define FILE_MAX ((size_t)1 << 20)

void credentials_done(struct credentials *c)
{
	free(c->user);
	free(c->password);
	free(c->identity_token);
	*c = (struct credentials){0};
}

char *credentials_basic(const struct credentials *c)
{
	CLEANUP(mem_freep) char *plain = mem_printf("%s:%s", c->user, c->password);
	return base64_encode(BASE64_STANDARD, str_of(plain));
}

/* The host and path that a key of `auths` stands for: without scheme and API version, Docker Hub's old names unified. */
static char *normal_key(const char *key)
{
	str s = str_of(key);
	if (str_starts(s, STR("https://")))
		s = str_sub(s, 8, s.len);
	else if (str_starts(s, STR("http://")))
		s = str_sub(s, 7, s.len);
	while (s.len && s.data[s.len - 1] == '/')
		s.len--;
	if (str_ends(s, STR("/v1")) || str_ends(s, STR("/v2")))
		s.len -= 3;
	if (str_eqz(s, "index.docker.io") || str_eqz(s, "registry-1.docker.io"))
		s = STR("docker.io");
	return mem_strndup(s.data, s.len);
}

/* How many characters of "registry/repository" the key covers; 0: it is for something else. */
static size_t match(const char *key, const char *wanted)
{
	CLEANUP(mem_freep) char *normal = normal_key(key);
	size_t n = strlen(normal);
	return n && strncmp(normal, wanted, n) == 0 && (wanted[n] == '/' || wanted[n] == 0) ? n : 0;
}

static const json_t *best_auth(const json_t *auths, const char *wanted)
{
	const json_t *best = NULL;
	size_t longest = 0;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)auths, key, value) {
		size_t n = match(key, wanted);
		if (n > longest && json_is_object(value) && json_object_size(value)) {
			longest = n;
			best = value;
		}
	}
	return best;
}

/* "dXNlcjpwdw==" -> user, password. */
static int decode_auth(const char *text, struct credentials *out)
{
	CLEANUP(mem_freep) char *plain = NULL;
	size_t n = 0;
	if (base64_decode(BASE64_STANDARD, str_of(text), &plain, &n, NULL) < 0)
		return -1;
	char *colon = strchr(plain, ':');
	if (!colon)
		return -1;
	out->user = mem_strndup(plain, (size_t)(colon - plain));
	out->password = mem_strdup(colon + 1);
	return 0;
}

static int read_auth(const json_t *entry, const char *path, struct credentials *out, struct err *err)
{
	const char *token = NULL, *auth = NULL, *user = NULL, *password = NULL;
	if (json_get_string(entry, "identitytoken", "auths", &token, err) < 0 || json_get_string(entry, "auth", "auths", &auth, err) < 0 ||
	    json_get_string(entry, "username", "auths", &user, err) < 0 || json_get_string(entry, "password", "auths", &password, err) < 0)
		return err_wrap(err, "%s", path);
	if (token && token[0]) {
		out->identity_token = mem_strdup(token);
		return 0;
	}
	if (auth && auth[0])
		return decode_auth(auth, out) == 0 ? 0 : err_set(err, ERR_CONFIG, "%s: an 'auth' value is not base64 of user:password", path);
	if (!user || !user[0])
		return 1;
	out->user = mem_strdup(user);
	out->password = mem_strdup(password ? password : "");
	return 0;
}

static int find_in_object(const json_t *root, const char *path, const char *registry, const char *wanted, struct credentials *out, struct err *err)
{
	const json_t *helpers = NULL, *auths = NULL;
	const char *store = NULL, *helper = NULL;
	if (json_get_object(root, "credHelpers", "", &helpers, err) < 0 || json_get_object(root, "auths", "", &auths, err) < 0 ||
	    json_get_string(root, "credsStore", "", &store, err) < 0)
		return err_wrap(err, "%s", path);
	if (helpers && json_get_string(helpers, registry, "credHelpers", &helper, err) < 0)
		return err_wrap(err, "%s", path);
	int rc = helper ? credentials_from_helper(helper, registry, out, err) : 1;
	const json_t *entry = rc == 1 && auths ? best_auth(auths, wanted) : NULL;
	if (entry)
		rc = read_auth(entry, path, out, err);
	if (rc == 1 && store && store[0])
		rc = credentials_from_helper(store, registry, out, err);
	return rc;
}

static void decref(json_t **value) { json_decref(*value); }

static int find_in_file(const char *path, const char *registry, const char *wanted, struct credentials *out, struct err *err)
{
	struct buf text = {0};
	struct err local = ERR_INIT;
	if (fd_read_file(path, FILE_MAX, &text, &local) < 0)
		return local.kind == ERR_NOT_FOUND || local.sys_errno == ENOTDIR ? 1 : err_set(err, local.kind, "%s", local.message);
	CLEANUP(decref) json_t *root = NULL;
	int rc = json_parse(&root, buf_str(&text), path, &local);
	buf_done(&text);
	if (rc < 0 || !json_is_object(root)) /* the parser's message could quote a secret */
		return err_set(err, ERR_CONFIG, "%s is not a JSON object with registry credentials", path);
	return find_in_object(root, path, registry, wanted, out, err);
}

static int find_in_folder_files(const char *folder, const char *registry, const char *wanted, struct credentials *out, struct err *err)
{
	static const char *const NAMES[] = {"config.json", ".dockerconfigjson"};
	int rc = 1;
	for (size_t i = 0; rc == 1 && i < 2; i++) {
		CLEANUP(mem_freep) char *path = fd_join(folder, NAMES[i]);
		rc = find_in_file(path, registry, wanted, out, err);
	}
	return rc;
}

/* The folder's own files, then those of config.d/<name>/, where pods mount one secret each. */
static int find_in_folder(const char *folder, const char *registry, const char *wanted, struct credentials *out, struct err *err)
{
	int rc = find_in_folder_files(folder, registry, wanted, out, err);
	CLEANUP(mem_freep) char *many = fd_join(folder, "config.d");
	DIR *d = rc == 1 ? opendir(many) : NULL;
	for (struct dirent *e; d && rc == 1 && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		CLEANUP(mem_freep) char *one = fd_join(many, e->d_name);
		rc = find_in_folder_files(one, registry, wanted, out, err);
	}
	if (d)
		closedir(d);
	return rc;
}

static int find_in_folders(const char *list, const char *registry, const char *wanted, struct credentials *out, struct err *err)
{
	int rc = 1;
	str s = str_of(list);
	for (size_t at = 0; rc == 1 && at < s.len;) {
		size_t end = str_find(s, ':', at);
		CLEANUP(mem_freep) char *folder = mem_strndup(s.data + at, end - at);
		if (folder[0])
			rc = find_in_folder(folder, registry, wanted, out, err);
		at = end + 1;
	}
	return rc;
}

int credentials_find(const char *registry, const char *repository, struct credentials *out, struct err *err)
{
	CLEANUP(mem_freep) char *wanted = mem_printf("%s/%s", registry, repository);
	const char *file = getenv("REGISTRY_AUTH_FILE"), *folders = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int rc = file && file[0] ? find_in_file(file, registry, wanted, out, err) : 1;
	if (rc == 1 && folders && folders[0]) {
		rc = find_in_folders(folders, registry, wanted, out, err);
	} else if (rc == 1 && home) {
		CLEANUP(mem_freep) char *docker = fd_join(home, ".docker");
		rc = find_in_folder(docker, registry, wanted, out, err);
	}
	if (rc == 1 && runtime && runtime[0]) {
		CLEANUP(mem_freep) char *path = fd_join(runtime, "containers/auth.json");
		rc = find_in_file(path, registry, wanted, out, err);
	}
	if (rc == 1 && home) {
		CLEANUP(mem_freep) char *path = fd_join(home, ".config/containers/auth.json");
		rc = find_in_file(path, registry, wanted, out, err);
	}
	return rc;
}
