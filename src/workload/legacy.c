/* legacy.c: see legacy.h.
 *
 * The estimate is honest about its roughness. README.md, "Measured": a LoRA step of SmolLM2-135M (0.25 GiB in bfloat16) does 513 tokens a
 * second on two Zen 4 CPUs. Work per token grows with the weights, and CPUs share it evenly; the CPUs of machines with old GPUs have
 * neither AVX-512 nor such clocks, so the time is given from that rate to a third of it. How long the data is, is not known before the
 * pod reads it, so the unit is a million tokens. */
#include "workload/legacy.h"

#include "base/mem.h"
#include <math.h>
#include <stdio.h>

#define MEASURED_TOKENS_PER_SECOND 513.0
#define MEASURED_GIB 0.25
#define MEASURED_CPUS 2.0
#define OLD_CPU_FACTOR 3.0

double legacy_tuning_seconds(const struct catalog_model *m, int cpus, double tokens)
{
	if (!m || m->weights_gib <= 0 || cpus <= 0)
		return 0;
	return tokens / MEASURED_TOKENS_PER_SECOND * (m->weights_gib / MEASURED_GIB) * (MEASURED_CPUS / cpus);
}

/* "5 to 15 hours" */
static void print_range(double seconds, char out[64])
{
	static const struct { double seconds; const char *name; } UNITS[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}};
	double longest = seconds * OLD_CPU_FACTOR;
	size_t i = 0;
	while (i < 2 && longest < 2 * UNITS[i].seconds)
		i++;
	snprintf(out, 64, "%.0f to %.0f %s", fmax(1, round(seconds / UNITS[i].seconds)), fmax(2, ceil(longest / UNITS[i].seconds)), UNITS[i].name);
}

/* What is done instead, for a natively run Workspace. */
static char *native_text(const struct workload_plan *p)
{
	const struct sku *sku = sku_find(p->o->cloud, p->w->instance_type);
	double seconds = p->w->tuning && sku ? legacy_tuning_seconds(p->model, sku->cpus, 1e6) : 0;
	char range[64];
	if (seconds <= 0)
		return mem_printf("%s runs on the node's CPUs", p->w->preset);
	print_range(seconds, range);
	return mem_printf("%s is tuned on the node's %d CPUs, in about %s a million tokens", p->w->preset, sku->cpus, range);
}

static char *advice(const struct workload_plan *p)
{
	if (p->runtime != RUNTIME_NATIVE && p->o->legacy_base_image)
		return mem_printf("image %s is used instead", p->o->legacy_base_image);
	if (p->runtime != RUNTIME_NATIVE)
		return mem_strdup("pods will fail there; choose a newer GPU, or drop the runtime annotation to run on the CPU");
	char *what = native_text(p), *out = mem_printf("%s; faster: a newer GPU, or --legacy-base-image", what);
	free(what);
	return out;
}

bool legacy_message(const struct workload_plan *p, char *out, size_t size)
{
	if (size > 0)
		out[0] = 0;
	if (!p->legacy_gpu || size == 0)
		return false;
	char *text = advice(p);
	int capability = p->gpu.compute_capability;
	snprintf(out, size, "%s (compute capability %d.%d) is too old for kaito-base, which needs 8.0: %s", p->gpu.model && p->gpu.model[0] ? p->gpu.model : "the GPU",
		 capability / 10, capability % 10, text);
	free(text);
	return true;
}
