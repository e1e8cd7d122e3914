/* reference.c: see reference.h. The grammar is that of the distribution project; the messages are for people who copied
 * an example and left its placeholder in. */
#include "oci/reference.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "http/address.h"
#include <strings.h>

#define REPOSITORY_MAX 255
#define TAG_MAX 128

static bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_word(char c) { return is_lower_or_digit(c) || is_upper(c) || c == '_'; }

static int bad(str whole, struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, "image '%.*s': %s", (int)(whole.len > 100 ? 100 : whole.len), whole.data, why);
}

/* One component: runs of a-z0-9 separated by '.', '_', '__' or any number of '-'. */
static bool component_ok(str s)
{
	if (s.len == 0 || !is_lower_or_digit(s.data[0]) || !is_lower_or_digit(s.data[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		size_t run = i;
		while (run < s.len && !is_lower_or_digit(s.data[run]))
			run++;
		size_t n = run - i;
		for (size_t k = i; k < run; k++)
			if ((s.data[k] != '-' && s.data[k] != '.' && s.data[k] != '_') || s.data[k] != s.data[i])
				return false;
		if ((n > 1 && s.data[i] == '.') || (n > 2 && s.data[i] == '_'))
			return false;
		i = run;
	}
	return true;
}

static bool has_any(str s, const char *chars)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr(chars, s.data[i]) && s.data[i])
			return true;
	return false;
}

static bool has_upper(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_upper(s.data[i]))
			return true;
	return false;
}

static bool has_word(str s, str word)
{
	for (size_t i = 0; i + word.len <= s.len; i++)
		if (memcmp(s.data + i, word.data, word.len) == 0)
			return true;
	return false;
}

/* "{ACR_REPO_HERE}.azurecr.io/IMAGE_NAME_HERE", "<your-registry>/…", "$REGISTRY/…" */
static bool is_placeholder(str s)
{
	return has_any(s, "{}<>$") || has_word(s, STR("_HERE")) || has_word(s, STR("YOUR_"));
}

static int check_repository(str whole, str repository, struct err *err)
{
	if (repository.len == 0)
		return bad(whole, err, "the repository is missing after the registry");
	if (is_placeholder(repository))
		return bad(whole, err, "the repository is an example's placeholder; put your own there, in lower case");
	if (has_upper(repository))
		return bad(whole, err, "the repository has upper-case letters, which registries refuse; write it in lower case");
	if (repository.len > REPOSITORY_MAX)
		return bad(whole, err, "the repository is longer than 255 characters");
	for (size_t at = 0; at <= repository.len;) {
		size_t end = str_find(repository, '/', at);
		if (!component_ok(str_sub(repository, at, end)))
			return bad(whole, err, "parts of a repository are a-z and 0-9 with single '.', '_' or '-' between");
		at = end + 1;
	}
	return 0;
}

static bool port_ok(str s)
{
	int64_t port;
	return s.len && s.data[0] != '+' && s.data[0] != '-' && str_to_i64(s, &port) && port > 0 && port < 65536;
}

static int check_registry(str whole, str registry, struct err *err)
{
	if (is_placeholder(registry))
		return bad(whole, err, "the registry is an example's placeholder; put your own there");
	str host = registry;
	if (registry.data[0] == '[') {
		size_t end = str_find(registry, ']', 0);
		struct sockaddr_storage sa;
		if (end == registry.len || !address_parse(str_sub(registry, 0, end + 1), &sa))
			return bad(whole, err, "the registry's address in [] is not an IPv6 address");
		str rest = str_sub(registry, end + 1, registry.len);
		return rest.len == 0 || (rest.data[0] == ':' && port_ok(str_sub(rest, 1, rest.len))) ? 0 : bad(whole, err, "the registry's port is not a number");
	}
	size_t colon = str_find(registry, ':', 0);
	if (colon < registry.len && !port_ok(str_sub(registry, colon + 1, registry.len)))
		return bad(whole, err, "the registry's port is not a number between 1 and 65535");
	host.len = colon;
	if (host.len == 0 || host.len > 253)
		return bad(whole, err, "the registry's host name is missing or too long");
	for (size_t i = 0; i < host.len; i++)
		if (!is_word(host.data[i]) || host.data[i] == '_')
			if ((host.data[i] != '-' && host.data[i] != '.') || i == 0 || i + 1 == host.len)
				return bad(whole, err, "the registry is not a host name");
	return 0;
}

