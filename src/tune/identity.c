/* identity.c: see identity.h. */
#include "tune/identity.h"

#include "base/fd.h"
#include "contract/paths.h"
#include "tensor/isa.h"

/* Keys of TrainingArguments that change what is written and shown, not what is learned. */
static bool is_cosmetic(const char *key)
{
	static const char *const PREFIXES[] = {"logging_", "save_", "output_dir", "disable_tqdm", "report_to", "run_name", "log_level", NULL};
	for (const char *const *p = PREFIXES; *p; p++)
		if (strncmp(key, *p, strlen(*p)) == 0)
			return true;
	return false;
}

static json_t *settings_of(const struct tune_session *s)
{
	json_t *copy = json_deep_copy(json_object_get(s->config.doc.root, "training_config"));
	json_t *arguments = json_object_get(copy, "TrainingArguments");
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(arguments, next, key, value)
		if (is_cosmetic(key))
			json_object_del(arguments, key);
	json_object_del(json_object_get(copy, "DatasetConfig"), "dataset_path");
	json_object_del(json_object_get(copy, "ModelConfig"), "pretrained_model_name_or_path");
	return copy ? copy : json_object();
}

/* Names, shapes and some bytes of every tensor: enough to tell models apart without reading gigabytes. */
static void digest_of_model(const struct model *m, char text[DIGEST_TEXT])
{
	enum { SAMPLE = 64 };
	struct digest d;
	digest_init(&d);
	for (size_t i = 0; i < weights_count(m->weights); i++) {
		const struct weights_tensor *t = weights_at(m->weights, i);
		size_t head = t->bytes < SAMPLE ? t->bytes : SAMPLE;
		digest_update(&d, t->name.data, t->name.len);
		digest_update(&d, t->shape, sizeof t->shape[0] * (size_t)t->n_dims);
		digest_update(&d, &t->type, sizeof t->type);
		digest_update(&d, t->data, head);
		digest_update(&d, (const char *)t->data + t->bytes - head, head);
	}
	digest_finish(&d, text);
	digest_done(&d);
}

static int digest_of_init(const struct tune_session *s, char text[DIGEST_TEXT], struct err *err)
{
	text[0] = 0;
	if (!s->options->init_adapter)
		return 0;
	CLEANUP(mem_freep) char *path = fd_join(s->options->init_adapter, FILE_ADAPTER_WEIGHTS);
	return digest_of_file(path, text, NULL, err);
}

int identity_of(const struct tune_session *s, json_t **out, struct err *err)
{
	char model[DIGEST_TEXT], init[DIGEST_TEXT];
	const struct tune_options *o = s->options;
	digest_of_model(s->model, model);
	if (digest_of_init(s, init, err) < 0)
		return -1;
	*out = json_pack("{s:{s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:f, s:I}, s:{s:i, s:s, s:i}}", "hard", "config", settings_of(s), "method",
			 s->method == METHOD_QLORA ? "qlora" : "lora", "model", model, "dataset", s->examples.fingerprint, "init_adapter", init, "updates",
			 (json_int_t)s->plan.total_updates, "early_stopping_patience", (json_int_t)o->early_stopping_patience, "early_stopping_threshold",
			 o->early_stopping_threshold, "parameters", (json_int_t)trainstep_lora(s->step)->n, "soft", "threads", pool_threads(s->pool), "isa",
			 isa_kernels()->name, "layers_kept", trainstep_plan(s->step)->layers_kept);
	return *out ? 0 : err_set(err, ERR_INTERNAL, "cannot describe the run");
}

static bool differ(const json_t *a, const json_t *b, const char *path, char *out, size_t size)
{
	const char *key;
	json_t *value;
	if (!json_is_object(a) || !json_is_object(b)) {
		if (!json_equal(a, b))
			snprintf(out, size, "%s", path);
		return !json_equal(a, b);
	}
	for (int side = 0; side < 2; side++) {
		const json_t *from = side ? b : a, *other = side ? a : b;
		json_object_foreach((json_t *)(uintptr_t)from, key, value) {
			CLEANUP(mem_freep) char *below = mem_printf("%s%s%s", path, path[0] ? "." : "", key);
			if (differ(value, json_object_get(other, key), below, out, size))
				return true;
		}
	}
	return false;
}

void identity_difference(const json_t *ours, const json_t *theirs, const char *part, char *out, size_t size)
{
	out[0] = 0;
	differ(json_object_get(ours, part), json_object_get(theirs, part), "", out, size);
}
