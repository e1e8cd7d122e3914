/* manifests.c: see manifests.h. A line that begins with "---" ends a document wherever it stands (YAML forbids it inside one), so the text
 * is cut there; each piece is parsed with as many empty lines before it as it had lines above, which keeps line numbers right. */
#include "cmd/manifests.h"

#include "base/fd.h"
#include "base/limits.h"
#include "codec/yaml.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

static int read_all(const char *path, struct buf *out, struct err *err)
{
	char chunk[8192];
	size_t n;
	if (strcmp(path, "-") != 0)
		return fd_read_file(path, LIMIT_YAML_BYTES, out, err);
	out->max = LIMIT_YAML_BYTES;
	while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
		buf_put(out, chunk, n);
	return out->overflow ? err_set(err, ERR_LIMIT, "standard input is larger than the limit of %zu bytes", LIMIT_YAML_BYTES) : 0;
}

static void add(manifest_list *list, json_t *object, int document, long line)
{
	size_t i;
	json_t *item;
	if (strcmp(json_text_at(object, "", "kind", NULL), "List") != 0) {
		vec_push(list, (struct manifest){json_incref(object), document, line});
		return;
	}
	json_array_foreach(json_object_get(object, "items"), i, item)
		vec_push(list, (struct manifest){json_incref(item), document, line});
}

static int parse_piece(const char *name, str piece, long line, int document, manifest_list *out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {.max = 2 * LIMIT_YAML_BYTES};
	struct yaml_doc doc;
	for (long i = 1; i < line; i++)
		buf_putc(&text, '\n');
	buf_put_str(&text, piece);
	if (yaml_parse(&doc, buf_str(&text), name, err) < 0)
		return -1;
	if (!json_is_null(doc.root))
		add(out, doc.root, document, doc.mark.line);
	yaml_doc_done(&doc);
	return 0;
}

static bool is_separator(str line)
{
	return str_starts(line, STR("---")) && (line.len == 3 || strchr(" \t\r", line.data[3]));
}

int manifests_read(const char *path, manifest_list *out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	if (read_all(path, &text, err) < 0)
		return -1;
	str all = buf_str(&text);
	size_t from = 0;
	long line = 1, first = 1;
	int document = 1;
	for (size_t at = 0; at <= all.len; line++) {
		size_t end = str_find(all, '\n', at);
		bool cut = is_separator(str_sub(all, at, end));
		if (cut || end >= all.len) {
			str piece = str_sub(all, from, cut ? at : all.len);
			bool empty = str_trim(piece).len == 0;
			if (!empty && parse_piece(name, piece, first, document, out, err) < 0)
				return -1;
			document += !empty;
			from = cut ? at + 3 : all.len;
			first = line;
		}
		at = end + 1;
	}
	return 0;
}

void manifests_done(manifest_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		json_decref(list->data[i].object);
	vec_done(list);
}
