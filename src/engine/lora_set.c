/* lora_set.c: from the PEFT form to the run-time form. */
#include "engine/lora_set.h"

#include "base/mem.h"

static size_t convert(struct lora_weights *w, const struct lora_pair *p, float strength)
{
	size_t a = (size_t)p->rank * (size_t)p->k, b = (size_t)p->rank * (size_t)p->n;
	*w = (struct lora_weights){.rank = p->rank, .scale = p->scale * strength};
	if (p->rank == 0)
		return 0;
	w->a = mem_array(a, sizeof(float));
	w->bt = mem_array(b, sizeof(float));
	memcpy(w->a, p->a, a * sizeof(float));
	for (int32_t n = 0; n < p->n; n++)
		for (int32_t r = 0; r < p->rank; r++)
			w->bt[(size_t)r * (size_t)p->n + (size_t)n] = p->b[(size_t)n * (size_t)p->rank + (size_t)r];
	return (a + b) * sizeof(float);
}

struct lora *lora_new(const struct adapter *a, float strength)
{
	struct lora *l = mem_alloc(sizeof *l);
	l->layers = a->layers;
	l->weights = mem_array((size_t)a->layers * LIN_COUNT, sizeof *l->weights);
	for (int32_t i = 0; i < a->layers * LIN_COUNT; i++)
		l->bytes += convert(&l->weights[i], &a->pairs[i], strength);
	return l;
}

int lora_open(struct lora **out, const struct model *m, const char *folder, float strength, struct err *err)
{
	struct adapter *a;
	if (adapter_open(&a, folder, m, err) < 0)
		return -1;
	*out = lora_new(a, strength);
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
