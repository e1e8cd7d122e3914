/* source.c: see source.h. */
#include "serve/source.h"

#include "base/fd.h"
#include "oci/oci.h"
#include <string.h>

int source_resolve(const char *word, const atomic_bool *cancel, char **path, struct err *err)
{
	if (fd_exists(word)) {
		*path = mem_strdup(word);
		return 0;
	}
	if (!oci_is_reference(word))
		return err_set(err, ERR_NOT_FOUND, "'%s' is neither a file, a folder nor an image reference", word);
	struct oci_options options = {.cancel = cancel};
	if (oci_pull_cached(word, &options, path, err) < 0)
		return err_wrap(err, "'%s' is no path here, so it was pulled", word);
	return 0;
}

char *source_name(const char *word)
{
	const char *end = word + strlen(word);
	while (end > word + 1 && end[-1] == '/')
		end--;
	const char *begin = end;
	while (begin > word && begin[-1] != '/')
		begin--;
	str name = {begin, (size_t)(end - begin)};
	if (str_ends(name, STR(".gguf")))
		name.len -= 5;
	else if (!fd_exists(word)) {
		name.len = str_find(name, '@', 0);
		name.len = str_find(name, ':', 0);
	}
	return mem_strndup(name.data, name.len);
}

/* An '@' also stands before an image's digest and may be in a path: only a number after it is a strength. */
int source_adapter_parse(const char *word, struct source_adapter *out, struct err *err)
{
	const char *equals = strchr(word, '='), *slash = strchr(word, '/');
	bool named = equals && (!slash || equals < slash);
	const char *source = named ? equals + 1 : word, *at = strrchr(source, '@');
	struct source_adapter a = {.strength = 1};
	bool strong = at && !fd_exists(source) && str_to_f64(str_of(at + 1), &a.strength);
	if (strong && !(a.strength >= -16 && a.strength <= 16))
		return err_set(err, ERR_USAGE, "--adapter %s: the strength must be between -16 and 16", word);
	a.source = strong ? mem_strndup(source, (size_t)(at - source)) : mem_strdup(source);
	a.name = named ? mem_strndup(word, (size_t)(equals - word)) : source_name(a.source);
	if (!a.name[0] || !a.source[0]) {
		source_adapter_done(&a);
		return err_set(err, ERR_USAGE, "--adapter %s: give NAME=PATH or NAME=IMAGE, with @STRENGTH if wanted", word);
	}
	*out = a;
	return 0;
}

void source_adapter_done(struct source_adapter *a)
{
	free(a->name);
	free(a->source);
}
