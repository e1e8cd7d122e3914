/* transformers_command.c: the transformers server's command line. What a model family needs is a row of FAMILIES. */
#include "workload/transformers_command.h"

#include "base/buf.h"
#include "workload/shell_word.h"
#include <ctype.h>
#include <string.h>

/* By the beginning of the short name. To add a family: a row. */
static const struct family { const char *prefix, *dtype, *chat_template; bool trust_remote_code; } FAMILIES[] = {
	{"phi-", "auto", "", true},
	{"mistral-", "bfloat16", "/workspace/chat_templates/mistral-instruct.jinja", false},
	{"gemma-3", "auto", "", false},
	{"qwen", "bfloat16", "", false},
	{"llama-3", "bfloat16", "/workspace/chat_templates/llama-3-instruct.jinja", false},
	{"gpt-oss", "auto", "", false},
	{"deepseek-", "bfloat16", "", false},
};

static const struct family *family_of(const char *name)
{
	for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++)
		if (strncmp(name, FAMILIES[i].prefix, strlen(FAMILIES[i].prefix)) == 0)
			return &FAMILIES[i];
	return NULL;
}

static void put(struct buf *out, const char *flag, const char *value)
{
	if (value[0] == 0)
		return;
	buf_printf(out, " --%s=", flag);
	shell_word_put(out, str_of(value));
}

int transformers_command(const struct workload_plan *p, char **out, struct err *err)
{
	char name[256];
	catalog_model_short_name(p->model, name, sizeof name);
	const struct family *family = family_of(name);
	if (!p->model->transformers || !family)
		return err_set(err, ERR_UNSUPPORTED, "model %s cannot be served by runtime transformers: remove annotation kaito.sh/runtime to use vllm",
			       p->model->id);
	char *id = mem_strdup(p->model->id);
	for (char *c = id; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	struct buf text = {0};
	buf_puts(&text, "accelerate launch --num_processes=1 --num_machines=1 --machine_rank=0 --gpu_ids=all /workspace/tfs/inference_api.py");
	put(&text, "served_model_name", name);
	put(&text, "pretrained_model_name_or_path", id);
	put(&text, "revision", p->model->revision);
	buf_puts(&text, " --allow_remote_files");
	put(&text, "torch_dtype", family->dtype);
	put(&text, "pipeline", "text-generation");
	if (family->trust_remote_code)
		buf_puts(&text, " --trust_remote_code");
	put(&text, "chat_template", family->chat_template);
	free(id);
	*out = buf_take(&text);
	return 0;
}