static int check_tag(str whole, str tag, struct err *err)
{
	if (tag.len == 0 || tag.len > TAG_MAX)
		return bad(whole, err, "a tag has 1 to 128 characters");
	for (size_t i = 0; i < tag.len; i++)
		if (!is_word(tag.data[i]) && (i == 0 || (tag.data[i] != '.' && tag.data[i] != '-')))
			return bad(whole, err, "a tag is made of letters, digits, '_', '.' and '-'");
	return 0;
}

/* The first part is a registry when it looks like a host: has a dot, a port, upper-case letters, or is localhost. */
static bool is_registry(str part)
{
	return has_any(part, ".:[{<$") || has_upper(part) || str_eqz(part, "localhost");
}

static char *registry_name(str registry)
{
	static const char *const ALIASES[] = {"index.docker.io", "registry-1.docker.io", "docker.io"};
	for (size_t i = 0; i < sizeof ALIASES / sizeof ALIASES[0]; i++)
		if (str_eqz(registry, ALIASES[i]))
			return mem_strdup("docker.io");
	return mem_strndup(registry.data, registry.len);
}

int reference_parse(str text, struct reference *out, struct err *err)
{
	str rest = text, registry = STR("docker.io"), tag = {0};
	char digest[DIGEST_TEXT] = "";
	if (text.len == 0 || text.len > 1024 || memchr(text.data, 0, text.len))
		return err_set(err, ERR_INVALID, "an image name has 1 to 1024 characters, such as ghcr.io/org/name:tag");
	if (has_word(text, STR("://")))
		return bad(text, err, "an image name has no scheme; leave out what stands before and with '://'");
	size_t at = str_find(rest, '@', 0);
	if (at < rest.len && digest_parse(str_sub(rest, at + 1, rest.len), digest, err) < 0)
		return err_wrap(err, "image '%.*s'", (int)(text.len > 60 ? 60 : text.len), text.data);
	rest.len = at;
	size_t slash = str_find(rest, '/', 0);
	if (slash < rest.len && is_registry(str_sub(rest, 0, slash))) {
		registry = str_sub(rest, 0, slash);
		rest = str_sub(rest, slash + 1, rest.len);
	}
	size_t colon = str_find(rest, ':', 0);
	if (colon < rest.len) {
		tag = str_sub(rest, colon + 1, rest.len);
		if (check_tag(text, tag, err) < 0)
			return -1;
		rest.len = colon;
	}
	if (check_registry(text, registry, err) < 0 || check_repository(text, rest, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *name = registry_name(registry);
	bool official = strcmp(name, "docker.io") == 0 && str_find(rest, '/', 0) == rest.len;
	if (official && rest.len + strlen("library/") > REPOSITORY_MAX)
		return bad(text, err, "the repository is longer than 255 characters");
	out->registry = name;
	name = NULL;
	out->repository = mem_printf("%s%.*s", official ? "library/" : "", STR_FMT(rest));
	out->tag = tag.len ? mem_strndup(tag.data, tag.len) : digest[0] ? NULL : mem_strdup("latest");
	out->digest = digest[0] ? mem_strdup(digest) : NULL;
	return 0;
}

void reference_done(struct reference *r)
{
	free(r->registry);
	free(r->repository);
	free(r->tag);
	free(r->digest);
	*r = (struct reference){0};
}

char *reference_format(const struct reference *r)
{
	return mem_printf("%s/%s%s%s%s%s", r->registry, r->repository, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest ? "@" : "",
			  r->digest ? r->digest : "");
}

const char *reference_api_host(const struct reference *r)
{
	return strcmp(r->registry, "docker.io") == 0 ? "registry-1.docker.io" : r->registry;
}

bool reference_is_loopback(const struct reference *r)
{
	str host = str_of(r->registry);
	if (host.data[0] == '[')
		host.len = str_find(host, ']', 0) + 1;
	else
		host.len = str_find(host, ':', 0);
	if (host.len == 9 && strncasecmp(host.data, "localhost", 9) == 0)
		return true;
	struct sockaddr_storage sa;
	const char *range = "";
	return address_parse(host, &sa) && address_classify((struct sockaddr *)&sa, &range) == ADDRESS_PRIVATE && strcmp(range, "loopback") == 0;
}
