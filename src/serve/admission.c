/* admission.c: who may ask, and when. Runs on the I/O threads before a request reaches a worker: no scripts of other web
 * sites (a browser on this machine would carry them to a loopback port), API keys (compared in constant time, as hashes,
 * so that neither content nor length leaks), then upstream's rate limit. */
#include "serve/routes.h"

#include "base/fd.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>

#define KEYS_MAX 4096

static void add_key(struct serve_keys *keys, str key)
{
	keys->hashes = mem_realloc(keys->hashes, (keys->n + 1) * sizeof *keys->hashes);
	SHA256((const unsigned char *)key.data, key.len, keys->hashes[keys->n++]);
}

int keys_load(struct serve_keys *keys, const char *path, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, LIMIT_YAML_BYTES, &text, err) < 0)
		return err_wrap(err, "read the API keys");
	for (size_t from = 0; from < text.len && keys->n < KEYS_MAX;) {
		size_t end = str_find(buf_str(&text), '\n', from);
		str line = str_trim(str_sub(buf_str(&text), from, end));
		if (line.len > 0 && line.data[0] != '#')
			add_key(keys, line);
		from = end + 1;
	}
	OPENSSL_cleanse(text.data, text.len);
	if (keys->n == 0)
		return err_set(err, ERR_CONFIG, "'%s' holds no API key; write one key a line", path);
	return 0;
}

void keys_done(struct serve_keys *keys)
{
	free(keys->hashes);
	*keys = (struct serve_keys){0};
}

static bool has_key(const struct http_exchange *x)
{
	const struct serve_keys *keys = &serve_of(x)->keys;
	if (keys->n == 0)
		return true;
	const char *header = http_header(x, "Authorization");
	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	unsigned char hash[32];
	str given = str_trim(str_of(header + 7));
	SHA256((const unsigned char *)given.data, given.len, hash);
	int found = 0;
	for (size_t i = 0; i < keys->n; i++)
		found |= CRYPTO_memcmp(hash, keys->hashes[i], sizeof hash) == 0;
	return found != 0;
}

static int waiting(const struct serve *s)
{
	struct engine_stats stats = {0};
	engine_stats(s->o.engine, &stats);
	int pending = atomic_load(&s->sequences) - s->max_sequences;
	return stats.waiting > pending ? stats.waiting : pending;
}

int admission_reply_full(struct http_exchange *x)
{
	struct serve *s = serve_of(x);
	char message[128];
	snprintf(message, sizeof message, "Too many requests: waiting queue (%d) exceeds max-num-seqs (%d).", waiting(s), s->max_sequences);
	metrics_add(s->metrics, METRIC_REJECTED, NULL, 1);
	http_reply_header(x, "Retry-After", "1");
	return error_reply(x, 429, "requests", NULL, "rate_limit_exceeded", message);
}

bool admission_guard(struct http_exchange *x)
{
	struct serve *s = serve_of(x);
	const char *site = http_header(x, "Sec-Fetch-Site");
	if (site && strcmp(site, "cross-site") == 0) {
		error_reply(x, 403, NULL, NULL, NULL, "pages of other web sites may not use this server");
		return true;
	}
	if (!has_key(x)) {
		http_reply_header(x, "WWW-Authenticate", "Bearer");
		error_reply(x, 401, NULL, NULL, "invalid_api_key", "a valid API key is needed: send the header \"Authorization: Bearer KEY\"");
		return true;
	}
	const struct endpoint *e = http_route(x)->detail;
	if (!e->limited || s->o.no_rate_limit || waiting(s) <= s->max_sequences)
		return false;
	admission_reply_full(x);
	return true;
}
