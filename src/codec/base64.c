/* base64.c: see base64.h. Own code, because OpenSSL's knows one alphabet, counts padding as bytes and tells no offset. */
#include "codec/base64.h"

#include "base/limits.h"
#include "base/mem.h"

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64_encode(enum base64_form form, str data)
{
	const char *alphabet = form == BASE64_STANDARD ? STANDARD : URL;
	char *out = mem_alloc(data.len / 3 * 4 + 5), *at = out;
	uint32_t bits = 0;
	int n = 0; /* bits that are left */
	for (size_t i = 0; i < data.len; i++) {
		bits = bits << 8 | (unsigned char)data.data[i];
		for (n += 8; n >= 6; n -= 6)
			*at++ = alphabet[bits >> (n - 6) & 63];
	}
	if (n > 0)
		*at++ = alphabet[bits << (6 - n) & 63];
	while (form == BASE64_STANDARD && (at - out) % 4)
		*at++ = '=';
	return out;
}

/* -1: no character of this form. */
static int value_of(enum base64_form form, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (form != BASE64_URL && (c == '+' || c == '/'))
		return c == '+' ? 62 : 63;
	if (form != BASE64_STANDARD && (c == '-' || c == '_'))
		return c == '-' ? 62 : 63;
	return -1;
}

static bool passed_over(enum base64_form form, char c) { return form == BASE64_STANDARD && (c == '\n' || c == '\r'); }

/* Reads characters up to the padding; returns where they end, *n of them. */
static size_t read_values(enum base64_form form, str text, char *out, size_t *len, size_t *n)
{
	uint32_t bits = 0;
	size_t i = 0;
	for (*n = *len = 0; i < text.len; i++) {
		int value = value_of(form, text.data[i]);
		if (value < 0 && passed_over(form, text.data[i]))
			continue;
		if (value < 0)
			break;
		bits = bits << 6 | (unsigned)value;
		size_t used = ++*n % 4; /* the first character of four completes no byte */
		if (used != 1)
			out[(*len)++] = (char)(unsigned char)(bits >> (used == 2 ? 4 : used == 3 ? 2 : 0));
	}
	return i;
}

/* Whether `n` characters may end here, at *i; past the padding on success. */
static bool read_end(enum base64_form form, str text, size_t n, size_t *i)
{
	size_t missing = form == BASE64_URL ? 0 : (4 - n % 4) % 4, padding = 0;
	for (; *i < text.len && padding < missing; ++*i) {
		if (text.data[*i] == '=')
			padding++;
		else if (!passed_over(form, text.data[*i]))
			return false;
	}
	while (*i < text.len && passed_over(form, text.data[*i]))
		++*i;
	return *i == text.len && n % 4 != 1 && (padding == missing || (padding == 0 && form == BASE64_ANY));
}

int base64_decode(enum base64_form form, str text, char **out, size_t *len, struct err *err)
{
	if (text.len > LIMIT_BASE64_BYTES)
		return err_set(err, ERR_LIMIT, "base64 of %zu bytes, at most %zu", text.len, LIMIT_BASE64_BYTES);
	char *bytes = mem_alloc(text.len / 4 * 3 + 4);
	size_t n, length, at = read_values(form, text, bytes, &length, &n);
	if (!read_end(form, text, n, &at)) {
		free(bytes);
		return err_set(err, ERR_INVALID, "not base64 at byte %zu", at);
	}
	bytes[length] = 0;
	*out = bytes;
	*len = length;
	return 0;
}
