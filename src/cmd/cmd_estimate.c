/* cmd_estimate.c: `kaito estimate`: how many nodes of an instance type a model takes and how their memory is divided; where it does not
 * fit, why, and what would. Works without network and cluster, with the controller's own formula. */
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/preset_args.h"

#include "base/mem.h"
#include "catalog/fit.h"
#include "workload/legacy.h"
#include "workload/native_workload.h"
#include <stdio.h>

enum { CHOICES = 3, NATIVE_CONTEXT = 4096 };

struct question {
	const struct catalog_model *m;
	const struct sku *sku;
	const char *cloud;
	int64_t context;
	bool json;
};

/* native_memory_gib counts two contexts of 4096 tokens; a longer one that is asked for is added. */
static double serving_gib(const struct question *q)
{
	double more = q->context > NATIVE_CONTEXT ? 2.0 * (double)(q->context - NATIVE_CONTEXT) * (double)q->m->kv_bytes_per_token / 1073741824.0 : 0;
	return native_memory_gib(q->m, false, false) + more;
}

/* --- instance types that would do --------------------------------------------------------------------------------- */

static size_t gpu_choices(const struct question *q, struct fit_choice out[CHOICES]) { return fit_smallest_gpu(q->cloud, q->m, q->context, out, CHOICES); }

static size_t cpu_choices(const struct question *q, struct fit_choice out[CHOICES])
{
	return native_supports(q->m) ? fit_smallest_cpu(q->cloud, serving_gib(q), out, CHOICES) : 0;
}

static json_t *choices_json(const struct question *q)
{
	struct fit_choice c[2 * CHOICES];
	json_t *list = json_array();
	size_t n = gpu_choices(q, c);
	n += cpu_choices(q, c + n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:i}", "instanceType", c[i].sku->name, "nodes", c[i].nodes));
	return list;
}

static void print_choices(const struct question *q)
{
	struct fit_choice c[2 * CHOICES];
	size_t n = gpu_choices(q, c);
	n += cpu_choices(q, c + n);
	puts(n ? "\nsmallest instance types that hold it:" : "\nno instance type of this cloud holds it");
	for (size_t i = 0; i < n; i++)
		if (c[i].sku->gpus)
			printf("  %d x %s (%d x %s, %.0f GiB)\n", c[i].nodes, c[i].sku->name, c[i].sku->gpus, c[i].sku->gpu_model, c[i].sku->gpu_gib);
		else
			printf("  1 x %s (%d CPUs, %.0f GiB, native runtime)\n", c[i].sku->name, c[i].sku->cpus, c[i].sku->memory_gib);
}

/* The report is on stdout; the exit code says that it does not fit. */
static int too_small(const struct question *q, const char *why, struct err *err)
{
	if (q->json)
		preset_args_print(json_pack("{s:s, s:s, s:b, s:s, s:o}", "model", q->m->id, "instanceType", q->sku->name, "fits", 0, "reason", why, "alternatives",
					    choices_json(q)));
	else
		print_choices(q);
	return err_set(err, ERR_NO_MEMORY, "%s does not fit on %s: %.140s", q->m->id, q->sku->name, why);
}

/* --- GPU machines ------------------------------------------------------------------------------------------------- */

static void print_fit(const struct question *q, const struct fit *f)
{
	int64_t limit = q->m->context_tokens;
	printf("%s on %s (%d x %s): %d node%s\n", q->m->id, q->sku->name, q->sku->gpus, q->sku->gpu_model, f->nodes, f->nodes == 1 ? "" : "s");
	printf("  %-12s %8.2f GiB a GPU, of which the server may use %.2f\n", "memory", f->per_gpu_gib, f->usable_gib);
	printf("  %-12s %8.2f GiB a GPU\n", "weights", f->weights_gib);
	printf("  %-12s %8.2f GiB a GPU, for %lld tokens\n", "KV cache", f->kv_gib, (long long)(q->context ? q->context : ESTIMATE_CONTEXT_TOKENS));
	printf("  %-12s %8.2f GiB a GPU\n", "overhead", f->overhead_gib);
	printf("  %-12s %8.2f GiB a GPU: %lld tokens fit in all, the model's context is %lld\n", "spare", f->spare_gib, (long long)f->tokens, (long long)limit);
	if (f->nodes > 1)
		puts("  more than one node: its parts talk over the network for every token; a machine with more GPU memory is faster");
}

static json_t *fit_json(const struct question *q, const struct fit *f)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:i, s:i, s:I, s:I}", "model", q->m->id, "instanceType", q->sku->name, "fits", 1, "runtime", "vllm", "nodes",
			      f->nodes, "gpusPerNode", f->gpus, "contextTokens", (json_int_t)(q->context ? q->context : ESTIMATE_CONTEXT_TOKENS), "tokensThatFit",
			      (json_int_t)f->tokens);
	json_object_set_new(o, "perGpuGiB", json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "memory", preset_args_gib(f->per_gpu_gib), "usable", preset_args_gib(f->usable_gib),
						      "weights", preset_args_gib(f->weights_gib), "kvCache", preset_args_gib(f->kv_gib), "overhead",
						      preset_args_gib(f->overhead_gib), "spare", preset_args_gib(f->spare_gib)));
	return o;
}

static int on_gpus(const struct question *q, struct err *err)
{
	const struct gpu_config gpu = sku_gpu_config(q->sku);
	struct fit f = {0};
	struct err why = ERR_INIT;
	if (fit_gpu(q->m, &gpu, q->context, &f, &why) < 0)
		return too_small(q, why.message, err);
	if (q->json)
		preset_args_print(fit_json(q, &f));
	else
		print_fit(q, &f);
	return 0;
}

