/* aws_sim_signature.c: AWS Signature Version 4, as a service judges it: what the Authorization header says about itself, the signature that
 * the request would have with the secret of its key, and the order in which refusals come. Requests are POSTs without a query, as all that
 * the services here take are.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
#include "simulate/aws_sim.h"

#include "base/clock.h"
#include "codec/digest.h"
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SKEW_S 300
enum { NAMES_MAX = 32 };

/* --- the header ---------------------------------------------------------------------------------------------------- */

/* "NAME=VALUE" of a comma-separated list, blanks between. */
static bool member(str list, const char *name, str *out)
{
	size_t n = strlen(name);
	for (size_t from = 0; from < list.len;) {
		size_t end = str_find(list, ',', from);
		str part = str_trim(str_sub(list, from, end));
		if (part.len > n && memcmp(part.data, name, n) == 0 && part.data[n] == '=')
			return *out = str_sub(part, n + 1, part.len), true;
		from = end + 1;
	}
	return false;
}

static bool next_part(str *rest, char separator, str *out)
{
	size_t at = str_find(*rest, separator, 0);
	if (at == rest->len || at == 0)
		return false;
	*out = str_sub(*rest, 0, at);
	*rest = str_sub(*rest, at + 1, rest->len);
	return true;
}

bool aws_sim_signature_parse(str header, struct aws_sim_authorization *out)
{
	str scope;
	*out = (struct aws_sim_authorization){0};
	if (!str_starts(header, STR(ALGORITHM " ")))
		return false;
	str list = str_sub(header, sizeof ALGORITHM, header.len);
	if (!member(list, "Credential", &scope) || !member(list, "SignedHeaders", &out->names) || !member(list, "Signature", &out->signature))
		return false;
	return next_part(&scope, '/', &out->id) && next_part(&scope, '/', &out->day) && next_part(&scope, '/', &out->region) && next_part(&scope, '/', &out->service) &&
	       str_eqz(scope, "aws4_request") && out->day.len == 8 && out->signature.len == 64;
}

/* --- the signature --------------------------------------------------------------------------------------------------- */

/* One blank for several, none at the ends. */
static void put_value(struct buf *out, const char *value)
{
	str s = str_trim(str_of(value));
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != ' ' || s.data[i - 1] != ' ')
			buf_putc(out, s.data[i]);
}

static bool put_headers(const struct aws_sim_signed *q, str names, struct buf *out)
{
	size_t count = 0;
	for (size_t from = 0; from < names.len; count++) {
		char name[80];
		size_t end = str_find(names, ';', from);
		snprintf(name, sizeof name, "%.*s", (int)(end - from < sizeof name ? end - from : sizeof name - 1), names.data + from);
		const char *value = q->header(q->context, name);
		if (!value || count == NAMES_MAX)
			return false;
		buf_printf(out, "%s:", name);
		put_value(out, value);
		buf_putc(out, '\n');
		from = end + 1;
	}
	return count > 0;
}

static void hmac(const void *key, size_t n, str text, unsigned char out[DIGEST_BYTES])
{
	unsigned int len = DIGEST_BYTES;
	if (!HMAC(EVP_sha256(), key, (int)n, (const unsigned char *)text.data, text.len, out, &len))
		abort(); /* out of memory, as codec/digest.c */
}

static void sign(const struct aws_sim_authorization *a, const char *secret, str to_sign, char out[65])
{
	unsigned char key[DIGEST_BYTES];
	CLEANUP(mem_freep) char *first = mem_printf("AWS4%s", secret);
	hmac(first, strlen(first), a->day, key);
	hmac(key, sizeof key, a->region, key);
	hmac(key, sizeof key, a->service, key);
	hmac(key, sizeof key, STR("aws4_request"), key);
	hmac(key, sizeof key, to_sign, key);
	for (size_t i = 0; i < sizeof key; i++)
		snprintf(out + 2 * i, 3, "%02x", key[i]);
}

