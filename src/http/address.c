/* address.c: the table of special-purpose address blocks (IANA registries of RFC 6890, plus the metadata services of the
 * large clouds). First match wins, so narrow rows stand above wide ones. IPv6 forms that carry an IPv4 address are
 * judged by that address, and are never better than private: nobody needs them to reach a public host. */
#include "http/address.h"

#include "base/mem.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

struct block { unsigned char prefix[16]; unsigned bits; enum address_class class; const char *name; };

/* To add a block: a row, narrow before wide, and a row in tests/http/test_address.c. */
static const struct block V4[] = {
	{{168, 63, 129, 16}, 32, ADDRESS_FORBIDDEN, "cloud metadata"}, /* Azure */
	{{100, 100, 100, 200}, 32, ADDRESS_FORBIDDEN, "cloud metadata"}, /* Alibaba */
	{{192, 0, 0, 0}, 24, ADDRESS_FORBIDDEN, "cloud metadata"}, /* Oracle's 192.0.0.192 in a protocol block */
	{{169, 254}, 16, ADDRESS_FORBIDDEN, "link-local and cloud metadata"},
	{{0}, 8, ADDRESS_FORBIDDEN, "unspecified"},
	{{10}, 8, ADDRESS_PRIVATE, "private"},
	{{100, 64}, 10, ADDRESS_PRIVATE, "carrier-grade NAT"},
	{{127}, 8, ADDRESS_PRIVATE, "loopback"},
	{{172, 16}, 12, ADDRESS_PRIVATE, "private"},
	{{192, 168}, 16, ADDRESS_PRIVATE, "private"},
	{{198, 18}, 15, ADDRESS_PRIVATE, "benchmarking"},
	{{224}, 4, ADDRESS_FORBIDDEN, "multicast"},
	{{240}, 4, ADDRESS_FORBIDDEN, "reserved"},
};
static const struct block V6[] = {
	{{[15] = 1}, 128, ADDRESS_PRIVATE, "loopback"},
	{{0}, 128, ADDRESS_FORBIDDEN, "unspecified"},
	{{0xfd, 0, 0x0e, 0xc2, [14] = 2, 0x54}, 128, ADDRESS_FORBIDDEN, "cloud metadata"}, /* fd00:ec2::254, AWS */
	{{0xfd, 0x20, 0, 0xce, [14] = 2, 0x54}, 128, ADDRESS_FORBIDDEN, "cloud metadata"}, /* fd20:ce::254, Google */
	{{0xfc}, 7, ADDRESS_PRIVATE, "unique local"},
	{{0xfe, 0x80}, 10, ADDRESS_FORBIDDEN, "link-local"},
	{{0xfe, 0xc0}, 10, ADDRESS_PRIVATE, "site-local"},
	{{0xff}, 8, ADDRESS_FORBIDDEN, "multicast"},
	{{0x01}, 64, ADDRESS_FORBIDDEN, "discard"},
};
/* Where an IPv4 address hides in an IPv6 one: the block and the byte at which it starts. */
static const struct { struct block block; size_t at; } EMBEDDED[] = {
	{{{[10] = 0xff, 0xff}, 96, ADDRESS_PRIVATE, "IPv4-mapped"}, 12},
	{{{0, 0x64, 0xff, 0x9b}, 96, ADDRESS_PRIVATE, "NAT64"}, 12},
	{{{0x20, 0x02}, 16, ADDRESS_PRIVATE, "6to4"}, 2},
	{{{0}, 96, ADDRESS_PRIVATE, "IPv4-compatible"}, 12},
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool in_block(const unsigned char *address, const struct block *b)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;
	if (memcmp(address, b->prefix, whole) != 0)
		return false;
	return rest == 0 || (address[whole] >> (8 - rest)) == (b->prefix[whole] >> (8 - rest));
}

static const struct block *find(const unsigned char *address, const struct block *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_block(address, &blocks[i]))
			return &blocks[i];
	return NULL;
}

static const struct block *classify_v6(const unsigned char *address)
{
	const struct block *b = find(address, V6, COUNT(V6));
	for (size_t i = 0; !b && i < COUNT(EMBEDDED); i++)
		if (in_block(address, &EMBEDDED[i].block)) {
			const struct block *inner = find(address + EMBEDDED[i].at, V4, COUNT(V4));
			b = inner ? inner : &EMBEDDED[i].block;
		}
	return b;
}

enum address_class address_classify(const struct sockaddr *sa, const char **range)
{
	static const struct block OTHER = {{0}, 0, ADDRESS_FORBIDDEN, "not an internet address"};
	static const struct block PUBLIC = {{0}, 0, ADDRESS_PUBLIC, "public"};
	const struct block *b = &OTHER;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		b = find((const unsigned char *)&in.sin_addr, V4, COUNT(V4));
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		b = classify_v6(in6.sin6_addr.s6_addr);
	}
	if (!b)
		b = &PUBLIC;
	if (range)
		*range = b->name;
	return b->class;
}

bool address_parse(str host, struct sockaddr_storage *out)
{
	if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = str_sub(host, 1, host.len - 1);
	host.len = str_find(host, '%', 0); /* a zone */
	char text[64];
	if (host.len == 0 || host.len >= sizeof text)
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = 0;
	memset(out, 0, sizeof *out);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	/* inet_aton also reads "0x7f.1" and "2130706433", which resolvers accept. */
	if (inet_aton(text, &in.sin_addr)) {
		memcpy(out, &in, sizeof in);
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		memcpy(out, &in6, sizeof in6);
		return true;
	}
	return false;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET) {
		struct sockaddr_in x, y;
		memcpy(&x, a, sizeof x);
		memcpy(&y, b, sizeof y);
		return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
	}
	struct sockaddr_in6 x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x.sin6_port == y.sin6_port && memcmp(&x.sin6_addr, &y.sin6_addr, 16) == 0;
}

static bool resolves_to(const char *host, const char *port, const struct sockaddr *sa)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	if (getaddrinfo(host, port, &hints, &list) != 0)
		return false;
	bool found = false;
	for (struct addrinfo *p = list; p && !found; p = p->ai_next)
		found = (p->ai_family == AF_INET || p->ai_family == AF_INET6) && same_address(p->ai_addr, sa);
	freeaddrinfo(list);
	return found;
}

static bool proxy_url_matches(const char *url, const struct sockaddr *sa)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL;
	bool match = false;
	if (u && !curl_url_set(u, CURLUPART_URL, url, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) &&
	    !curl_url_get(u, CURLUPART_HOST, &host, 0)) {
		/* 1080 is what libcurl takes for a proxy without a port. */
		if (curl_url_get(u, CURLUPART_PORT, &port, 0) != CURLUE_OK)
			port = NULL;
		size_t n = strlen(host);
		if (host[0] == '[' && host[n - 1] == ']') {
			host[n - 1] = 0;
			match = resolves_to(host + 1, port ? port : "1080", sa);
		} else {
			match = resolves_to(host, port ? port : "1080", sa);
		}
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return match;
}

bool address_is_proxy(const struct sockaddr *sa, const char *scheme)
{
	/* The names that libcurl reads; HTTP_PROXY in capitals is not one of them (CGI's "Proxy:" header sets it). */
	const char *const names[] = {strcmp(scheme, "https") == 0 ? "https_proxy" : "http_proxy",
				     strcmp(scheme, "https") == 0 ? "HTTPS_PROXY" : "http_proxy", "all_proxy", "ALL_PROXY"};
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *value = getenv(names[i]);
		if (value && value[0])
			return proxy_url_matches(value, sa);
	}
	return false;
}
