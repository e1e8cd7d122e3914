/* token_arc.c: the identity of a machine that Azure Arc manages. The agent proves that the asker may read its files: it names a key file in
 * a challenge, whose content authorises the second request. Only files of the agent's own folder are read, whatever the challenge names. */
#include "azure/token_source.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX 4096
#define FROM "the Azure Arc agent"

static bool configured(const struct azure_environment *e) { return e->arc_endpoint[0]; }

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* The path after "Basic realm=", which must be FOLDER/NAME.key. */
static char *key_path(const char *challenge, const char *folder, struct err *err)
{
	static const char PREFIX[] = "Basic realm=";
	const char *path = challenge && strncasecmp(challenge, PREFIX, strlen(PREFIX)) == 0 ? challenge + strlen(PREFIX) : NULL;
	if (!path) {
		(void)err_set(err, ERR_PROTOCOL, FROM " did not name a key file");
		return NULL;
	}
	size_t n = strlen(folder), len = strcspn(path + (*path == '"'), "\", \t");
	path += *path == '"';
	bool inside = len > n + 5 && strncmp(path, folder, n) == 0 && path[n] == '/' && !memchr(path + n + 1, '/', len - n - 1) &&
		      strncmp(path + len - 4, ".key", 4) == 0;
	if (!inside) {
		(void)err_set(err, ERR_DENIED, FROM " names a key file that is not %s/*.key: not read", folder);
		return NULL;
	}
	return mem_strndup(path, len);
}

/* "Basic KEY"; NULL with err. */
static char *read_key(const char *path, struct err *err)
{
	char key[KEY_MAX + 1];
	struct stat st;
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_set_errno(err, ERR_DENIED, errno, "cannot read the key file of the Azure Arc agent (is this user in the group himds?)");
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > KEY_MAX) {
		(void)err_set(err, ERR_DENIED, "the key file of the Azure Arc agent is no file of at most %d bytes: not read", KEY_MAX);
		return NULL;
	}
	ssize_t got = read(fd, key, KEY_MAX);
	str text = str_trim((str){key, got > 0 ? (size_t)got : 0});
	char *authorization = text.len ? mem_printf("Basic %.*s", (int)text.len, text.data) : NULL;
	OPENSSL_cleanse(key, sizeof key);
	if (!authorization)
		(void)err_set(err, ERR_DENIED, "the key file of the Azure Arc agent is empty");
	return authorization;
}

static int fetch(const struct token_context *c, struct token_grant *out, struct err *err)
{
	const struct azure_environment *e = c->environment;
	CLEANUP(mem_freep) char *own = mem_printf("%s/metadata/identity/oauth2/token", e->arc_endpoint);
	CLEANUP(mem_freep) char *url = token_answer_url(e->identity_endpoint[0] ? e->identity_endpoint : own, "2019-11-01", e, false);
	CLEANUP(token_response_done) struct http_response first = {0};
	CLEANUP(token_response_done) struct http_response second = {0};
	if (token_answer_get(c, url, "Metadata: true", NULL, &first, err) < 0)
		return -1;
	if (first.status != 401)
		return token_answer_error(&first, FROM, "it should have asked for a key first", NULL, err);
	CLEANUP(mem_freep) char *path = key_path(http_response_header(&first, "www-authenticate"), c->arc_folder, err);
	CLEANUP(token_wipep) char *authorization = path ? read_key(path, err) : NULL;
	if (!authorization || token_answer_get(c, url, "Metadata: true", authorization, &second, err) < 0)
		return -1;
	if (second.status == 200)
		return token_answer_read(buf_str(&second.body), FROM, out, err);
	return token_answer_error(&second, FROM, "the key was refused", authorization + strlen("Basic "), err);
}

const struct token_source TOKEN_ARC = {"arc", configured, true, fetch};
