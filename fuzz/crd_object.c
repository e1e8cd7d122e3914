/* crd_object.c: any JSON as an object of each kind and version: checked, filled with defaults, read as a Workspace, hashed. Checking must
 * not complain more after defaults than before, and defaults are stable. */
#include "codec/json.h"
#include "crd/crd.h"
#include "crd/inference_set.h"
#include "crd/workspace_view.h"
#include <stdint.h>

static const char *const VERSIONS[] = {"kaito.sh/v1alpha1", "kaito.sh/v1beta1"};

static void one(const char *kind, const char *version, const json_t *given)
{
	json_t *object = json_deep_copy(given);
	struct buf out = {0};
	size_t before = crd_check(kind, version, object, &out);
	crd_default(kind, version, object);
	json_t *again = json_deep_copy(object);
	crd_default(kind, version, again);
	if (!json_equal(object, again) || crd_check(kind, version, object, &out) > before)
		abort();
	json_decref(again);
	json_decref(object);
	buf_done(&out);
}

static void view(const json_t *object)
{
	struct control_options options = control_options_default();
	struct workspace_view w;
	char hash[65];
	workspace_view_read(&w, object, &options);
	workspace_hash(&w, hash);
	inference_set_hash(object, hash);
	json_t *labels = workspace_match_labels(&w), *data = workspace_revision_data(&w), *set = inference_set_revision_data(object);
	json_decref(labels);
	json_decref(data);
	json_decref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *object = NULL;
	struct err err = ERR_INIT;
	if (json_parse(&object, (str){(const char *)data, size}, "object", &err) < 0)
		return 0;
	for (size_t i = 0; i < CRD_COUNT; i++)
		for (size_t v = 0; v < 2; v++)
			one(crd_kind(i), VERSIONS[v], object);
	view(object);
	json_decref(object);
	return 0;
}
