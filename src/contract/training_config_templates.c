/* training_config_templates.c: upstream's two default configurations (reference/kaito.md 4.3), used when none is given. */
#include "contract/training_config.h"

#define MODEL "training_config:\n" \
	"  ModelConfig:\n" \
	"    torch_dtype: \"bfloat16\"\n" \
	"    local_files_only: true\n" \
	"    device_map: \"auto\"\n\n"
#define REST "  LoraConfig:\n" \
	"    r: 8\n" \
	"    lora_alpha: 8\n" \
	"    lora_dropout: 0.0\n\n" \
	"  TrainingArguments:\n" \
	"    output_dir: \"/mnt/results\"\n" \
	"    ddp_find_unused_parameters: false\n" \
	"    save_strategy: \"no\"\n" \
	"    per_device_train_batch_size: 1\n\n" \
	"  DataCollator:\n" \
	"    mlm: true\n\n" \
	"  DatasetConfig:\n" \
	"    shuffle_dataset: true\n" \
	"    train_test_split: 1\n"

static const char LORA[] = MODEL
	"  QuantizationConfig:\n"
	"    load_in_4bit: false\n\n" REST;

static const char QLORA[] = MODEL
	"  QuantizationConfig:\n"
	"    load_in_4bit: true\n"
	"    bnb_4bit_quant_type: \"nf4\"\n"
	"    bnb_4bit_compute_dtype: \"bfloat16\"\n"
	"    bnb_4bit_use_double_quant: true\n\n" REST;

str training_config_template(enum training_method method) { return str_of(method == METHOD_QLORA ? QLORA : LORA); }
