/* image_rules.c: image references by Docker's reference grammar (oci/reference.h), with the messages that its own parser gives, as
 * clients know them. */
#include "admission/rules.h"
#include "oci/reference.h"

#include <stdio.h>
#include <strings.h>

static bool has_upper(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] >= 'A' && s.data[i] <= 'Z')
			return true;
	return false;
}

/* What follows the registry, as Docker splits it. */
static str after_registry(str s)
{
	size_t slash = str_find(s, '/', 0);
	if (slash == s.len)
		return s;
	str head = str_sub(s, 0, slash);
	bool registry = str_find(head, '.', 0) < head.len || str_find(head, ':', 0) < head.len || str_eqz(head, "localhost") || has_upper(head);
	return registry ? str_sub(s, slash + 1, s.len) : s;
}

static bool is_image_id(str s)
{
	if (s.len != 64)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("0123456789abcdef", s.data[i]))
			return false;
	return true;
}

const char *image_rule_check(const char *image, char *buffer, size_t size)
{
	str text = str_of(image);
	if (is_image_id(text)) {
		snprintf(buffer, size, "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", image);
		return buffer;
	}
	str repository = after_registry(text);
	repository.len = str_find(repository, ':', 0);
	if (has_upper(repository)) {
		snprintf(buffer, size, "invalid reference format: repository name (%.*s) must be lowercase", (int)(repository.len > 256 ? 256 : repository.len), repository.data);
		return buffer;
	}
	struct reference r;
	struct err err = ERR_INIT;
	if (reference_parse(text, &r, &err) < 0)
		return strstr(err.message, "longer than 255") ? "repository name must not be more than 255 characters" : "invalid reference format";
	reference_done(&r);
	return NULL;
}
