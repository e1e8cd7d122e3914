/* fixture.h: a cluster read from tests/golden/validation/cluster.yaml, and manifests for the rules. */
#pragma once
#include "admission/validate.h"
#include "check_main.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "kube/meta.h"
#include "kube/selector.h"

static struct yaml_doc fixture_cluster;

static inline int fixture_get(void *context, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err)
{
	size_t i;
	json_t *item;
	(void)context;
	json_array_foreach(fixture_cluster.root, i, item)
		if (strcmp(json_text_at(item, "", "kind", NULL), kind) == 0 && strcmp(meta_name(item), name) == 0 &&
		    strcmp(meta_namespace(item), namespace_ ? namespace_ : "") == 0) {
			*out = json_incref(item);
			return 0;
		}
	return err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found", kind, name);
}

static inline int fixture_nodes(void *context, const json_t *match_labels, json_t **out, struct err *err)
{
	size_t i;
	json_t *item, *selector = json_pack("{s:O}", "matchLabels", match_labels);
	(void)context;
	(void)err;
	*out = json_array();
	json_array_foreach(fixture_cluster.root, i, item)
		if (strcmp(json_text_at(item, "", "kind", NULL), "Node") == 0 && selector_matches(selector, json_at(item, "metadata", "labels", NULL)))
			json_array_append(*out, item);
	json_decref(selector);
	return 0;
}

static const struct validate_lookup FIXTURE_LOOKUP = {.get = fixture_get, .nodes = fixture_nodes};

static inline struct yaml_doc fixture_read(const char *path)
{
	struct yaml_doc doc;
	struct err err = ERR_INIT;
	ck_assert_msg(yaml_parse_file(&doc, source_path(path), &err) == 0, "%s", err.message);
	return doc;
}

static inline void fixture_open(void) { fixture_cluster = fixture_read("tests/golden/validation/cluster.yaml"); }
static inline void fixture_close(void) { yaml_doc_done(&fixture_cluster); }

static inline int fixture_compare_words(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The list of SKUs in a refusal is a set: its words in order. */
static inline char *fixture_sorted_skus(const char *text)
{
	char *copy = mem_strdup(text), *from = strstr(copy, "Supported SKUs: [");
	char *to = from ? strchr(from, ']') : NULL, *words[128], *save = NULL;
	size_t n = 0;
	if (!to)
		return copy;
	from += strlen("Supported SKUs: [");
	char *list = mem_strndup(from, (size_t)(to - from));
	for (char *w = strtok_r(list, " ", &save); w && n < 128; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	qsort(words, n, sizeof *words, fixture_compare_words);
	struct buf out = {0};
	buf_put(&out, copy, (size_t)(from - copy));
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s%s", i ? " " : "", words[i]);
	buf_puts(&out, to);
	free(copy);
	free(list);
	return buf_take(&out);
}
