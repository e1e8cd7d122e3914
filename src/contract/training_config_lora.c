/* training_config_lora.c: the rows of LoraConfig: PEFT 0.11.1's fields, with those of its base classes.
 * To add a key: a row in name order; see training_config_tables.h for the kinds of rows. */
#include "contract/training_config_tables.h"

#define SECTION struct config_lora
const struct field TRAINING_CONFIG_LORA[] = {
	USED(OBJECT, alpha_pattern, NULL, "Alpha of single modules: end of the module's path to number."),
	NOT_HERE(ANY, auto_mapping, NULL, "Python class names."),
	NOT_HERE(STRING, base_model_name_or_path, NULL, "Written by us from `--model`."),
	REFUSED(STRING, bias, "none", "Train biases too."),
	NOT_HERE(BOOL, fan_in_fan_out, "false", "Transposed weights of old GPT-2 layers."),
	NOT_HERE(BOOL, inference_mode, "false", "Freeze the adapter."),
	USED(ANY, init_lora_weights, "true", "Start values: true (A random, B zero), `gaussian` (A normal), false (A and B random)."),
	REFUSED(ANY, layer_replication, NULL, "Repeat layers."),
	USED(STRINGS, layers_pattern, NULL, "Name of the list of layers; `layers` in every architecture here."),
	USED(ANY, layers_to_transform, NULL, "Layer number or list of layer numbers to adapt; absent: all."),
	NOT_HERE(OBJECT, loftq_config, NULL, "Settings of LoftQ."),
	USED(NUMBER, lora_alpha, "8", "Scale: alpha / r is multiplied to the adapter's output.", AT_LEAST(0)),
	USED(NUMBER, lora_dropout, "0.0", "Share of the adapter's inputs dropped while training.", .min = 0, .max = 0.999),
	NOT_HERE(ANY, megatron_config, NULL, "Megatron only."),
	NOT_HERE(STRING, megatron_core, "megatron.core", "Megatron only."),
	REFUSED(ANY, modules_to_save, NULL, "Train whole modules beside the adapter."),
	NOT_HERE(STRING, peft_type, NULL, "Always LORA."),
	USED(INT, r, "8", "Rank.", .min = 1, .max = 1024),
	USED(OBJECT, rank_pattern, NULL, "Rank of single modules: end of the module's path to number."),
	NOT_HERE(STRING, revision, NULL, "Hub revision of the base."),
	USED(STRINGS, target_modules, NULL, "Modules to adapt: names, path endings, or `all-linear`. Absent: `DEFAULT_TARGET_MODULES`, then PEFT's choice for the architecture."),
	SILENT(STRING, task_type, NULL, "Kind of model; always CAUSAL_LM."),
	REFUSED(BOOL, use_dora, "false", "Weight-decomposed LoRA."),
	USED(BOOL, use_rslora, "false", "Scale by alpha / sqrt(r)."),
};
