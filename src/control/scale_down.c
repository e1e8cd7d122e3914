/* scale_down.c: see scale_down.h. */
#include "control/scale_down.h"

#include "kube/meta.h"
#include <stdlib.h>
#include <string.h>

static const char *created(const struct scale_down_child *c)
{
	return json_text_at(c->child, "", "metadata", "creationTimestamp", NULL);
}

static int compare(const void *left, const void *right)
{
	const struct scale_down_child *a = left, *b = right;
	if (a->old_image != b->old_image)
		return a->old_image ? -1 : 1;
	if (a->ready != b->ready)
		return a->ready ? 1 : -1;
	int newest = strcmp(created(b), created(a));
	return newest ? newest : strcmp(meta_name(b->child), meta_name(a->child));
}

void scale_down_order(struct scale_down_child *children, size_t n, size_t surplus)
{
	size_t wanted = n - surplus, ready = 0, chosen = 0;
	qsort(children, n, sizeof *children, compare);
	for (size_t i = 0; i < n; i++)
		ready += children[i].ready;
	for (size_t i = 0; i < n && chosen < surplus; i++) {
		struct scale_down_child c = children[i];
		if (c.ready && ready <= wanted)
			continue; /* one that is not ready follows, as there are too few ready ones */
		ready -= c.ready;
		memmove(children + chosen + 1, children + chosen, (i - chosen) * sizeof c);
		children[chosen++] = c;
	}
}

bool scale_down_old_image(const json_t *statefulset, const char *tag)
{
	static const char BASE[] = "/kaito-base:";
	const char *image = json_text_at(statefulset, "", "spec", "template", "spec", "containers", "#0", "image", NULL), *at = strstr(image, BASE);
	return at && strcmp(at + sizeof BASE - 1, tag) != 0;
}
