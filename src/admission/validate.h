/* validate.h: admission rules of 2.3 to 2.6. Pure apart from the lookups that the caller lends. */
#pragma once
#include "base/buf.h"
#include "catalog/model.h"
#include "crd/options.h"
#include <jansson.h>

/* What rules ask about the cluster. Any function may be NULL: the rule is skipped and `unchecked` says so (kaito validate offline). */
struct validate_lookup {
	void *context;
	/* New reference; ERR_NOT_FOUND; ERR_UNSUPPORTED: nobody to ask, as without the function. kind "ConfigMap", "Secret", "PersistentVolumeClaim",
	 * "StorageClass", "CSIDriver". */
	int (*get)(void *context, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err);
	int (*nodes)(void *context, const json_t *match_labels, json_t **out, struct err *err); /* array */
	struct catalog_resolver *models; /* NULL: catalogue only */
	int64_t hub_deadline_ms;
};
struct validate_errors { struct buf text; size_t count; struct buf warnings; /* one a line */ struct buf unchecked; };
/* old NULL: CREATE. api_version of the request ("kaito.sh/v1alpha1"). Errors are appended in upstream's order, text and joints, so that
 * "validation failed: " + text is upstream's answer. */
void validate_object(const struct control_options *o, const struct validate_lookup *lookup, const char *kind, const char *api_version,
		     const json_t *object, const json_t *old, struct validate_errors *out);
void validate_errors_done(struct validate_errors *e);
