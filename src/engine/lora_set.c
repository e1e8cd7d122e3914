/* lora_set.c: from the PEFT form to the run-time form. */
#include "engine/lora_set.h"

#include "base/mem.h"
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

/* Lays the weights of all pairs out in the order of their use and returns how many bytes they take; base NULL: only that. */
static size_t lay_out(struct lora *l, const struct adapter *a, char *base)
{
	size_t at = 0;
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		const struct lora_pair *p = &a->pairs[i];
		size_t a_bytes = lora_bytes(l->type, p->k, p->rank), b_bytes = lora_bytes(l->type, p->n, p->rank);
		if (base && p->rank > 0) {
			l->weights[i].a = base + at;
			l->weights[i].b = base + at + a_bytes;
			lora_store_a(l->type, p->a, p->k, p->rank, l->weights[i].a);
			lora_store_b(l->type, p->b, p->n, p->rank, l->weights[i].b);
		}
		at += a_bytes + b_bytes;
	}
	return at;
}

/* One mapping on huge pages where the kernel gives them: every token reads all of it. */
static int map_weights(struct lora *l, const struct adapter *a, struct err *err)
{
	size_t bytes = (lay_out(l, a, NULL) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	l->bytes = bytes + HUGE_PAGE;
	l->pages = mem_map_pages(l->bytes, err);
	if (l->pages == NULL)
		return err_wrap(err, "adapter weights");
	char *base = (char *)l->pages + (HUGE_PAGE - (uintptr_t)l->pages % HUGE_PAGE);
	madvise(base, bytes, MADV_HUGEPAGE); /* a wish */
	lay_out(l, a, base);
	return 0;
}

int lora_new(struct lora **out, const struct adapter *a, float strength, enum lora_type type, struct err *err)
{
	struct lora *l = mem_alloc(sizeof *l);
	l->type = type;
	l->layers = a->layers;
	l->weights = mem_array((size_t)a->layers * LIN_COUNT, sizeof *l->weights);
	for (int32_t i = 0; i < a->layers * LIN_COUNT; i++)
		l->weights[i] = (struct lora_weights){.rank = a->pairs[i].rank, .scale = a->pairs[i].scale * strength};
	if (map_weights(l, a, err) < 0) {
		lora_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

int lora_open(struct lora **out, const struct model *m, const char *folder, float strength, enum lora_type type, struct err *err)
{
	struct adapter *a;
	if (adapter_open(&a, folder, m, err) < 0)
		return -1;
	int rc = lora_new(out, a, strength, type, err);
	adapter_close(a);
	return rc;
}

void lora_free(struct lora *l)
{
	if (l == NULL)
		return;
	mem_unmap_pages(l->pages, l->bytes);
	free(l->weights);
	free(l);
}
