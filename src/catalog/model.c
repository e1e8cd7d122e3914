/* model.c: finding rows of the catalogue by the names that Workspaces use, and facts that hang on a name alone. */
#include "catalog/model.h"

#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <strings.h>

/* What upstream v0.12 lists as artifacts: <registry>/kaito-<name>:<tag>. Only the tunable ones are still pulled. Sorted. */
const struct catalog_image CATALOG_IMAGES[] = {
	{"base", "0.5.0"},
	{"deepseek-r1-0528", "0.0.1"},
	{"deepseek-r1-distill-llama-8b", "0.2.0"},
	{"deepseek-r1-distill-qwen-14b", "0.2.0"},
	{"deepseek-v3-0324", "0.0.1"},
	{"falcon-40b", "0.2.0"},
	{"falcon-40b-instruct", "0.2.0"},
	{"falcon-7b", "0.2.0"},
	{"falcon-7b-instruct", "0.2.0"},
	{"gemma-3-27b-instruct", "0.0.1"},
	{"gemma-3-4b-instruct", "0.0.1"},
	{"gpt-oss-120b", "0.0.1"},
	{"gpt-oss-20b", "0.0.2"},
	{"llama-3.1-8b-instruct", "0.2.0"},
	{"llama-3.3-70b-instruct", "0.0.1"},
	{"ministral-3-14b-instruct", "0.0.1"},
	{"ministral-3-3b-instruct", "0.0.1"},
	{"ministral-3-8b-instruct", "0.0.1"},
	{"mistral-7b", "0.2.0"},
	{"mistral-7b-instruct", "0.2.0"},
	{"mistral-large-3-675b-instruct", "0.0.1"},
	{"phi-2", "0.2.0"},
	{"phi-3-medium-128k-instruct", "0.2.0"},
	{"phi-3-medium-4k-instruct", "0.2.0"},
	{"phi-3-mini-128k-instruct", "0.2.0"},
	{"phi-3-mini-4k-instruct", "0.2.0"},
	{"phi-3.5-mini-instruct", "0.2.0"},
	{"phi-4", "0.2.0"},
	{"phi-4-mini-instruct", "0.2.0"},
	{"qwen2.5-coder-32b-instruct", "0.2.0"},
	{"qwen2.5-coder-7b-instruct", "0.2.0"},
};
const size_t CATALOG_IMAGE_COUNT = sizeof CATALOG_IMAGES / sizeof CATALOG_IMAGES[0];

/* Names that upstream knows only to refuse them. Models it dropped without a word (falcon, llama-2) are unknown names. */
static const char *const DEPRECATED[] = {"phi-2"};

const struct catalog_model *catalog_model_find(const char *preset)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		if ((m->alias && strcasecmp(m->alias, preset) == 0) || strcasecmp(m->id, preset) == 0)
			return m;
	}
	return NULL;
}

const char *catalog_model_nearest(const char *preset)
{
	const char **names = mem_array(2 * CATALOG_MODEL_COUNT + 1, sizeof *names);
	size_t n = 0;
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		if (CATALOG_MODELS[i].alias)
			names[n++] = CATALOG_MODELS[i].alias;
		names[n++] = CATALOG_MODELS[i].id;
	}
	const char *nearest = str_nearest(str_of(preset), names);
	free(names);
	return nearest;
}

bool catalog_model_deprecated(const char *preset)
{
	for (size_t i = 0; i < sizeof DEPRECATED / sizeof DEPRECATED[0]; i++)
		if (strcasecmp(DEPRECATED[i], preset) == 0)
			return true;
	return false;
}

bool catalog_model_is_hub_name(const char *preset)
{
	const char *slash = strchr(preset, '/');
	return slash && slash > preset && slash[1];
}

static void put_lower(const char *text, char *out, size_t size)
{
	size_t n = 0;
	for (; text[n] && n + 1 < size; n++)
		out[n] = (char)tolower((unsigned char)text[n]);
	if (size)
		out[n] = 0;
}

void catalog_model_short_name(const struct catalog_model *m, char *out, size_t size)
{
	const char *slash = strrchr(m->id, '/');
	put_lower(slash ? slash + 1 : m->id, out, size);
}

void catalog_model_hub_id(const struct catalog_model *m, char *out, size_t size) { put_lower(m->id, out, size); }
