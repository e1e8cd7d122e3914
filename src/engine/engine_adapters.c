/* engine_adapters.c: the table of loaded adapters. Reading and converting happens on the caller's thread; only the table entry is
 * made under the lock. A slot remembers the key of the weights that made its cache, so an adapter that replaces another
 * of the same name never meets its predecessor's keys and values. */
#include "engine/engine_internal.h"

#include <math.h>

static int32_t find(const struct engine *e, const char *name)
{
	for (int32_t i = 0; i < LIMIT_ADAPTERS; i++)
		if (e->adapters[i].lora && !e->adapters[i].leaving && strcmp(e->adapters[i].name, name) == 0)
			return i;
	return -1;
}

static void lock(const struct engine *e) { pthread_mutex_lock((pthread_mutex_t *)&e->mu); }
static void unlock(const struct engine *e) { pthread_mutex_unlock((pthread_mutex_t *)&e->mu); }

/* Called with mu held. */
static int enter(struct engine *e, const char *name, struct lora *lora, struct err *err)
{
	if (find(e, name) >= 0)
		return err_set(err, ERR_EXISTS, "an adapter named '%s' is loaded already", name);
	for (int32_t i = 0; i < LIMIT_ADAPTERS; i++) {
		struct adapter_entry *a = &e->adapters[i];
		if (a->lora)
			continue;
		*a = (struct adapter_entry){.lora = lora, .key = ++e->next_key};
		memcpy(a->name, name, strlen(name) + 1);
		return 0;
	}
	return err_set(err, ERR_LIMIT, "%d adapters are loaded; unload one first", LIMIT_ADAPTERS);
}

int engine_adapter_add(struct engine *e, const char *name, const char *folder, float strength, struct err *err)
{
	struct lora *lora;
	if (name[0] == 0 || strlen(name) >= sizeof e->adapters[0].name)
		return err_set(err, ERR_INVALID, "an adapter's name has 1 to %zu bytes", sizeof e->adapters[0].name - 1);
	if (!isfinite(strength) || fabsf(strength) > 100)
		return err_set(err, ERR_INVALID, "adapter '%s': strength must be a number from -100 to 100", name);
	enum lora_type type = e->options.compute == COMPUTE_F32 ? LORA_F32 : LORA_F16;
	if (lora_open(&lora, e->model, folder, strength, type, err) < 0)
		return -1; /* the message names the tensor or file; callers know which adapter they asked for */
	lock(e);
	int rc = enter(e, name, lora, err);
	unlock(e);
	if (rc < 0)
		lora_free(lora);
	return rc;
}

int engine_adapter_remove(struct engine *e, const char *name, struct err *err)
{
	lock(e);
	int32_t i = find(e, name);
	if (i < 0) {
		unlock(e);
		return err_set(err, ERR_NOT_FOUND, "no adapter named '%s' is loaded", name);
	}
	e->adapters[i].leaving = true;
	while (e->adapters[i].users > 0)
		pthread_cond_wait(&e->idle, &e->mu);
	struct lora *lora = e->adapters[i].lora;
	e->adapters[i] = (struct adapter_entry){0};
	unlock(e);
	lora_free(lora);
	return 0;
}

int32_t engine_adapter_find(const struct engine *e, const char *name)
{
	lock(e);
	int32_t i = find(e, name);
	unlock(e);
	return i;
}

size_t engine_adapter_list(const struct engine *e, char names[][128], size_t max)
{
	size_t n = 0;
	lock(e);
	for (int32_t i = 0; i < LIMIT_ADAPTERS && n < max; i++)
		if (e->adapters[i].lora && !e->adapters[i].leaving)
			memcpy(names[n++], e->adapters[i].name, sizeof names[0]);
	unlock(e);
	return n;
}
