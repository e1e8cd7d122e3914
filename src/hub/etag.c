/* etag.c: see etag.h. */
#include "hub/etag.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

static bool is_hex(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!(s.data[i] >= '0' && s.data[i] <= '9') && !(s.data[i] >= 'a' && s.data[i] <= 'f'))
			return false;
	return s.len > 0;
}

void etag_parse(const char *header, struct etag *out)
{
	*out = (struct etag){0};
	str s = str_trim(str_of(header ? header : ""));
	if (str_starts(s, STR("W/")))
		s = str_sub(s, 2, s.len);
	if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"')
		s = str_sub(s, 1, s.len - 1);
	if (!is_hex(s))
		return;
	if (s.len == 64)
		snprintf(out->sha256, sizeof out->sha256, "sha256:%.64s", s.data);
	else if (s.len == 40)
		snprintf(out->git, sizeof out->git, "%.40s", s.data);
}

/* sha1("blob SIZE\0" content) */
static int git_id(int fd, uint64_t size, EVP_MD_CTX *context, char out[41])
{
	char head[40], chunk[65536];
	unsigned char raw[20];
	int n = snprintf(head, sizeof head, "blob %" PRIu64, size);
	if (!EVP_DigestInit_ex(context, EVP_sha1(), NULL) || !EVP_DigestUpdate(context, head, (size_t)n + 1))
		return -1;
	for (;;) {
		ssize_t got = read(fd, chunk, sizeof chunk);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (got && !EVP_DigestUpdate(context, chunk, (size_t)got)))
			return -1;
		if (got == 0)
			break;
	}
	if (!EVP_DigestFinal_ex(context, raw, NULL))
		return -1;
	for (int i = 0; i < 20; i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

static int matches_git(const struct etag *tag, const char *path, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	char id[41];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int rc = context ? git_id(fd, (uint64_t)st.st_size, context, id) : -1;
	EVP_MD_CTX_free(context);
	return rc < 0 ? err_set(err, ERR_IO, "cannot read '%s'", path) : strcmp(id, tag->git) == 0;
}

int etag_matches_file(const struct etag *tag, const char *path, struct err *err)
{
	char digest[DIGEST_TEXT];
	if (tag->git[0])
		return matches_git(tag, path, err);
	if (!tag->sha256[0])
		return 0;
	return digest_of_file(path, digest, NULL, err) < 0 ? -1 : strcmp(digest, tag->sha256) == 0;
}