/* --- CPU machines, and machines whose GPU upstream's images do not run on ----------------------------------------- */

struct native { double serve_gib, qlora_gib, lora_gib, tuning_s; /* a million tokens; 0: unknown */ };

static struct native native_needs(const struct question *q)
{
	return (struct native){serving_gib(q), native_memory_gib(q->m, true, true), native_memory_gib(q->m, true, false), legacy_tuning_seconds(q->m, q->sku->cpus, 1e6)};
}

static void print_native(const struct question *q, const struct native *n)
{
	printf("%s on %s (%d CPUs, %.0f GiB): native runtime\n", q->m->id, q->sku->name, q->sku->cpus, q->sku->memory_gib);
	if (q->sku->gpus)
		printf("  %s %s\n", q->sku->gpu_model,
		       q->sku->compute_capability ? "is too old for upstream's images: the work goes to the CPUs"
						  : "has no runtime: annotate kaito.sh/runtime: native, and the work goes to the CPUs");
	const struct { const char *name; double gib; } rows[] = {{"serve", n->serve_gib}, {"tune, qlora", n->qlora_gib}, {"tune, lora", n->lora_gib}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		printf("  %-12s %8.2f GiB%s\n", rows[i].name, rows[i].gib, fit_machine(q->sku, rows[i].gib) ? "" : "  does not fit");
	if (n->tuning_s > 0)
		printf("  tuning takes about %.1f hours a million tokens on CPUs of today, more on older ones\n", n->tuning_s / 3600);
}

static json_t *native_json(const struct question *q, const struct native *n)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:i, s:i, s:o, s:o}", "model", q->m->id, "instanceType", q->sku->name, "fits", fit_machine(q->sku, n->serve_gib),
			      "runtime", "native", "nodes", 1, "cpus", q->sku->cpus, "machineGiB", preset_args_gib(q->sku->memory_gib), "tuningHoursPerMillionTokens",
			      preset_args_gib(n->tuning_s / 3600));
	json_object_set_new(o, "processGiB", json_pack("{s:o, s:o, s:o}", "serve", preset_args_gib(n->serve_gib), "qlora", preset_args_gib(n->qlora_gib), "lora",
						       preset_args_gib(n->lora_gib)));
	if (!fit_machine(q->sku, n->serve_gib))
		json_object_set_new(o, "alternatives", choices_json(q));
	return o;
}

static int on_cpus(const struct question *q, struct err *err)
{
	char why[160];
	if (!native_supports(q->m)) {
		snprintf(why, sizeof why, "the native runtime does not have %s%s%s, and this machine has no GPU that the others can use", q->m->architecture,
			 q->m->quantization[0] ? " in " : "", q->m->quantization);
		return too_small(q, why, err);
	}
	struct native n = native_needs(q);
	bool fits = fit_machine(q->sku, n.serve_gib);
	if (q->json)
		preset_args_print(native_json(q, &n));
	else
		print_native(q, &n);
	if (fits)
		return 0;
	if (!q->json)
		print_choices(q);
	return err_set(err, ERR_NO_MEMORY, "%s needs about %.1f GiB to be served and %s has %.0f", q->m->id, n.serve_gib, q->sku->name, q->sku->memory_gib);
}

static int find_sku(struct question *q, const char *name, struct err *err)
{
	q->sku = sku_find(q->cloud, name);
	if (q->sku)
		return 0;
	const struct sku *elsewhere = sku_find(NULL, name);
	const char *near = sku_nearest(q->cloud, name);
	if (elsewhere)
		return err_set(err, ERR_NOT_FOUND, "%s is an instance type of %s; give --cloud %s", elsewhere->name, elsewhere->cloud, elsewhere->cloud);
	return err_set(err, ERR_NOT_FOUND, "unknown instance type '%.60s' of %s%s%s%s", name, q->cloud, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int cmd_estimate(int argc, char **argv, struct err *err)
{
	CLEANUP(preset_args_done) struct preset_args a = {0};
	const char *preset = NULL, *type = NULL;
	struct question q = {0};
	const struct flag flags[] = {
		PRESET_ARGS_FLAGS(&a),
		{"instance-type", "NAME", FLAG_STRING, &type, "machine to run on", true, 0, 0},
		{"max-model-len", "TOKENS", FLAG_INT, &q.context, "context that must fit (2048)", false, 1, 100000000},
		{"preset", "NAME", FLAG_STRING, &preset, "model: an alias or ORG/NAME", true, 0, 0},
	};
	CLEANUP(mem_freep) char **words = preset_args_words(argc, argv);
	int rc = flags_parse("estimate --preset NAME --instance-type NAME [--cloud NAME] [--max-model-len TOKENS] [-o table|json]", flags,
			     sizeof flags / sizeof flags[0], argc, words, NULL, 0, NULL, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (preset_args_check(&a, err) < 0 || preset_args_find(&a, preset, &q.m, err) < 0)
		return -1;
	if (q.context > q.m->context_tokens)
		return err_set(err, ERR_USAGE, "--max-model-len %lld exceeds the context of %s, %lld tokens", (long long)q.context, q.m->id, (long long)q.m->context_tokens);
	q.cloud = a.cloud;
	q.json = a.json;
	if (find_sku(&q, type, err) < 0)
		return -1;
	return fit_gpu_supported(q.sku) ? on_gpus(&q, err) : on_cpus(&q, err);
}
