/* training_config_model.c: the rows of ModelConfig, QuantizationConfig, DataCollator and DatasetConfig.
 * To add a key: a row in name order; see training_config_tables.h for the kinds of rows. */
#include "contract/training_config_tables.h"

static const char *const DTYPES[] = {"auto", "bfloat16", "double", "float", "float16", "float32", "float64", "half",
				     "torch.bfloat16", "torch.float16", "torch.float32", NULL};
static const char *const QUANT_METHODS[] = {"bitsandbytes", NULL};
static const char *const QUANT_TYPES[] = {"fp4", "nf4", NULL};

#define SECTION struct config_model
const struct field TRAINING_CONFIG_MODEL[] = {
	NOT_HERE(STRING, cache_dir, NULL, "Where downloads are kept."),
	USED(STRING, chat_template, NULL, "File with a chat template, or the template itself if it contains a brace or a newline."),
	NOT_HERE(ANY, device_map, "auto", "Placement of layers on GPUs."),
	NOT_HERE(BOOL, force_download, "false", "Download again."),
	SILENT(BOOL, local_files_only, "false", "Never ask the hub; `kaito tune` never does."),
	NOT_HERE(BOOL, output_loading_info, "false", "Return loading details."),
	USED(STRING, pretrained_model_name_or_path, "/workspace/tfs/weights", "Folder or file of the model when `--model` is not given."),
	NOT_HERE(ANY, proxies, NULL, "HTTP proxies by protocol."),
	NOT_HERE(STRING, revision, "main", "Hub revision."),
	NOT_HERE(ANY, state_dict, NULL, "Weights given as an object."),
	USED(STRING, torch_dtype, NULL, "Arithmetic of the frozen base: `float32` is exact, the others use the fast kernels.", .choices = DTYPES),
	NOT_HERE(BOOL, trust_remote_code, "false", "Run code that comes with a model; never done here."),
};
#undef SECTION

#define SECTION struct config_quantization
const struct field TRAINING_CONFIG_QUANTIZATION[] = {
	USED(STRING, bnb_4bit_compute_dtype, "float32", "Arithmetic of the quantised base: `float32` is exact, the others use the fast kernels.", .choices = DTYPES),
	NOT_HERE(ANY, bnb_4bit_quant_storage, NULL, "Storage type of packed weights."),
	USED(STRING, bnb_4bit_quant_type, "nf4", "4-bit type; upstream's default is `fp4`, which this build does not have.", .choices = QUANT_TYPES),
	USED(BOOL, bnb_4bit_use_double_quant, "false", "Quantise the block scales too."),
	NOT_HERE(BOOL, llm_int8_enable_fp32_cpu_offload, "false", "Keep some layers on the CPU."),
	NOT_HERE(BOOL, llm_int8_has_fp16_weight, "false", "Keep 16-bit weights."),
	NOT_HERE(ANY, llm_int8_skip_modules, NULL, "Modules left in full precision."),
	NOT_HERE(NUMBER, llm_int8_threshold, "6.0", "Outlier threshold of LLM.int8."),
	USED(BOOL, load_in_4bit, "false", "Quantise a full-precision base to 4 bits (method qlora)."),
	USED(BOOL, load_in_8bit, "false", "Quantise a full-precision base to 8 bits (method qlora)."),
	SILENT(STRING, quant_method, "bitsandbytes", "Whose formats are meant.", .choices = QUANT_METHODS),
};
#undef SECTION

const struct field TRAINING_CONFIG_COLLATOR[] = {
	NOT_HERE(NUMBER, mask_replace_prob, "0.8", "Masked language models only."),
	SILENT(BOOL, mlm, "true", "Masked language modelling; off by itself where the tokenizer has no mask token, as with every model here."),
	NOT_HERE(NUMBER, mlm_probability, "0.15", "Masked language models only."),
	NOT_HERE(INT, pad_to_multiple_of, NULL, "Padding; rows are never padded here."),
	NOT_HERE(NUMBER, random_replace_prob, "0.1", "Masked language models only."),
	NOT_HERE(STRING, return_tensors, "pt", "Kind of tensors."),
	NOT_HERE(INT, seed, NULL, "Seed of masking."),
	NOT_HERE(BOOL, tf_experimental_compile, "false", "TensorFlow only."),
	NOT_HERE(BOOL, whole_word_mask, "false", "Masked language models only."),
};

#define SECTION struct config_dataset
const struct field TRAINING_CONFIG_DATASET[] = {
	USED(STRING, context_column, NULL, "Column with the prompt."),
	USED(STRING, dataset_extension, NULL, "Format of the files whatever their names: parquet, arrow, json, jsonl, csv."),
	USED(STRING, dataset_path, NULL, "File or folder below /mnt when `--data` is not given."),
	USED(STRING, messages_column, NULL, "Column with the list of messages."),
	USED(STRING, response_column, "text", "Column with the completion, or the text."),
	USED(BOOL, shuffle_dataset, "true", "Shuffle the rows before the split."),
	USED(INT, shuffle_seed, "42", "Seed of that shuffle and of the split.", AT_LEAST(0)),
	USED(NUMBER, train_test_split, "0.8", "Share of rows to train on, more than 0; the rest evaluates. 1: no evaluation.", .min = 1e-9, .max = 1),
};
