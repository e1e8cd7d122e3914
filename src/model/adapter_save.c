/* adapter_save.c: writes a PEFT adapter folder. The bytes depend on the tensors and the meta data only (tensors sorted by
 * name, keys sorted, no dates), so that two runs with equal results give equal files.
 *
 * safetensors: u64 little-endian header length, JSON header padded with spaces to a multiple of 8, then the data. */
#include "model/adapter.h"

#include "base/fd.h"
#include "base/vec.h"
#include <jansson.h>
#include <stdio.h>

struct entry {
	char name[128];
	const float *data;
	int32_t rows, cols;
};
struct entry_list { struct entry *data; size_t len, cap; };

static size_t entry_bytes(const struct entry *e)
{
	return (size_t)e->rows * (size_t)e->cols * sizeof(float);
}

static void add(struct entry_list *list, const char *module, int32_t layer, const char *side, struct entry e)
{
	snprintf(e.name, sizeof e.name, "base_model.model.model.layers.%d.%s.%s.weight", layer, module, side);
	vec_push(list, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void collect(const struct adapter *a, struct entry_list *list)
{
	for (int32_t layer = 0; layer < a->layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct lora_pair *p = adapter_pair(a, layer, (enum linear_slot)slot);
			const char *module = model_linear_traits((enum linear_slot)slot)->peft;
			if (p->rank == 0)
				continue;
			add(list, module, layer, "lora_A", (struct entry){.data = p->a, .rows = p->rank, .cols = p->k});
			add(list, module, layer, "lora_B", (struct entry){.data = p->b, .rows = p->n, .cols = p->rank});
		}
	if (list->len)
		qsort(list->data, list->len, sizeof *list->data, by_name);
}

static void put_u64(struct buf *b, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		buf_putc(b, (char)(v >> (8 * i)));
}

static void put_header(struct buf *out, const struct entry_list *list)
{
	struct buf json CLEANUP(buf_done) = {0};
	size_t at = 0;
	buf_puts(&json, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (size_t i = 0; i < list->len; i++) {
		const struct entry *e = &list->data[i];
		buf_printf(&json, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}", e->name, e->rows, e->cols, at, at + entry_bytes(e));
		at += entry_bytes(e);
	}
	buf_putc(&json, '}');
	while (json.len % 8)
		buf_putc(&json, ' ');
	put_u64(out, json.len);
	buf_put_str(out, buf_str(&json));
}

static int save_tensors(const struct adapter *a, const char *folder, struct err *err)
{
	struct entry_list list = {0};
	struct buf file CLEANUP(buf_done) = {.max = SIZE_MAX / 2};
	char *path CLEANUP(mem_freep) = fd_join(folder, "adapter_model.safetensors");
	collect(a, &list);
	put_header(&file, &list);
	for (size_t i = 0; i < list.len; i++)
		buf_put(&file, list.data[i].data, entry_bytes(&list.data[i]));
	vec_done(&list);
	return fd_write_file(path, file.data, file.len, 0644, err);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted_modules(const struct adapter_meta *meta)
{
	json_t *list = json_array();
	const char **names = mem_array(meta->n_targets, sizeof *names);
	if (meta->n_targets) {
		memcpy(names, meta->target_modules, meta->n_targets * sizeof *names);
		qsort(names, meta->n_targets, sizeof *names, by_text);
	}
	for (size_t i = 0; i < meta->n_targets; i++)
		json_array_append_new(list, json_string(names[i]));
	free(names);
	return list;
}

static json_t *number(double v)
{
	return v == (double)(long long)v ? json_integer((long long)v) : json_real(v);
}

static json_t *config(const struct adapter_meta *meta)
{
	return json_pack("{s:s, s:s?, s:s, s:b, s:b, s:b, s:o, s:o, s:n, s:s, s:i, s:{}, s:{}, s:n, s:o, s:b, s:b}", "bias", "none", "base_model_name_or_path",
			 meta->base_model, "peft_type", "LORA", "fan_in_fan_out", 0, "inference_mode", 1, "init_lora_weights", 1, "lora_alpha",
			 number(meta->alpha), "lora_dropout", json_real(meta->dropout), "modules_to_save", "task_type", "CAUSAL_LM", "r", meta->rank,
			 "rank_pattern", "alpha_pattern", "layers_to_transform", "target_modules", sorted_modules(meta), "use_dora", 0,
			 "use_rslora", meta->rslora);
}

static int save_config(const char *folder, const struct adapter_meta *meta, struct err *err)
{
	char *path CLEANUP(mem_freep) = fd_join(folder, "adapter_config.json");
	json_t *j = config(meta);
	char *text CLEANUP(mem_freep) = j ? json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15)) : NULL;
	json_decref(j);
	return text ? fd_write_file(path, text, strlen(text), 0644, err) : err_set(err, ERR_INVALID, "adapter: the base model's name is not UTF-8");
}

int adapter_save(const struct adapter *a, const char *folder, const struct adapter_meta *meta, struct err *err)
{
	if (fd_make_dirs(folder, err) < 0 || save_tensors(a, folder, err) < 0 || save_config(folder, meta, err) < 0)
		return err_wrap(err, "save adapter '%s'", folder);
	return 0;
}
