/* model_rules.c: what a preset's name stands for. The catalogue answers at once; other names are asked from the model hub within the
 * lookup's deadline, and a hub that does not answer is no reason to refuse a well-formed name. */
#include "admission/rules.h"

#include "base/mem.h"
#include "codec/base64.h"
#include <openssl/crypto.h>


#define TOKEN_MAX 1024

bool model_rules_name_ok(const char *preset)
{
	return catalog_model_find(preset) || (!catalog_model_deprecated(preset) && catalog_model_is_hub_name(preset));
}

/* data.HF_TOKEN of a Secret, decoded. false: not there or not base64. */
static bool token_of(const json_t *secret, char token[TOKEN_MAX])
{
	const char *text = json_text_at(secret, "", "data", "HF_TOKEN", NULL);
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t len = 0;
	if (base64_decode(BASE64_STANDARD, str_of(text), &bytes, &len, NULL) < 0)
		return false;
	bool ok = len > 0 && len < TOKEN_MAX && !memchr(bytes, 0, len);
	if (ok)
		memcpy(token, bytes, len + 1);
	OPENSSL_cleanse(bytes, len);
	return ok;
}

static bool find_token(struct admission *a, const char *secret, char token[TOKEN_MAX])
{
	json_t *object = NULL;
	struct err err = ERR_INIT;
	bool found = secret[0] && admission_get(a, "Secret", a->namespace_, secret, &object, &err) == ADMISSION_FOUND && token_of(object, token);
	json_decref(object);
	return found;
}

static void report(struct admission *a, const char *preset, bool had_token, const char *path, const struct err *err)
{
	bool final = err->kind == ERR_NOT_FOUND || err->kind == ERR_UNSUPPORTED || err->kind == ERR_MODEL || (err->kind == ERR_DENIED && had_token);
	if (final) {
		a->model_failed = true;
		field_errors_invalid(&a->errors, path, "failed to get model preset: %s", err->message);
	} else if (err->kind == ERR_DENIED) {
		a->model_failed = true;
		field_errors_generic(&a->errors, NULL,
				     "This preset requires authentication and needs a modelAccessSecret with HF_TOKEN key under presetOptions to "
				     "download the model");
	} else {
		admission_warn(a, "model %s could not be checked: %s", preset, err->message);
	}
}

void model_rules_resolve(struct admission *a, const char *preset, const char *secret, const char *path)
{
	a->model = catalog_model_find(preset);
	if (a->model)
		return;
	if (!a->lookup->models) {
		admission_unchecked(a, "%s: model %s is not in the catalogue; whether it exists and can be served was not asked from the hub", path, preset);
		return;
	}
	char token[TOKEN_MAX];
	bool has_token = find_token(a, secret, token);
	struct err err = ERR_INIT;
	int failed = catalog_resolve(a->lookup->models, preset, has_token ? token : NULL, a->lookup->hub_deadline_ms, &a->model, &err);
	OPENSSL_cleanse(token, sizeof token);
	if (failed < 0) {
		a->model = NULL;
		report(a, preset, has_token, path, &err);
	}
}
