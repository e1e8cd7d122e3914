/* tune_session_data.c: tokenizer, chat template, collator and the pass over the dataset. */
#include "tune/tune_session_parts.h"

#include "base/fd.h"
#include "base/limits.h"
#include "contract/paths.h"

/* Upstream takes the setting for the template itself when it has a brace or a newline. */
static bool is_template_text(const char *word) { return strpbrk(word, "{}\n") != NULL; }

static int read_template(struct tune_session *s, const char *word, struct buf *text, struct err *err)
{
	CLEANUP(mem_freep) char *inside = fd_is_dir(word) ? fd_join(word, "chat_template.jinja") : NULL;
	(void)s;
	if (is_template_text(word)) {
		buf_puts(text, word);
		return 0;
	}
	if (fd_read_file(inside ? inside : word, LIMIT_TEMPLATE_BYTES, text, err) < 0)
		return err_wrap(err, "chat_template");
	return 0;
}

static int open_template(struct tune_session *s, struct err *err)
{
	const char *word = s->config.model.chat_template ? s->config.model.chat_template : s->config.training.chat_template_path;
	str own = tokenizer_chat_template(s->tokenizer);
	if (!word)
		return own.len ? chat_template_parse(&s->chat, own, err) : 0;
	CLEANUP(buf_done) struct buf text = {0};
	if (read_template(s, word, &text, err) < 0)
		return -1;
	return chat_template_parse(&s->chat, buf_str(&text), err);
}

static char *token_text(const struct tokenizer *t, int32_t id)
{
	if (id < 0)
		return NULL;
	str text = tokenizer_token(t, id);
	return mem_strndup(text.data, text.len);
}

static int choose_eos(struct tune_session *s, struct err *err)
{
	const char *wanted = s->config.training.eos_token;
	if (!wanted) {
		s->eos = token_text(s->tokenizer, tokenizer_eos(s->tokenizer));
		return 0;
	}
	if (tokenizer_id(s->tokenizer, str_of(wanted)) < 0)
		return err_set(err, ERR_CONFIG, "TrainingArguments.eos_token: '%.60s' is not a token of this model", wanted);
	s->eos = mem_strdup(wanted);
	return 0;
}

static void choose_length(struct tune_session *s)
{
	const struct config_training *t = &s->config.training;
	int32_t context = s->model->config.context;
	s->max_length = t->max_length && t->max_length < context ? (int32_t)t->max_length : context;
	if (t->max_length > context)
		progress_say(&s->progress, "max_length %lld is more than the model's context: rows are cut to %d tokens", (long long)t->max_length, context);
}

int tune_session_open_text(struct tune_session *s, struct err *err)
{
	const struct config_training *t = &s->config.training;
	if (tokenizer_open(&s->tokenizer, s->model->weights, err) < 0 || open_template(s, err) < 0 || choose_eos(s, err) < 0)
		return -1;
	s->bos = token_text(s->tokenizer, tokenizer_bos(s->tokenizer));
	choose_length(s);
	/* Packing that cuts examples itself wants them whole. */
	bool whole = t->packing && strcmp(t->packing_strategy, "bfd") != 0;
	s->collator = (struct collator){.tokenizer = s->tokenizer, .chat = s->chat, .bos = s->bos, .eos = s->eos, .completion_only = t->completion_only_loss,
					.assistant_only = t->assistant_only_loss, .max_length = whole ? 0 : s->max_length,
					.keep_end = strcmp(t->truncation_mode, "keep_end") == 0};
	return 0;
}

/* --data, else DatasetConfig.dataset_path (below /mnt), else the folder that upstream's pod has. *storage is the caller's to free. */
static const char *default_data(const struct tune_session *s, char **storage)
{
	const char *path = s->config.dataset.dataset_path, *folder = getenv(ENV_DATASET_FOLDER);
	if (path && path[0] == '/')
		return path;
	if (path)
		return *storage = fd_join(PATH_DATASET_ROOT, path);
	return folder && folder[0] ? folder : PATH_DATASET_FOLDER;
}

static void show_reading(void *context, int64_t done, int64_t rows)
{
	struct tune_session *s = context;
	if (done % 100000 == 0)
		progress_say(&s->progress, "read %lld of %lld rows", (long long)done, (long long)rows);
}

/* "file.parquet row 17" -> file and number. */
static void keep_place(struct tune_session *s, int64_t bad_row, struct tune_result *result)
{
	if (bad_row <= 0)
		return;
	const char *where = data_where(s->data, bad_row - 1), *row = NULL;
	for (const char *p = where; (p = strstr(p, " row ")); p++)
		row = p;
	result->bad_file = row ? mem_strndup(where, (size_t)(row - where)) : mem_strdup(where);
	result->bad_row = row ? strtoll(row + 5, NULL, 10) : bad_row;
}

int tune_session_open_data(struct tune_session *s, struct tune_result *result, struct err *err)
{
	const struct tune_options *o = s->options;
	const struct config_dataset *d = &s->config.dataset;
	CLEANUP(mem_freep) char *storage = NULL;
	const char *fallback = default_data(s, &storage);
	bool text_column = strcmp(d->response_column, "text") == 0;
	struct data_options options = {.context_column = d->context_column, .messages_column = d->messages_column, .extension = d->dataset_extension,
				       .response_column = text_column ? s->config.training.dataset_text_field : d->response_column,
				       .skip_bad_rows = o->skip_bad_rows};
	if (data_open(&s->data, o->n_data ? o->data_paths : &fallback, o->n_data ? o->n_data : 1, &options, err) < 0)
		return -1;
	int64_t bad_row = 0;
	struct examples_options e = {.skip_bad_rows = o->skip_bad_rows, .refuse_long_rows = o->refuse_long_rows, .stop = o->stop, .progress = show_reading, .context = s};
	if (examples_read(&s->examples, s->data, &s->collator, &e, &bad_row, err) == 0)
		return 0;
	keep_place(s, bad_row, result);
	return -1;
}