bool aws_sim_signature_of(const struct aws_sim_signed *q, const struct aws_sim_authorization *a, const char *secret, char out[65])
{
	CLEANUP(buf_done) struct buf canonical = {0}, to_sign = {0};
	char hash[DIGEST_TEXT];
	const char *date = q->header(q->context, "x-amz-date");
	digest_of(q->body.data ? q->body.data : "", q->body.len, hash);
	buf_put_str(&canonical, q->method);
	buf_putc(&canonical, '\n');
	buf_put_str(&canonical, q->path);
	buf_puts(&canonical, "\n\n");
	if (!date || !put_headers(q, a->names, &canonical))
		return false;
	buf_putc(&canonical, '\n');
	buf_put_str(&canonical, a->names);
	buf_printf(&canonical, "\n%s", digest_hex(hash));
	digest_of(canonical.data, canonical.len, hash);
	buf_printf(&to_sign, ALGORITHM "\n%s\n%.8s/%.*s/%.*s/aws4_request\n%s", date, a->day.data, STR_FMT(a->region), STR_FMT(a->service), digest_hex(hash));
	sign(a, secret, buf_str(&to_sign), out);
	return true;
}

/* --- the judgement --------------------------------------------------------------------------------------------------- */

static const char *header_of(const void *context, const char *name) { return http_header(context, name); }

static bool refuse(struct sim_failure *f, int status, const char *code, const char *text)
{
	sim_errors_set(f, status, code, "%s", text);
	return false;
}

static bool names_header(str names, const char *name)
{
	for (size_t from = 0; from < names.len;) {
		size_t end = str_find(names, ';', from);
		if (str_eqz(str_sub(names, from, end), name))
			return true;
		from = end + 1;
	}
	return false;
}

/* "20150830T123600Z" */
static int64_t time_of(const char *date)
{
	char text[32];
	if (!date || strlen(date) != 16 || strspn(date, "0123456789TZ") != 16)
		return -1;
	snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", date, date + 4, date + 6, date + 9, date + 11, date + 13);
	return clock_of_rfc3339(text);
}

static bool scope_ok(const struct simulator *s, const struct sim_request *q, const struct aws_sim_authorization *a, const char *service, struct sim_failure *f)
{
	const char *date = http_header(q->x, "x-amz-date");
	int64_t at = time_of(date), now = clock_wall_s() + s->settings.clock_skew_s;
	if (at < 0 || !names_header(a->names, "host") || !names_header(a->names, "x-amz-date") ||
	    (http_header(q->x, "x-amz-security-token") && !names_header(a->names, "x-amz-security-token")))
		return refuse(f, 400, "IncompleteSignature", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, and that they, the host and the session token are signed.");
	if (!str_starts(str_of(date), a->day))
		return refuse(f, 403, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.");
	if (at < now - SKEW_S)
		return refuse(f, 400, "RequestExpired", "Request has expired.");
	if (at > now + SKEW_S)
		return refuse(f, 403, "SignatureDoesNotMatch", "Signature not yet current: the request's date is later than the service's clock allows (+ 5 min.)");
	if (!str_eqz(a->region, s->location))
		return refuse(f, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region.");
	if (!str_eqz(a->service, service))
		return refuse(f, 403, "SignatureDoesNotMatch", "Credential should be scoped to correct service.");
	return true;
}

static bool key_ok(const struct sim_request *q, const struct aws_sim_key *k, struct sim_failure *f)
{
	const char *token = http_header(q->x, "x-amz-security-token");
	if (!k || strcmp(token ? token : "", k->token) != 0)
		return refuse(f, 401, "AuthFailure", "AWS was not able to validate the provided access credentials");
	if (k->expires_s && clock_wall_s() >= k->expires_s)
		return refuse(f, 400, "RequestExpired", "Request has expired.");
	return true;
}

bool aws_sim_signature_check(struct simulator *s, const struct sim_request *q, const char *service, struct sim_failure *f)
{
	struct aws_sim_authorization a;
	struct aws_sim_key room;
	char want[65];
	const char *header = http_header(q->x, "Authorization");
	const struct aws_sim_signed all = {.method = q->method, .path = http_path(q->x), .body = http_body(q->x), .header = header_of, .context = q->x};
	if (!header)
		return refuse(f, 400, "MissingAuthenticationToken", "Request is missing Authentication Token");
	if (!aws_sim_signature_parse(str_of(header), &a))
		return refuse(f, 400, "IncompleteSignature", "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.");
	const struct aws_sim_key *key = aws_sim_keys_find(s, a.id, &room);
	if (!key_ok(q, key, f) || !scope_ok(s, q, &a, service, f))
		return false;
	if (!aws_sim_signature_of(&all, &a, key->secret, want) || CRYPTO_memcmp(want, a.signature.data, 64) != 0)
		return refuse(f, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. "
			      "Consult the service documentation for details.");
	return true;
}
