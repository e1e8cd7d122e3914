/* cache.c: an informer as a row describes it. Apart from operator.c, so that a test can have caches without the machinery. */
#include "operator/operator.h"

struct informer *operator_cache_new(struct kube_client *kube, const struct operator_cache *row, const struct kube_resource *resource,
				    void (*event)(void *context, enum informer_event event, const json_t *object), void *context)
{
	struct informer_options o = {
		.resource = resource ? resource : row->resource,
		.label_selector = row->label_selector,
		.transform = row->transform,
		.index = row->index,
		.quiet = row->quiet,
		.on_event = event,
		.context = context,
	};
	return informer_new(kube, &o);
}
