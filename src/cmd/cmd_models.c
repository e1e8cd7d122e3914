/* cmd_models.c: `kaito models`: the catalogue, or all there is to know about one model. Works without network and cluster. */
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/preset_args.h"

#include "base/buf.h"
#include "catalog/fit.h"
#include "workload/native_workload.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GIB 1073741824.0
enum { CPU_CHOICES = 3 };
static const int64_t CONTEXTS[] = {2048, 8192, 32768, 131072, 1048576};
enum { CONTEXT_COUNT = sizeof CONTEXTS / sizeof CONTEXTS[0] };

/* --- the list ----------------------------------------------------------------------------------------------------- */

static void print_list(void)
{
	int width = 0;
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		int len = (int)strlen(preset_args_name(&CATALOG_MODELS[i]));
		width = len > width ? len : width;
	}
	printf("%-*s  %8s  %8s  %-5s  %-4s  %-4s  %s\n", width, "PRESET", "GIB", "CONTEXT", "TUNE", "CPU", "HF", "ARCHITECTURE");
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		printf("%-*s  %8.2f  %8lld  %-5s  %-4s  %-4s  %s\n", width, preset_args_name(m), m->weights_gib, (long long)m->context_tokens,
		       m->tunable ? "yes" : "", m->cpu && native_supports(m) ? "yes" : "", m->gated ? "yes" : "", m->architecture);
	}
}

static json_t *brief(const struct catalog_model *m)
{
	return json_pack("{s:s, s:s?, s:s, s:o, s:I, s:s, s:b, s:b, s:b, s:b}", "id", m->id, "alias", m->alias, "license", m->license, "weightsGiB",
			 preset_args_gib(m->weights_gib), "contextTokens", (json_int_t)m->context_tokens, "architecture", m->architecture, "tunable", m->tunable,
			 "cpu", m->cpu && native_supports(m), "gated", m->gated, "transformers", m->transformers);
}

static void list_json(void)
{
	json_t *list = json_array();
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++)
		json_array_append_new(list, brief(&CATALOG_MODELS[i]));
	preset_args_print(list);
}

/* --- one model, for machines -------------------------------------------------------------------------------------- */

/* Why the type is none of those that serve the model as they are; NULL: it is one. */
static const char *reservation(const struct sku *s)
{
	if (fit_gpu_supported(s))
		return NULL;
	return s->compute_capability ? "GPU older than upstream's images: the native runtime uses its CPUs" : "no runtime for this accelerator";
}

static json_t *types_json(const char *cloud, const struct catalog_model *m)
{
	json_t *list = json_array();
	for (size_t i = 0; i < SKU_COUNT; i++) {
		const struct sku *s = &SKUS[i];
		struct estimate e = {0};
		struct err why = ERR_INIT;
		const struct gpu_config gpu = sku_gpu_config(s);
		if (strcasecmp(s->cloud, cloud) != 0 || s->gpus == 0)
			continue;
		bool fits = estimate_nodes(m, &gpu, 0, &e, &why) == 0;
		json_t *row = json_pack("{s:s, s:i, s:o, s:s}", "name", s->name, "gpus", s->gpus, "gpuGiB", preset_args_gib(s->gpu_gib), "gpu", s->gpu_model);
		json_object_set_new(row, fits ? "nodes" : "tooSmall", fits ? json_integer(e.nodes) : json_string(why.message));
		if (reservation(s))
			json_object_set_new(row, "note", json_string(reservation(s)));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *native_json(const struct catalog_model *m)
{
	if (!native_supports(m))
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "serveGiB", preset_args_gib(native_memory_gib(m, false, false)), "qloraGiB",
			 preset_args_gib(native_memory_gib(m, true, true)), "loraGiB", preset_args_gib(native_memory_gib(m, true, false)));
}

static json_t *cache_json(const struct catalog_model *m)
{
	json_t *cache = json_object();
	for (size_t i = 0; i < CONTEXT_COUNT && CONTEXTS[i] <= m->context_tokens; i++) {
		char key[24];
		snprintf(key, sizeof key, "%lld", (long long)CONTEXTS[i]);
		json_object_set_new(cache, key, preset_args_gib((double)CONTEXTS[i] * (double)m->kv_bytes_per_token / GIB));
	}
	return cache;
}

static json_t *tuning_json(const struct catalog_model *m)
{
	if (!m->tunable)
		return json_null();
	return json_pack("{s:s, s:i, s:o}", "image", m->tuning_image, "diskGiB", m->tuning_disk_gib, "memoryGiB", preset_args_gib(m->tuning_gib));
}

static void one_json(const char *cloud, const struct catalog_model *m)
{
	json_t *o = brief(m);
	json_t *more = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:o}", "attention", m->attention, "quantization", m->quantization, "dtype", m->dtype,
				 "baseModel", m->base_model, "diskGiB", m->disk_gib, "startupMinutes", m->startup_minutes, "kvBytesPerToken",
				 (json_int_t)m->kv_bytes_per_token, "kvCacheGiB", cache_json(m));
	json_object_update(o, more);
	json_decref(more);
	json_object_set_new(o, "dimensions", json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "layers", m->layers, "hidden", m->hidden, "heads", m->heads, "kvHeads",
						       m->kv_heads, "headDim", m->head_dim, "kvLoraRank", m->kv_lora_rank, "qkRopeDim", m->qk_rope_dim));
	json_object_set_new(o, "vllm", json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "loadFormat", m->load_format, "configFormat", m->config_format, "tokenizerMode",
						 m->tokenizer_mode, "toolCallParser", m->tool_parser, "reasoningParser", m->reasoning_parser, "chatTemplate",
						 m->chat_template, "extraArgs", m->extra_args));
	json_object_set_new(o, "tuning", tuning_json(m));
	json_object_set_new(o, "native", native_json(m));
	json_object_set_new(o, "cloud", json_string(cloud));
	json_object_set_new(o, "instanceTypes", types_json(cloud, m));
	preset_args_print(o);
}

