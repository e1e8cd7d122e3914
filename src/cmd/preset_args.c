/* preset_args.c: see preset_args.h. */
#include "cmd/preset_args.h"

#include "base/mem.h"
#include "base/str.h"
#include "catalog/sku.h"
#include "codec/json.h"
#include "hub/token.h"
#include <math.h>
#include <stdio.h>
#include <strings.h>

enum { ONLINE_DEADLINE_MS = 30000 };

void preset_args_done(struct preset_args *a) { catalog_resolver_free(a->resolver); }

char **preset_args_words(int argc, char **argv)
{
	static char long_name[] = "--output";
	char **words = mem_array((size_t)argc + 1, sizeof *words);
	for (int i = 0; i < argc; i++)
		words[i] = strcmp(argv[i], "-o") == 0 ? long_name : argv[i];
	return words;
}

int preset_args_check(struct preset_args *a, struct err *err)
{
	const char *from_env = getenv("CLOUD_PROVIDER");
	if (!a->cloud)
		a->cloud = from_env && from_env[0] ? from_env : "azure";
	bool known = false;
	for (size_t i = 0; i < SKU_COUNT && !known; i++)
		known = strcasecmp(SKUS[i].cloud, a->cloud) == 0;
	if (!known)
		return err_set(err, ERR_USAGE, "unknown cloud '%s'; there are azure, aws and arc", a->cloud);
	a->json = a->output && strcmp(a->output, "json") == 0;
	if (a->output && !a->json && strcmp(a->output, "table") != 0)
		return err_set(err, ERR_USAGE, "-o takes table or json, not '%s'", a->output);
	return 0;
}

static int ask_hub(struct preset_args *a, const char *name, const struct catalog_model **out, struct err *err)
{
	CLEANUP(mem_freep) char *token = NULL;
	if (token_find(&token, err) < 0)
		return -1;
	a->resolver = catalog_resolver_new(NULL, NULL);
	return catalog_resolve(a->resolver, name, token, ONLINE_DEADLINE_MS, out, err);
}

int preset_args_find(struct preset_args *a, const char *name, const struct catalog_model **out, struct err *err)
{
	const struct catalog_model *m = catalog_model_find(name);
	if (m) {
		*out = m;
		return 0;
	}
	if (catalog_model_deprecated(name))
		return err_set(err, ERR_NOT_FOUND, "model %.60s is deprecated and no longer supported", name);
	if (a->online && catalog_model_is_hub_name(name))
		return ask_hub(a, name, out, err);
	const char *near = catalog_model_nearest(name);
	if (near)
		return err_set(err, ERR_NOT_FOUND, "unknown model '%.60s'; did you mean %s?", name, near);
	return err_set(err, ERR_NOT_FOUND, "unknown model '%.60s'; %s", name,
		       catalog_model_is_hub_name(name) ? "it is not in the catalogue: --online asks the model hub" : "'kaito models' lists the catalogue, ORG/NAME is a model of the hub");
}

const char *preset_args_name(const struct catalog_model *m) { return m->alias ? m->alias : m->id; }

void preset_args_print(json_t *value)
{
	struct buf text = {0};
	json_print(value, JSON_PRINT_INDENT, &text);
	puts(text.data);
	buf_done(&text);
	json_decref(value);
}

json_t *preset_args_gib(double gib) { return json_real(round(gib * 100) / 100); }
