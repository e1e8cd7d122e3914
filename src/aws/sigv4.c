/* sigv4.c: see sigv4.h. canonical request -> hash -> string to sign -> HMAC with a key derived from the day, region and service. */
#include "aws/sigv4.h"

#include "codec/digest.h"
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SECRET_MAX 256

void sigv4_time(int64_t unix_s, char out[17])
{
	time_t at = (time_t)unix_s;
	struct tm tm = {0};
	gmtime_r(&at, &tm);
	if (strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) != 16)
		memcpy(out, "19700101T000000Z", 17);
}

void sigv4_put_escaped(struct buf *out, str text)
{
	static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c && strchr(PLAIN, c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* "host;x-amz-date" */
static void put_names(struct buf *out, const struct sigv4_request *q)
{
	for (size_t i = 0; i < q->n_headers; i++)
		buf_printf(out, "%s%s", i ? ";" : "", q->headers[i].name);
}

/* Without space at the ends, one blank for several. */
static void put_value(struct buf *out, const char *value)
{
	str s = str_trim(str_of(value));
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != ' ' || s.data[i - 1] != ' ')
			buf_putc(out, s.data[i]);
}

char *sigv4_canonical(const struct sigv4_request *q)
{
	struct buf out = {0};
	char body[DIGEST_TEXT];
	digest_of(q->body.data ? q->body.data : "", q->body.len, body);
	buf_printf(&out, "%s\n%s\n%s\n", q->method, q->path[0] ? q->path : "/", q->query);
	for (size_t i = 0; i < q->n_headers; i++) {
		buf_printf(&out, "%s:", q->headers[i].name);
		put_value(&out, q->headers[i].value);
		buf_putc(&out, '\n');
	}
	buf_putc(&out, '\n');
	put_names(&out, q);
	buf_printf(&out, "\n%s", digest_hex(body));
	return buf_take(&out);
}

static void hmac(const unsigned char *key, size_t n, str text, unsigned char out[DIGEST_BYTES])
{
	unsigned int len = DIGEST_BYTES;
	if (!HMAC(EVP_sha256(), key, (int)n, (const unsigned char *)text.data, text.len, out, &len))
		abort(); /* out of memory, as digest.c */
}

static void signing_key(const struct sigv4_key *k, const char *day, unsigned char key[DIGEST_BYTES])
{
	char first[SECRET_MAX + 5];
	snprintf(first, sizeof first, "AWS4%.*s", SECRET_MAX, k->secret);
	hmac((const unsigned char *)first, strlen(first), (str){day, 8}, key);
	hmac(key, DIGEST_BYTES, str_of(k->region), key);
	hmac(key, DIGEST_BYTES, str_of(k->service), key);
	hmac(key, DIGEST_BYTES, STR("aws4_request"), key);
	OPENSSL_cleanse(first, sizeof first);
}

char *sigv4_authorization(const struct sigv4_request *q, const struct sigv4_key *k, const char *amz_date)
{
	CLEANUP(mem_freep) char *canonical = sigv4_canonical(q);
	char hash[DIGEST_TEXT];
	digest_of(canonical, strlen(canonical), hash);
	CLEANUP(mem_freep) char *to_sign = mem_printf(ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", amz_date, amz_date, k->region, k->service, digest_hex(hash));
	unsigned char key[DIGEST_BYTES], signature[DIGEST_BYTES];
	signing_key(k, amz_date, key);
	hmac(key, sizeof key, str_of(to_sign), signature);
	OPENSSL_cleanse(key, sizeof key);
	struct buf out = {0};
	buf_printf(&out, ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=", k->id, amz_date, k->region, k->service);
	put_names(&out, q);
	buf_puts(&out, ", Signature=");
	for (size_t i = 0; i < sizeof signature; i++)
		buf_printf(&out, "%02x", signature[i]);
	return buf_take(&out);
}
