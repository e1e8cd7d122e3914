/* byte_level.c: see byte_level.h. The mapping is arithmetic over three ranges, no table. */
#include "token/byte_level.h"

#include "token/unicode.h"

/* Bytes that are not printable, in order, get U+0100 + their rank: 0x00-0x20, 0x7F-0xA0, 0xAD. */
static int32_t char_of(unsigned char b)
{
	if (b <= 0x20)
		return 0x100 + b;
	if (b >= 0x7F && b <= 0xA0)
		return 0x121 + (b - 0x7F);
	return b == 0xAD ? 0x143 : b;
}

int byte_level_byte(int32_t c)
{
	if (c >= 0x100 && c <= 0x120)
		return c - 0x100;
	if (c >= 0x121 && c <= 0x142)
		return c - 0x121 + 0x7F;
	if (c == 0x143)
		return 0xAD;
	return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || c > 0xFF ? -1 : c;
}

void byte_level_put(struct buf *out, unsigned char byte) { unicode_put(out, char_of(byte)); }

void byte_level_decode(struct buf *out, str token)
{
	size_t start = out->len;
	for (size_t i = 0; i < token.len;) {
		int32_t c;
		i += unicode_next(token, i, &c);
		int byte = byte_level_byte(c);
		if (byte < 0) {
			out->len = start;
			buf_put_str(out, token);
			return;
		}
		buf_putc(out, (char)byte);
	}
}