/* --- one model, for people ---------------------------------------------------------------------------------------- */

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(const char *name, const char *fmt, ...)
{
	va_list args;
	printf("  %-14s", name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

static void print_shape(const struct catalog_model *m)
{
	line("architecture", "%s: %d layers of %d, %d heads of %d, %d for keys and values (%s)", m->architecture, m->layers, m->hidden, m->heads, m->head_dim,
	     m->kv_heads, m->attention);
	line("weights", "%.2f GiB, %s; disk %d GiB", m->weights_gib, m->quantization[0] ? m->quantization : m->dtype, m->disk_gib);
	struct buf cache = {0};
	for (size_t i = 0; i < CONTEXT_COUNT && CONTEXTS[i] <= m->context_tokens; i++)
		buf_printf(&cache, "%s%.2f GiB at %lld", i ? ", " : "", (double)CONTEXTS[i] * (double)m->kv_bytes_per_token / GIB, (long long)CONTEXTS[i]);
	line("context", "%lld tokens of %.1f KiB%s%s", (long long)m->context_tokens, (double)m->kv_bytes_per_token / 1024, cache.len ? ": " : "", cache.len ? cache.data : "");
	buf_done(&cache);
}

static void print_use(const struct catalog_model *m)
{
	bool native = native_supports(m);
	line("access", "%s", m->gated ? "gated: its terms must be accepted, HF_TOKEN goes into presetOptions.modelAccessSecret" : "open");
	line("runtimes", "vllm%s%s", m->transformers ? ", transformers" : "", native ? ", native" : "");
	if (native)
		line("native memory", "serve %.1f GiB, qlora %.1f GiB, lora %.1f GiB", native_memory_gib(m, false, false), native_memory_gib(m, true, true),
		     native_memory_gib(m, true, false));
	if (!m->tunable)
		line("tuning", "no");
	else if (m->tuning_image[0])
		line("tuning", "%s, disk %d GiB, memory %.0f GiB", m->tuning_image, m->tuning_disk_gib, m->tuning_gib);
	else
		line("tuning", "native, weights from the model hub");
	line("vllm", "dtype %s, load format %s, tokenizer %s", m->dtype, m->load_format, m->tokenizer_mode);
	if (m->tool_parser[0] || m->reasoning_parser[0] || m->chat_template[0])
		line("parsers", "tools %s, reasoning %s, template %s", m->tool_parser[0] ? m->tool_parser : "none", m->reasoning_parser[0] ? m->reasoning_parser : "none",
		     m->chat_template[0] ? m->chat_template : "the model's own");
	if (m->extra_args[0])
		line("extra flags", "%s", m->extra_args);
}

static void print_types(const char *cloud, const struct catalog_model *m)
{
	printf("\n  %-28s %5s %8s  %-26s %s\n", "INSTANCE TYPE", "GPUS", "GIB", "GPU", "NODES");
	for (size_t i = 0; i < SKU_COUNT; i++) {
		const struct sku *s = &SKUS[i];
		struct estimate e = {0};
		struct err why = ERR_INIT;
		const struct gpu_config gpu = sku_gpu_config(s);
		if (strcasecmp(s->cloud, cloud) != 0 || s->gpus == 0 || reservation(s))
			continue;
		printf("  %-28s %5d %8.0f  %-26s ", s->name, s->gpus, s->gpu_gib, s->gpu_model);
		if (estimate_nodes(m, &gpu, 0, &e, &why) == 0)
			printf("%d\n", e.nodes);
		else
			puts("too small");
	}
	struct fit_choice cpus[CPU_CHOICES];
	size_t n = native_supports(m) ? fit_smallest_cpu(cloud, native_memory_gib(m, false, false), cpus, CPU_CHOICES) : 0;
	for (size_t i = 0; i < n; i++)
		printf("  %-28s %5s %8.0f  %d CPUs, %-17s 1\n", cpus[i].sku->name, "-", cpus[i].sku->memory_gib, cpus[i].sku->cpus, "native runtime");
}

static void print_one(const char *cloud, const struct catalog_model *m)
{
	printf("%s\n", m->id);
	if (m->alias)
		line("preset", "%s", m->alias);
	if (m->license[0])
		line("license", "%s", m->license);
	if (m->base_model[0])
		line("base", "%s", m->base_model);
	print_shape(m);
	print_use(m);
	print_types(cloud, m);
}

int cmd_models(int argc, char **argv, struct err *err)
{
	CLEANUP(preset_args_done) struct preset_args a = {0};
	const char *name = NULL;
	size_t n = 0;
	const struct catalog_model *m = NULL;
	const struct flag flags[] = {PRESET_ARGS_FLAGS(&a)};
	CLEANUP(mem_freep) char **words = preset_args_words(argc, argv);
	int rc = flags_parse("models [NAME] [--cloud NAME] [-o table|json]", flags, sizeof flags / sizeof flags[0], argc, words, &name, 1, &n, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (preset_args_check(&a, err) < 0 || (n && preset_args_find(&a, name, &m, err) < 0))
		return -1;
	if (m)
		(a.json ? one_json : print_one)(a.cloud, m);
	else
		(a.json ? list_json : print_list)();
	return 0;
}
