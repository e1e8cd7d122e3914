/* targets.c: see targets.h. Patterns by layer (layers_to_transform, rank_pattern, alpha_pattern) are settled here too, so
 * that the rest of the room sees ranks and alphas only. */
#include "tune/targets.h"

#include "base/limits.h"
#include "contract/paths.h"
#include <regex.h>
#include <stdio.h>

/* PEFT's defaults by model type; others adapt queries and values, which are q_proj and v_proj, or the fused qkv_proj. */
static const char *const DEFAULT_MODULES[] = {"q_proj", "v_proj", "qkv_proj", NULL};

struct chooser {
	const char **items;       /* list form */
	size_t n;
	bool all, have_regex;
	regex_t regex;
};

static bool ends_with_module(const char *path, const char *item)
{
	size_t n = strlen(path), k = strlen(item);
	return k && k <= n && strcmp(path + n - k, item) == 0 && (k == n || path[n - k - 1] == '.');
}

static bool chosen(const struct chooser *c, const char *path)
{
	if (c->all)
		return true;
	if (c->have_regex)
		return regexec(&c->regex, path, 0, NULL, 0) == 0;
	for (size_t i = 0; i < c->n; i++)
		if (ends_with_module(path, c->items[i]))
			return true;
	return false;
}

static int chooser_from_string(struct chooser *c, const char *word, struct err *err)
{
	if (strcmp(word, "all-linear") == 0) {
		c->all = true;
		return 0;
	}
	if (!strpbrk(word, "*+?|()[]\\^$")) { /* a plain name means that module, not a path that is just this word */
		c->items = mem_array(1, sizeof *c->items);
		c->items[0] = word;
		c->n = 1;
		return 0;
	}
	CLEANUP(mem_freep) char *whole = mem_printf("^(%s)$", word);
	if (strlen(word) > 1024 || regcomp(&c->regex, whole, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(err, ERR_CONFIG, "LoraConfig.target_modules: '%.80s' is not a regular expression", word);
	c->have_regex = true;
	return 0;
}

static void chooser_from_environment(struct chooser *c, char *list)
{
	c->items = mem_array(strlen(list) + 1, sizeof *c->items);
	for (char *save = NULL, *word = strtok_r(list, ", ", &save); word; word = strtok_r(NULL, ", ", &save))
		c->items[c->n++] = word;
}

/* `storage` keeps the environment's words. */
static int chooser_open(struct chooser *c, const struct config_lora *lora, char **storage, struct err *err)
{
	const char *environment = getenv(ENV_TARGET_MODULES);
	if (lora->target_modules.len == 1)
		return chooser_from_string(c, lora->target_modules.items[0], err);
	if (lora->target_modules.len > 1) {
		c->n = lora->target_modules.len;
		c->items = mem_array(c->n, sizeof *c->items);
		memcpy(c->items, lora->target_modules.items, c->n * sizeof *c->items);
	} else if (environment && environment[0]) {
		*storage = mem_strdup(environment);
		chooser_from_environment(c, *storage);
	} else {
		c->items = mem_array(3, sizeof *c->items);
		for (; DEFAULT_MODULES[c->n]; c->n++)
			c->items[c->n] = DEFAULT_MODULES[c->n];
	}
	return 0;
}

static void chooser_close(struct chooser *c)
{
	free(c->items);
	if (c->have_regex)
		regfree(&c->regex);
}

static int layer_wanted(const json_t *layers, int32_t layer, int32_t count, bool *wanted, struct err *err)
{
	size_t n = json_is_array(layers) ? json_array_size(layers) : layers ? 1 : 0;
	*wanted = n == 0;
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_is_array(layers) ? json_array_get(layers, i) : layers;
		if (!json_is_integer(item) || json_integer_value(item) < 0 || json_integer_value(item) >= count)
			return err_set(err, ERR_CONFIG, "LoraConfig.layers_to_transform: must be layer numbers from 0 to %d", count - 1);
		*wanted |= json_integer_value(item) == layer;
	}
	return 0;
}

/* PEFT matches a pattern's key against the end of the path. */
static int from_pattern(const json_t *pattern, const char *name, const char *path, double low, double high, double *value, struct err *err)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)pattern, key, v) {
		if (!json_is_number(v) || !(json_number_value(v) >= low && json_number_value(v) <= high))
			return err_set(err, ERR_CONFIG, "LoraConfig.%s.%.60s: must be a number from %g to %g", name, key, low, high);
		if (ends_with_module(path, key))
			*value = json_number_value(v);
	}
	return 0;
}

