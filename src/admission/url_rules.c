/* url_rules.c: which URLs a data source may have. The admission only refuses what is wrong by its text; names are not resolved here,
 * the download checks the address that it really connects to. */
#include "admission/rules.h"
#include "http/address.h"

#include <strings.h>

struct url_parts { str scheme, host; };

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/* Every percent sign is followed by two hex digits, and there are no control characters. */
static bool escapes_ok(str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
			return false;
		if (s.data[i] == '%' && (i + 2 >= s.len || !is_hex(s.data[i + 1]) || !is_hex(s.data[i + 2])))
			return false;
	}
	return true;
}

static str scheme_of(str s)
{
	size_t i = 0;
	while (i < s.len && (is_alpha(s.data[i]) || (i > 0 && (is_digit(s.data[i]) || strchr("+-.", s.data[i])))))
		i++;
	return i > 0 && i < s.len && s.data[i] == ':' ? str_sub(s, 0, i) : (str){0};
}

static bool port_ok(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.data[i]))
			return false;
	return true;
}

/* "host", "host:port", "[v6]", "[v6]:port" -> the host without port and brackets. */
static bool split_host(str authority, str *host)
{
	size_t end = 0;
	if (authority.len && authority.data[0] == '[') {
		end = str_find(authority, ']', 0);
		if (end == authority.len)
			return false;
		*host = str_sub(authority, 1, end++);
	} else {
		end = str_find(authority, ':', 0);
		*host = str_sub(authority, 0, end);
		for (size_t i = 0; i < host->len; i++)
			if (strchr(" \"<>\\^`{|}#[]", host->data[i]))
				return false;
	}
	if (end == authority.len)
		return true;
	return authority.data[end] == ':' && port_ok(str_sub(authority, end + 1, authority.len));
}

/* As Go's url.ParseRequestURI: an absolute URL, or a path from the root (host then empty). */
static bool parse(str s, struct url_parts *out)
{
	*out = (struct url_parts){0};
	size_t query = str_find(s, '?', 0);
	if (!escapes_ok(str_sub(s, 0, query)))
		return false;
	if (s.len && s.data[0] == '/')
		return true;
	out->scheme = scheme_of(s);
	if (out->scheme.len == 0)
		return false;
	str rest = str_sub(s, out->scheme.len + 1, query);
	if (!str_starts(rest, STR("//")))
		return true; /* without a host */
	str authority = str_sub(rest, 2, str_find(rest, '/', 2));
	for (size_t i = authority.len; i > 0; i--)
		if (authority.data[i - 1] == '@') {
			authority = str_sub(authority, i, authority.len);
			break;
		}
	return split_host(authority, &out->host);
}

bool url_rule_parses(const char *url)
{
	struct url_parts parts;
	return parse(str_of(url), &parts);
}

static bool is_local_name(str host)
{
	static const char *const NAMES[] = {"localhost", "metadata.google.internal", "metadata.google", "instance-data.ec2.internal"};
	if (host.len && host.data[host.len - 1] == '.')
		host.len--;
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
		if (host.len == strlen(NAMES[i]) && strncasecmp(host.data, NAMES[i], host.len) == 0)
			return true;
	return host.len > 10 && strncasecmp(host.data + host.len - 10, ".localhost", 10) == 0;
}

const char *url_rule_check(const char *url)
{
	struct url_parts parts;
	if (!parse(str_of(url), &parts) || parts.host.len == 0)
		return "invalid data source URL";
	str s = parts.scheme;
	if (!(s.len == 4 && strncasecmp(s.data, "http", 4) == 0) && !(s.len == 5 && strncasecmp(s.data, "https", 5) == 0))
		return "data source URL must use HTTP or HTTPS";
	if (is_local_name(parts.host))
		return "data source URL must not target a local or metadata endpoint";
	struct sockaddr_storage address;
	if (address_parse(parts.host, &address) && address_classify((struct sockaddr *)&address, NULL) != ADDRESS_PUBLIC)
		return "data source URL must not target a loopback, private, or link-local address";
	return NULL;
}
