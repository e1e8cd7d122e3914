/* training_config.c: reads training_config.yaml by the tables and checks what one row alone cannot see. */
#include "contract/training_config_tables.h"

#include "base/fd.h"
#include "base/limits.h"
#include "codec/json.h"

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

static const struct field_section SECTIONS[] = {
	{"ModelConfig", ROWS(TRAINING_CONFIG_MODEL), offsetof(struct training_config, model), "The base model and how it is loaded."},
	{"QuantizationConfig", ROWS(TRAINING_CONFIG_QUANTIZATION), offsetof(struct training_config, quantization),
	 "How a full-precision base is quantised for qlora. A base that is quantised already (GGUF) is tuned as it is."},
	{"LoraConfig", ROWS(TRAINING_CONFIG_LORA), offsetof(struct training_config, lora), "The adapter: the fields of PEFT 0.11.1's LoraConfig."},
	{"TrainingArguments", ROWS(TRAINING_CONFIG_ARGUMENTS), offsetof(struct training_config, training),
	 "The run: the fields of TRL's SFTConfig, which include transformers' TrainingArguments."},
	{"DataCollator", ROWS(TRAINING_CONFIG_COLLATOR), 0, "The fields of DataCollatorForLanguageModeling."},
	{"DatasetConfig", ROWS(TRAINING_CONFIG_DATASET), offsetof(struct training_config, dataset), "Which rows, in which columns."},
};

const struct field_section *training_config_sections(size_t *n)
{
	*n = sizeof SECTIONS / sizeof SECTIONS[0];
	return SECTIONS;
}

/* Line of section.key in the document, or of the nearest thing above it. */
static uint32_t line_of(const json_t *object, const struct yaml_mark *mark, const char *section, const char *key)
{
	const char *path[] = {section, key};
	for (size_t depth = 0; depth < 2 && json_is_object(object); depth++) {
		const char *name;
		json_t *value, *found = NULL;
		size_t i = 0, at = 0;
		json_object_foreach((json_t *)(uintptr_t)object, name, value) {
			if (strcmp(name, path[depth]) == 0) {
				found = value;
				at = i;
			}
			i++;
		}
		if (!found)
			break;
		mark = yaml_mark_child(mark, at);
		object = found;
	}
	return mark->line;
}

struct checker { const struct training_config *c; const json_t *body; const struct yaml_mark *mark; struct field_report *report; };

static void complain(const struct checker *k, bool wrong, const char *section, const char *key, const char *why)
{
	char path[128];
	if (!wrong)
		return;
	snprintf(path, sizeof path, "training_config.%s.%s", section, key);
	field_report_add(k->report, line_of(k->body, k->mark, section, key), path, "%s", why);
}

static void check_across(const struct checker *k)
{
	const struct training_config *c = k->c;
	const struct config_training *t = &c->training;
	bool evaluates = strcmp(t->eval_strategy, "no") != 0;
	complain(k, c->quantization.load_in_4bit && c->quantization.load_in_8bit, "QuantizationConfig", "load_in_8bit", "load_in_4bit and load_in_8bit cannot both be true");
	complain(k, strcmp(c->quantization.bnb_4bit_quant_type, "fp4") == 0, "QuantizationConfig", "bnb_4bit_quant_type", "fp4 is not supported by this build; use nf4");
	complain(k, evaluates && c->dataset.train_test_split >= 1, "TrainingArguments", "eval_strategy",
		 "needs rows to evaluate on: set DatasetConfig.train_test_split below 1");
	complain(k, t->load_best_model_at_end && !evaluates, "TrainingArguments", "load_best_model_at_end", "needs eval_strategy steps or epoch");
	complain(k, strcmp(t->save_strategy, "best") == 0 && !evaluates, "TrainingArguments", "save_strategy", "best needs eval_strategy steps or epoch");
	complain(k, t->packing && t->max_length == 0, "TrainingArguments", "packing", "needs max_length");
	complain(k, t->seed < 0, "TrainingArguments", "seed", "must not be negative");
}

static const json_t *find_body(const struct yaml_doc *doc, const struct yaml_mark **mark, struct field_report *report)
{
	const json_t *body = NULL;
	const char *key;
	json_t *value;
	size_t i = 0;
	if (!json_is_object(doc->root)) {
		field_report_add(report, 1, "training_config", "is missing: the document must be a mapping with this key");
		return NULL;
	}
	json_object_foreach(doc->root, key, value) {
		const struct yaml_mark *m = yaml_mark_child(&doc->mark, i++);
		if (strcmp(key, "training_config") == 0) {
			body = value;
			*mark = m;
		} else {
			field_report_add(report, m->line, key, "unknown key; everything goes below 'training_config'");
		}
	}
	if (!body && report->n_errors == 0)
		field_report_add(report, 1, "training_config", "is missing");
	return body;
}

static void copy_ignored(struct training_config *c, const struct field_report *report)
{
	c->n_ignored = report->n_ignored;
	c->ignored = arena_array(&c->arena, report->n_ignored + 1, sizeof *c->ignored);
	for (size_t i = 0; i < report->n_ignored; i++) {
		str path = str_of(report->ignored[i]), prefix = STR("training_config.");
		c->ignored[i] = arena_strdup(&c->arena, str_starts(path, prefix) ? str_sub(path, prefix.len, path.len) : path);
	}
}

static int decode(struct training_config *c, const char *name, struct buf *all_errors, struct err *err)
{
	struct field_report report = {0};
	size_t n;
	const struct field_section *tables = training_config_sections(&n);
	const struct yaml_mark *mark = &c->doc.mark;
	const json_t *body = find_body(&c->doc, &mark, &report);
	field_decode(tables, n, body, mark, "training_config", c, &c->arena, &report);
	if (report.n_errors == 0)
		check_across(&(struct checker){c, body, mark, &report});
	copy_ignored(c, &report);
	if (all_errors)
		field_report_print(&report, name, all_errors);
	int rc = field_report_check(&report, name, err);
	field_report_done(&report);
	return rc;
}

int training_config_parse(struct training_config *c, str text, const char *name, struct buf *all_errors, struct err *err)
{
	struct training_config fresh = {0};
	if (yaml_parse(&fresh.doc, text, name, err) < 0) {
		if (err)
			err->kind = err->kind == ERR_INVALID ? ERR_CONFIG : err->kind;
		return -1;
	}
	if (decode(&fresh, name, all_errors, err) < 0) {
		training_config_done(&fresh);
		return -1;
	}
	*c = fresh;
	return 0;
}

int training_config_load(struct training_config *c, const char *path, struct buf *all_errors, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, LIMIT_YAML_BYTES, &text, err) < 0)
		return -1;
	return training_config_parse(c, buf_str(&text), path, all_errors, err);
}

void training_config_done(struct training_config *c)
{
	yaml_doc_done(&c->doc);
	arena_done(&c->arena);
	*c = (struct training_config){0};
}

enum training_method training_config_method(const struct training_config *c)
{
	return c->quantization.load_in_4bit || c->quantization.load_in_8bit ? METHOD_QLORA : METHOD_LORA;
}