static int choose_one(struct targets *t, const struct chooser *c, const struct config_lora *lora, int32_t layer, int slot, struct err *err)
{
	char path[128];
	bool wanted;
	double rank = (double)lora->r, alpha = lora->lora_alpha;
	snprintf(path, sizeof path, "model.layers.%d.%s", layer, model_linear_traits((enum linear_slot)slot)->peft);
	if (layer_wanted(lora->layers_to_transform, layer, t->layers, &wanted, err) < 0 ||
	    from_pattern(lora->rank_pattern, "rank_pattern", path, 1, LIMIT_LORA_RANK, &rank, err) < 0 ||
	    from_pattern(lora->alpha_pattern, "alpha_pattern", path, 0, 1e30, &alpha, err) < 0)
		return -1;
	if (!wanted || !chosen(c, path))
		return 0;
	size_t at = (size_t)layer * LIN_COUNT + (size_t)slot;
	t->ranks[at] = (int32_t)rank;
	t->alphas[at] = alpha;
	t->slots |= 1u << slot;
	return 0;
}

static int choose_all(struct targets *t, const struct model *m, const struct chooser *c, const struct config_lora *lora, struct err *err)
{
	for (int32_t layer = 0; layer < t->layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++)
			if (m->layers[layer].linear[slot].rows && choose_one(t, c, lora, layer, slot, err) < 0)
				return -1;
	if (t->slots)
		return 0;
	struct buf names = {0};
	for (int slot = 0; slot < LIN_COUNT; slot++)
		if (m->layers[0].linear[slot].rows)
			buf_printf(&names, "%s%s", names.len ? ", " : "", model_linear_traits((enum linear_slot)slot)->module);
	err_set(err, ERR_CONFIG, "LoraConfig.target_modules: no module of this model matches%s%s; it has %s", c->n ? " " : "", c->n ? c->items[0] : "", names.data);
	buf_done(&names);
	return -1;
}

static bool is_uniform(const struct targets *t, const struct config_lora *lora)
{
	for (int32_t layer = 0; layer < t->layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			size_t at = (size_t)layer * LIN_COUNT + (size_t)slot;
			bool expected = t->slots >> slot & 1;
			if ((t->ranks[at] != 0) != expected)
				return false;
			if (expected && (t->ranks[at] != lora->r || t->alphas[at] != lora->lora_alpha))
				return false;
		}
	return true;
}

int targets_choose(struct targets *t, const struct model *m, const struct config_lora *c, struct err *err)
{
	struct chooser chooser = {0};
	CLEANUP(mem_freep) char *storage = NULL;
	size_t pairs = (size_t)m->config.layers * LIN_COUNT;
	*t = (struct targets){.layers = m->config.layers, .ranks = mem_array(pairs, sizeof *t->ranks), .alphas = mem_array(pairs, sizeof *t->alphas)};
	int rc = chooser_open(&chooser, c, &storage, err);
	if (rc == 0)
		rc = choose_all(t, m, &chooser, c, err);
	chooser_close(&chooser);
	if (rc < 0) {
		targets_done(t);
		return -1;
	}
	for (int slot = 0; slot < LIN_COUNT; slot++)
		if (t->slots >> slot & 1)
			t->modules[t->n_modules++] = model_linear_traits((enum linear_slot)slot)->module;
	t->uniform = is_uniform(t, c);
	return 0;
}

void targets_done(struct targets *t)
{
	free(t->ranks);
	free(t->alphas);
	*t = (struct targets){0};
}
