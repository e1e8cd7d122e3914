/* training_config.h: upstream's training_config.yaml as one struct: its six sections, every key that its Python side takes
 * (PEFT 0.11.1 LoraConfig, TRL SFTConfig over transformers TrainingArguments, old names included) and that side's
 * defaults. The tables in training_config_*.c are the only place that knows a key; docs/training-config.md is printed from them.
 * To add a key: a row there, and a member here if it has an effect. */
#pragma once
#include "codec/field.h"

struct config_model {
	const char *pretrained_model_name_or_path;
	const char *torch_dtype;          /* NULL: not given */
	const char *chat_template;        /* file, or the template itself */
};
struct config_quantization {
	bool load_in_8bit, load_in_4bit, bnb_4bit_use_double_quant;
	const char *bnb_4bit_compute_dtype, *bnb_4bit_quant_type;
};
struct config_lora {
	int64_t r;
	double lora_alpha, lora_dropout;
	bool use_rslora;
	struct field_strings target_modules;   /* empty: environment, then the architecture's default */
	const json_t *init_lora_weights;       /* true (NULL too), false, "gaussian" */
	const json_t *layers_to_transform;     /* int, list of ints or NULL */
	struct field_strings layers_pattern;
	const json_t *rank_pattern, *alpha_pattern;
};
struct config_training {
	const char *output_dir;
	int64_t per_device_train_batch_size, per_device_eval_batch_size, gradient_accumulation_steps, max_steps;
	double num_train_epochs;
	double learning_rate, weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
	const char *lr_scheduler_type;
	const json_t *lr_scheduler_kwargs;
	double warmup_steps, warmup_ratio;     /* warmup_steps below 1 is a ratio, as in transformers 5 */
	const char *optim;
	int8_t gradient_checkpointing;         /* -1: the memory planner decides */
	const char *logging_strategy;
	double logging_steps;                  /* below 1: a ratio of all steps; so are save_steps and eval_steps */
	bool logging_first_step, disable_tqdm;
	const char *eval_strategy;
	double eval_steps, eval_delay;         /* eval_steps 0: logging_steps */
	bool eval_on_start;
	const char *save_strategy;
	double save_steps;
	int64_t save_total_limit;              /* 0: no limit */
	bool load_best_model_at_end;
	const char *metric_for_best_model;     /* NULL: eval_loss */
	int8_t greater_is_better;
	int64_t seed, data_seed;               /* data_seed -1: seed */
	bool dataloader_drop_last;
	const char *train_sampling_strategy;
	int64_t max_length;                    /* 0: no truncation */
	const char *truncation_mode;
	bool packing, assistant_only_loss;
	const char *packing_strategy;
	int8_t eval_packing, completion_only_loss;
	const char *eos_token, *chat_template_path, *dataset_text_field;
};
struct config_dataset {
	const char *dataset_path, *dataset_extension;
	bool shuffle_dataset;
	int64_t shuffle_seed;
	const char *context_column, *response_column, *messages_column;
	double train_test_split;               /* share that is trained on; 1: no evaluation split */
};
struct training_config {
	struct config_model model;
	struct config_quantization quantization;
	struct config_lora lora;
	struct config_training training;
	struct config_dataset dataset;
	const char **ignored;                  /* keys given that have no effect here: to be reported once */
	size_t n_ignored;
	struct yaml_doc doc;                   /* owned; the members point into it and into `arena` */
	struct arena arena;
};

enum training_method { METHOD_LORA, METHOD_QLORA };

/* A whole file; ERR_CONFIG names line, key and the nearest valid name of the first mistake and counts the rest.
 * `name` is what messages call it. all_errors (may be NULL) gets every mistake, one a line. */
WARN_UNUSED int training_config_parse(struct training_config *c, str text, const char *name, struct buf *all_errors, struct err *err);
WARN_UNUSED int training_config_load(struct training_config *c, const char *path, struct buf *all_errors, struct err *err);
void training_config_done(struct training_config *c);

/* Upstream's <method>-params-template. */
str training_config_template(enum training_method method);
/* qlora when either load_in flag is set. */
enum training_method training_config_method(const struct training_config *c);

/* The tables, for the reference page and for admission checks. */
const struct field_section *training_config_sections(size_t *n);
