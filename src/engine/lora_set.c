/* lora_set.c: from the PEFT form to the run-time form. */
#include "engine/lora_set.h"

#include "base/mem.h"

static void convert(struct lora_weights *w, const struct lora_pair *p, float strength, enum lora_type type)
{
	int64_t a = (int64_t)p->rank * p->k, b = (int64_t)p->rank * p->n;
	*w = (struct lora_weights){.rank = p->rank, .scale = p->scale * strength};
	if (p->rank == 0)
		return;
	w->a = mem_array((size_t)a, lora_element_bytes(type));
	w->bt = mem_array((size_t)b, lora_element_bytes(type));
	lora_store(type, p->a, a, w->a);
	float *bt CLEANUP(mem_freep) = mem_array((size_t)b, sizeof *bt);
	for (int64_t n = 0; n < p->n; n++)
		for (int64_t r = 0; r < p->rank; r++)
			bt[r * p->n + n] = p->b[n * p->rank + r];
	lora_store(type, bt, b, w->bt);
}

struct lora *lora_new(const struct adapter *a, float strength, enum lora_type type)
{
	struct lora *l = mem_alloc(sizeof *l);
	l->type = type;
	l->layers = a->layers;
	l->weights = mem_array((size_t)a->layers * LIN_COUNT, sizeof *l->weights);
	for (int32_t i = 0; i < a->layers * LIN_COUNT; i++)
		convert(&l->weights[i], &a->pairs[i], strength, type);
	return l;
}

int lora_open(struct lora **out, const struct model *m, const char *folder, float strength, enum lora_type type, struct err *err)
{
	struct adapter *a;
	if (adapter_open(&a, folder, m, err) < 0)
		return -1;
	*out = lora_new(a, strength, type);
	adapter_close(a);
	return 0;
}

void lora_free(struct lora *l)
{
	if (l == NULL)
		return;
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		free(l->weights[i].a);
		free(l->weights[i].bt);
	}
	free(l->weights);
	free(l);
}
