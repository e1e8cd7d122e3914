/* plan.c: see plan.h. */
#include "workload/plan.h"

#include "crd/names.h"
#include <string.h>

/* What an annotation, a gate or the machine says, in that order. A GPU that upstream's images cannot use counts as none unless an
 * older image is named. */
enum runtime plan_runtime(const struct workspace_view *w, const struct control_options *o, const struct gpu_config *gpu)
{
	if (w->runtime_given)
		return w->runtime;
	bool old = gpu->gpus > 0 && gpu->compute_capability > 0 && gpu->compute_capability < 80;
	if (gpu->gpus == 0 || (old && !o->legacy_base_image))
		return RUNTIME_NATIVE;
	return w->runtime;
}
