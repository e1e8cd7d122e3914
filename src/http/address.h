/* address.h: which network addresses a download may reach. URLs come from users, model hubs and redirects; without this
 * check any of them could make the program read a cloud's metadata service or a service on the pod's network. */
#pragma once
#include "base/str.h"
#include <sys/socket.h>

enum address_class {
	ADDRESS_PUBLIC,
	ADDRESS_PRIVATE,    /* loopback, RFC 1918, carrier NAT, unique local …: reachable when allowed */
	ADDRESS_FORBIDDEN,  /* link-local and cloud metadata, multicast, unspecified: never */
};
enum address_reach {
	ADDRESS_REACH_PUBLIC,
	ADDRESS_REACH_PRIVATE,
	ADDRESS_REACH_ANY,  /* the operator chose the address, as in a kubeconfig */
};

/* *range (may be NULL) gets a word for messages: "loopback", "cloud metadata". Other families are forbidden. */
enum address_class address_classify(const struct sockaddr *sa, const char **range);
static inline bool address_allowed(enum address_class c, enum address_reach reach)
{
	return c == ADDRESS_PUBLIC || reach == ADDRESS_REACH_ANY || (c == ADDRESS_PRIVATE && reach == ADDRESS_REACH_PRIVATE);
}
/* A literal address as it stands in a URL's host ("10.0.0.1", "[::1]", "::1"); false when it is a name. */
bool address_parse(str host, struct sockaddr_storage *out);
/* Whether the address is the proxy that the environment names for this scheme ("http", "https"): the one address that
 * may be private although the target may not, because the operator chose it. */
bool address_is_proxy(const struct sockaddr *sa, const char *scheme);
