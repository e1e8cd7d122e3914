/* pages.c: see pages.h. */
#include "catalog/pages.h"

#include "catalog/estimate.h"

#define GENERATED "<!-- Printed from the tables by kaito-catalog-docs; do not edit. -->\n"

/* The instance types whose node counts the models page shows. */
static const struct { const char *name, *title; } SHAPES[] = {
	{"Standard_NV36ads_A10_v5", "1 × A10"},    {"Standard_NC24ads_A100_v4", "1 × A100"},  {"Standard_NC48ads_A100_v4", "2 × A100"},
	{"Standard_NC96ads_A100_v4", "4 × A100"},  {"Standard_NC40ads_H100_v5", "1 × H100 NVL"}, {"Standard_ND96isr_H100_v5", "8 × H100"},
	{"Standard_ND96isr_H200_v5", "8 × H200"},
};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0] };

static const char *mark(bool set) { return set ? "yes" : ""; }

static void print_presets(struct buf *out)
{
	buf_puts(out, "| preset | model | licence | weights GiB | context | architecture | attention | KiB a token | quantised | disk GiB | transformers | tune | CPU | gated |\n"
		      "| --- | --- | --- | --: | --: | --- | --- | --: | --- | --: | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		buf_printf(out, "| %s%s%s | %s | %s | %.2f | %lld | %s | %s | %.1f | %s | %d | %s | %s | %s | %s |\n", m->alias ? "`" : "", m->alias ? m->alias : "",
			   m->alias ? "`" : "", m->id, m->license, m->weights_gib, (long long)m->context_tokens, m->architecture, m->attention,
			   (double)m->kv_bytes_per_token / 1024, m->quantization, m->disk_gib, mark(m->transformers), mark(m->tunable), mark(m->cpu), mark(m->gated));
	}
}

static void print_flags(struct buf *out)
{
	buf_puts(out, "\n## Server flags\n\nWhat the vLLM command of a model gets besides the flags that all have.\n\n"
		      "| model | dtype | formats | tokenizer | tools | reasoning | chat template | more |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		buf_printf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", m->id, m->dtype, m->load_format, m->tokenizer_mode, m->tool_parser, m->reasoning_parser,
			   m->chat_template, m->extra_args);
	}
}

static void print_node_counts(struct buf *out)
{
	buf_puts(out, "\n## Nodes\n\nHow many nodes the controller asks for, for a context of 2048 tokens; `kaito estimate` gives it for any instance type and context.\n\n| model |");
	for (size_t k = 0; k < SHAPE_COUNT; k++)
		buf_printf(out, " %s |", SHAPES[k].title);
	buf_puts(out, "\n| --- |");
	for (size_t k = 0; k < SHAPE_COUNT; k++)
		buf_puts(out, " --: |");
	buf_putc(out, '\n');
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		buf_printf(out, "| %s |", CATALOG_MODELS[i].id);
		for (size_t k = 0; k < SHAPE_COUNT; k++) {
			const struct gpu_config gpu = sku_gpu_config(sku_find("azure", SHAPES[k].name));
			struct estimate e = {0};
			struct err why = ERR_INIT;
			if (estimate_nodes(&CATALOG_MODELS[i], &gpu, 0, &e, &why) == 0)
				buf_printf(out, " %d |", e.nodes);
			else
				buf_puts(out, " too small |");
		}
		buf_putc(out, '\n');
	}
}

static void print_images(struct buf *out)
{
	buf_printf(out, "\n## Tuning\n\nWhat a tuning Workspace with upstream's image takes its weights from. The server image of all models is `kaito-base:%s`; models\n"
			"without an image are tuned by the native runtime, which fetches them from the model hub.\n\n"
			"| preset | image | disk GiB | memory GiB |\n| --- | --- | --: | --: |\n", CATALOG_BASE_TAG);
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		if (m->tunable && m->tuning_image[0])
			buf_printf(out, "| `%s` | %s | %d | %.0f |\n", m->alias, m->tuning_image, m->tuning_disk_gib, m->tuning_gib);
		else if (m->tunable)
			buf_printf(out, "| `%s` | | | |\n", m->alias);
	}
	buf_puts(out, "\n## Artifact images\n\n`<registry>/kaito-<name>:<tag>`, as upstream lists them.\n\n| name | tag |\n| --- | --- |\n");
	for (size_t i = 0; i < CATALOG_IMAGE_COUNT; i++)
		buf_printf(out, "| %s | %s |\n", CATALOG_IMAGES[i].name, CATALOG_IMAGES[i].tag);
}

