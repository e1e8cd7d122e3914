/* base64url.c: see base64url.h. Over OpenSSL's base64, whose alphabet and padding are exchanged. */
#include "azure/base64url.h"

#include "base/mem.h"
#include <openssl/evp.h>

#define TEXT_MAX ((size_t)1 << 20)

char *base64url_encode(const void *data, size_t len)
{
	char *out = mem_alloc(len / 3 * 4 + 5);
	int n = EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	for (int i = 0; i < n; i++)
		out[i] = (char)(out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i] == '=' ? 0 : out[i]);
	return out;
}

char *base64url_decode(str text, size_t *len)
{
	while (text.len && text.data[text.len - 1] == '=')
		text.len--;
	if (!text.len || text.len > TEXT_MAX || text.len % 4 == 1)
		return NULL;
	size_t padding = (4 - text.len % 4) % 4, padded = text.len + padding;
	char *plain = mem_alloc(padded + 1), *out = mem_alloc(padded + 1);
	for (size_t i = 0; i < padded; i++) {
		char c = '=';
		if (i < text.len)
			c = text.data[i];
		plain[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	int n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)plain, (int)padded);
	free(plain);
	if (n < (int)padding || n == 0) {
		free(out);
		return NULL;
	}
	*len = (size_t)n - padding;
	out[*len] = 0;
	return out;
}
