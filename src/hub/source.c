/* source.c: see source.h. */
#include "hub/source.h"

#include "base/mem.h"

#define NAME_MAX_LEN 96

bool source_path_is_safe(const char *path)
{
	if (!path[0] || strlen(path) > 1024)
		return false;
	for (const char *part = path;;) {
		size_t n = strcspn(part, "/");
		if (n == 0 || n > 255 || (n == 1 && part[0] == '.') || (n == 2 && memcmp(part, "..", 2) == 0))
			return false;
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)part[i] < 0x20 || part[i] == '\\' || part[i] == 0x7f)
				return false;
		if (!part[n])
			return true;
		part += n + 1;
	}
}

static bool name_ok(str s)
{
	if (s.len == 0 || s.len > NAME_MAX_LEN || s.data[0] == '-' || s.data[0] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
		if (!ok || (c == '.' && i + 1 < s.len && s.data[i + 1] == '.'))
			return false;
	}
	return true;
}

/* A revision ends at the next '/', but for the hub's own "refs/pr/7" and "refs/convert/parquet". */
static size_t revision_end(str s, size_t from)
{
	size_t end = str_find(s, '/', from);
	if (str_eqz(str_sub(s, from, end), "refs"))
		for (int i = 0; i < 2 && end < s.len; i++)
			end = str_find(s, '/', end + 1);
	return end;
}

static int bad(const char *text, struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, "'%.100s': %s; it is hf://[datasets/]ORG/NAME[@REVISION][/FILE]", text, why);
}

int source_parse(const char *text, struct source *out, struct err *err)
{
	str s = str_of(text);
	if (!str_starts(s, STR("hf://")))
		return bad(text, err, "not a model hub address");
	s = str_sub(s, 5, s.len);
	bool dataset = str_starts(s, STR("datasets/"));
	if (dataset || str_starts(s, STR("models/")))
		s = str_sub(s, dataset ? 9 : 7, s.len);
	size_t slash = str_find(s, '/', 0), at = slash < s.len ? slash + 1 : s.len;
	while (at < s.len && s.data[at] != '/' && s.data[at] != '@')
		at++;
	if (slash == s.len || !name_ok(str_sub(s, 0, slash)) || !name_ok(str_sub(s, slash + 1, at)))
		return bad(text, err, "ORG/NAME is missing or has odd characters");
	str revision = STR("main");
	size_t rest = at;
	if (at < s.len && s.data[at] == '@') {
		rest = revision_end(s, at + 1);
		revision = str_sub(s, at + 1, rest);
	}
	CLEANUP(mem_freep) char *rev = mem_strndup(revision.data, revision.len);
	CLEANUP(mem_freep) char *file = rest + 1 < s.len ? mem_strndup(s.data + rest + 1, s.len - rest - 1) : NULL;
	if (!source_path_is_safe(rev))
		return bad(text, err, "the revision is empty or has odd characters");
	if (file && !source_path_is_safe(file))
		return bad(text, err, "the file is not a plain relative path");
	out->dataset = dataset;
	out->repository = mem_strndup(s.data, at);
	out->revision = rev;
	out->file = file;
	rev = file = NULL;
	return 0;
}

void source_done(struct source *s)
{
	free(s->repository);
	free(s->revision);
	free(s->file);
	*s = (struct source){0};
}
