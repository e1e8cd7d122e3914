/* workspace_config.c: the ConfigMap a Workspace names. It is read when a pass needs it (there is no cache of all ConfigMaps of a
 * cluster), and looked at again every minute, so that a map that appears or changes later takes effect. */
#include "control/workspace_pass.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

static const int64_t LOOK_AGAIN_MS = 60000, MISSING_MS = 10000;

/* vllm.max-model-len, which admission has checked; 0 when it is not there. */
static int64_t max_model_len(const char *text)
{
	struct yaml_doc doc;
	struct err ignored = ERR_INIT;
	if (yaml_parse(&doc, str_of(text), "inference_config.yaml", &ignored) < 0)
		return 0;
	int64_t v = json_int_at(doc.root, 0, "vllm", "max-model-len", NULL);
	yaml_doc_done(&doc);
	return v > 0 ? v : 0;
}

static void hash_data(const json_t *data, char out[17])
{
	struct buf text = {0};
	json_print(data, JSON_PRINT_COMPACT | JSON_PRINT_SORTED, &text);
	char digest[DIGEST_TEXT];
	digest_of(buf_str(&text).data, text.len, digest);
	snprintf(out, 17, "%.16s", digest_hex(digest));
	buf_done(&text);
}

int workspace_config_step(struct workspace_pass *p, struct err *err)
{
	p->plan.config_hash = "";
	if (!p->w.config[0])
		return 0;
	struct err why = ERR_INIT;
	p->plan.has_config = true;
	p->requeue_ms = LOOK_AGAIN_MS;
	if (kube_get(p->c->op.kube, &KUBE_CONFIGMAPS, p->w.namespace_, p->w.config, &p->config, &why) < 0) {
		if (why.kind != ERR_NOT_FOUND)
			return err_set(err, why.kind, "get ConfigMap %s: %s", p->w.config, why.message);
		p->requeue_ms = MISSING_MS;
		snprintf(p->found.failure.reason, sizeof p->found.failure.reason, "ConfigMapNotFound");
		snprintf(p->found.failure.message, sizeof p->found.failure.message, "ConfigMap '%.60s' specified in 'config' not found in namespace '%.60s'",
			 p->w.config, p->w.namespace_);
		return 0;
	}
	const json_t *data = json_at(p->config, "data", NULL);
	hash_data(data, p->config_hash);
	p->plan.config_hash = p->config_hash;
	p->plan.max_model_len = max_model_len(json_text_at(data, "", "inference_config.yaml", NULL));
	return 0;
}
