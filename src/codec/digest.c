/* digest.c: see digest.h. OpenSSL picks the CPU's SHA instructions; a failure of its digest functions means it is
 * broken or out of memory, so it aborts as an allocation does. */
#include "codec/digest.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>

static void must(int ok)
{
	if (!ok) {
		fprintf(stderr, "kaito: the crypto library cannot compute sha256\n");
		abort();
	}
}

void digest_init(struct digest *d)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	must(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL));
	d->context = context;
}

void digest_update(struct digest *d, const void *data, size_t len) { must(EVP_DigestUpdate(d->context, data, len)); }

static void format(const unsigned char raw[DIGEST_BYTES], char text[DIGEST_TEXT])
{
	static const char HEX[] = "0123456789abcdef";
	memcpy(text, "sha256:", 7);
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		text[7 + 2 * i] = HEX[raw[i] >> 4];
		text[8 + 2 * i] = HEX[raw[i] & 15];
	}
	text[7 + 2 * DIGEST_BYTES] = 0;
}

void digest_finish(struct digest *d, char text[DIGEST_TEXT])
{
	unsigned char raw[DIGEST_BYTES];
	must(EVP_DigestFinal_ex(d->context, raw, NULL));
	format(raw, text);
}

void digest_done(struct digest *d)
{
	EVP_MD_CTX_free(d->context);
	d->context = NULL;
}

void digest_of(const void *data, size_t len, char text[DIGEST_TEXT])
{
	unsigned char raw[DIGEST_BYTES];
	must(EVP_Digest(len ? data : "", len, raw, NULL, EVP_sha256(), NULL));
	format(raw, text);
}

int digest_of_file(const char *path, char text[DIGEST_TEXT], uint64_t *size, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	CLEANUP(mem_freep) char *chunk = mem_alloc(1 << 20);
	CLEANUP(digest_done) struct digest d;
	digest_init(&d);
	uint64_t total = 0;
	for (;;) {
		ssize_t n = read(fd, chunk, 1 << 20);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_IO, errno, "cannot read '%s'", path);
		if (n == 0)
			break;
		digest_update(&d, chunk, (size_t)n);
		total += (uint64_t)n;
	}
	digest_finish(&d, text);
	if (size)
		*size = total;
	return 0;
}

bool digest_is_valid(str text)
{
	if (!str_starts(text, STR("sha256:")) || text.len != 71)
		return false;
	for (size_t i = 7; i < text.len; i++)
		if (!(text.data[i] >= '0' && text.data[i] <= '9') && !(text.data[i] >= 'a' && text.data[i] <= 'f'))
			return false;
	return true;
}

int digest_parse(str text, char out[DIGEST_TEXT], struct err *err)
{
	if (!str_starts(text, STR("sha256:")))
		return err_set(err, ERR_INVALID, "digest '%.*s' is not of the form sha256:<hex>", (int)(text.len > 80 ? 80 : text.len), text.data);
	if (!digest_is_valid(text))
		return err_set(err, ERR_INVALID, "digest '%.*s' needs 64 lower-case hex digits after sha256:",
			       (int)(text.len > 80 ? 80 : text.len), text.data);
	memcpy(out, text.data, text.len);
	out[text.len] = 0;
	return 0;
}
