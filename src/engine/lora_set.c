/* lora_set.c: from the PEFT form to the run-time form. */
#include "engine/lora_set.h"

#include "base/mem.h"

static void convert(struct lora_weights *w, const struct lora_pair *p, float strength, enum lora_type type)
{
	*w = (struct lora_weights){.rank = p->rank, .scale = p->scale * strength};
	if (p->rank == 0)
		return;
	w->a = mem_alloc(lora_a_bytes(type, p->k, p->rank));
	w->b = mem_alloc(lora_b_bytes(type, p->n, p->rank));
	lora_store_a(type, p->a, p->k, p->rank, w->a);
	lora_store_b(type, p->b, p->n, p->rank, w->b);
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
		free(l->weights[i].b);
	}
	free(l->weights);
	free(l);
}