static void print_models(struct buf *out)
{
	buf_puts(out, "# Models\n\n" GENERATED "\n"
		      "`preset.name` is one of the presets below, a model's name, or any other `ORG/NAME` of the model hub, in upper or lower case. Of a model\n"
		      "that is not below, the controller and the webhook read the file list and the configuration from the hub; it must have safetensors or\n"
		      "`.bin` weights and an architecture that vLLM serves. `kaito models` prints the same without this page.\n\n"
		      "- *transformers*: also with `kaito.sh/runtime: transformers`. *tune*: may be named in `tuning.preset`.\n"
		      "- *CPU*: small enough for machines without a GPU, where the native runtime has its architecture (`kaito models NAME` says so).\n"
		      "- *gated*: its terms must be accepted on the hub, and `presetOptions.modelAccessSecret` must hold an `HF_TOKEN`.\n\n");
	print_presets(out);
	print_flags(out);
	print_node_counts(out);
	print_images(out);
}

/* --- instance types ----------------------------------------------------------------------------------------------- */

enum group { GROUP_SERVED, GROUP_LEGACY, GROUP_CPU, GROUP_COUNT };
static const char *const GROUP_TEXTS[GROUP_COUNT] = {
	[GROUP_SERVED] = "",
	[GROUP_LEGACY] = ("\nOlder GPUs: upstream no longer lists them, as its images need compute capability 8.0. Workspaces on them run natively, on the\n"
			 "machine's CPUs, unless the controller was given an older image with `--legacy-base-image`.\n"),
	[GROUP_CPU] = "\nWithout a GPU, for `kaito.sh/runtime: native`:\n",
};

static enum group group_of(const struct sku *s) { return s->gpus == 0 ? GROUP_CPU : s->legacy ? GROUP_LEGACY : GROUP_SERVED; }

static void put_amount(struct buf *out, double v)
{
	if (v > 0)
		buf_printf(out, " %.0f |", v);
	else
		buf_puts(out, " |");
}

static void print_sku(const struct sku *s, enum group group, struct buf *out)
{
	buf_printf(out, "| `%s` |", s->name);
	if (group != GROUP_CPU) {
		buf_printf(out, " %d | %.0f | %s |", s->gpus, s->gpu_gib, s->gpu_model);
		if (s->compute_capability)
			buf_printf(out, " %d.%d |", s->compute_capability / 10, s->compute_capability % 10);
		else
			buf_puts(out, " |");
		buf_printf(out, " %s |", mark(s->nvme));
	}
	put_amount(out, s->cpus);
	put_amount(out, s->memory_gib);
	buf_putc(out, '\n');
}

static void print_group(const char *cloud, enum group group, struct buf *out)
{
	bool any = false;
	for (size_t i = 0; i < SKU_COUNT; i++) {
		if (strcmp(SKUS[i].cloud, cloud) != 0 || group_of(&SKUS[i]) != group)
			continue;
		if (!any)
			buf_printf(out, "%s\n%s", GROUP_TEXTS[group],
				   group == GROUP_CPU ? "| instance type | CPUs | memory GiB |\n| --- | --: | --: |\n"
						      : "| instance type | GPUs | GPU GiB together | GPU | compute capability | local NVMe | CPUs | memory GiB |\n"
							"| --- | --: | --: | --- | --- | --- | --: | --: |\n");
		any = true;
		print_sku(&SKUS[i], group, out);
	}
}

static void print_instance_types(struct buf *out)
{
	static const char *const CLOUDS[] = {"azure", "aws", "arc"};
	buf_puts(out, "# Instance types\n\n" GENERATED "\n"
		      "`resource.instanceType`, in upper or lower case, for the cloud that `CLOUD_PROVIDER` names. *local NVMe*: the weights go to a volume of\n"
		      "the class `kaito-local-nvme-disk` where the cluster has it. AMD GPUs, Trainium and Inferentia are listed as upstream lists them; no\n"
		      "runtime uses them.\n");
	for (size_t c = 0; c < sizeof CLOUDS / sizeof CLOUDS[0]; c++) {
		buf_printf(out, "\n## %s\n", CLOUDS[c]);
		for (int group = 0; group < GROUP_COUNT; group++)
			print_group(CLOUDS[c], (enum group)group, out);
	}
	buf_puts(out, "\n## MIG profiles\n\n`resource.partition.profile`; the resource that pods ask for is `nvidia.com/mig-<profile>`, one slice a pod.\n\n");
	for (size_t i = 0; i < MIG_PROFILE_COUNT; i++)
		buf_printf(out, "%s`%s`", i == 0 ? "" : i % 8 ? " " : "\n", MIG_PROFILES[i].name);
	buf_putc(out, '\n');
}

const struct catalog_page CATALOG_PAGES[] = {
	{"instance-types", print_instance_types},
	{"models", print_models},
};
const size_t CATALOG_PAGE_COUNT = sizeof CATALOG_PAGES / sizeof CATALOG_PAGES[0];
