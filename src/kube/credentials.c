/* credentials.c: see credentials.h. */
#include "kube/credentials.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "kube/exec_plugin.h"
#include <pthread.h>
#include <sys/stat.h>

#define EARLY_S 10 /* a plug-in's answer is renewed this long before it expires */

struct kube_credentials {
	const struct kube_config *config;
	const atomic_bool *cancel;
	pthread_mutex_t mu;           /* guards all below; held while a plug-in runs, as all would wait for it anyway */
	struct kube_credential *now;
	int64_t expires_s;            /* of now; 0: never */
	struct stat file;             /* the token file that now was read from */
};

void kube_credential_unref(struct kube_credential *c)
{
	if (!c || atomic_fetch_sub(&c->references, 1) > 1)
		return;
	free(c->authorization);
	free(c->cert);
	free(c->key);
	free(c);
}

struct kube_credentials *kube_credentials_new(const struct kube_config *config, const atomic_bool *cancel)
{
	struct kube_credentials *c = mem_alloc(sizeof *c);
	c->config = config;
	c->cancel = cancel;
	pthread_mutex_init(&c->mu, NULL);
	return c;
}

void kube_credentials_free(struct kube_credentials *c)
{
	if (!c)
		return;
	kube_credential_unref(c->now);
	pthread_mutex_destroy(&c->mu);
	free(c);
}

static struct kube_credential *new_credential(const struct kube_config *config)
{
	struct kube_credential *n = mem_alloc(sizeof *n);
	atomic_init(&n->references, 1);
	n->tls = config->tls;
	return n;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool file_changed(const struct kube_credentials *c)
{
	struct stat now;
	return c->config->token_file && stat(c->config->token_file, &now) == 0 && !same_file(&now, &c->file);
}

static bool is_current(const struct kube_credentials *c, uint64_t refused)
{
	if (!c->now || c->now->number == refused)
		return false;
	return !file_changed(c) && (!c->expires_s || clock_wall_s() < c->expires_s - EARLY_S);
}

static int read_token_file(struct kube_credentials *c, struct kube_credential *n, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct stat seen = {0};
	(void)!stat(c->config->token_file, &seen); /* before the reading: a file replaced meanwhile is read again next time */
	if (fd_read_file(c->config->token_file, LIMIT_KUBE_CREDENTIAL_BYTES, &text, err) < 0)
		return err_wrap(err, "service account token");
	str token = str_trim(buf_str(&text));
	n->authorization = mem_printf("Bearer %.*s", (int)token.len, token.data);
	c->file = seen;
	return 0;
}

static int run_plugin(struct kube_credentials *c, struct kube_credential *n, struct err *err)
{
	struct exec_credential got;
	if (exec_plugin_run(c->config, c->cancel, &got, err) < 0)
		return -1;
	n->authorization = got.token ? mem_printf("Bearer %s", got.token) : NULL;
	n->cert = got.cert;
	n->key = got.key;
	if (got.cert) {
		n->tls.cert = str_of(n->cert);
		n->tls.key = str_of(n->key);
	}
	c->expires_s = got.expires_s;
	free(got.token);
	return 0;
}

static int fill(struct kube_credentials *c, struct kube_credential *n, struct err *err)
{
	const struct kube_config *config = c->config;
	if (config->token_file)
		return read_token_file(c, n, err);
	if (config->exec.command)
		return run_plugin(c, n, err);
	if (config->token) {
		n->authorization = mem_printf("Bearer %s", config->token);
	} else if (config->username) {
		CLEANUP(mem_freep) char *pair = mem_printf("%s:%s", config->username, config->password ? config->password : "");
		CLEANUP(mem_freep) char *text = base64_encode(BASE64_STANDARD, str_of(pair));
		n->authorization = mem_printf("Basic %s", text);
	}
	return 0;
}

static int renew(struct kube_credentials *c, struct err *err)
{
	struct kube_credential *n = new_credential(c->config);
	if (fill(c, n, err) < 0) {
		kube_credential_unref(n);
		return -1;
	}
	n->number = c->now ? c->now->number + 1 : 1;
	kube_credential_unref(c->now);
	c->now = n;
	return 0;
}

int kube_credentials_get(struct kube_credentials *c, uint64_t refused, struct kube_credential **out, struct err *err)
{
	pthread_mutex_lock(&c->mu);
	int rc = is_current(c, refused) ? 0 : renew(c, err);
	if (rc == 0) {
		atomic_fetch_add(&c->now->references, 1);
		*out = c->now;
	}
	pthread_mutex_unlock(&c->mu);
	return rc;
}
