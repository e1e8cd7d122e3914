/* pool_claim.c: see pool_claim.h. */
#include "nodes/pool_claim.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

static bool is_text(const json_t *object, const char *key, const char *value)
{
	return strcmp(json_text_at(object, "", key, NULL), value) == 0;
}

bool pool_is_static(const json_t *pool)
{
	const json_t *ref = json_at(pool, "spec", "template", "spec", "nodeClassRef", NULL);
	return json_is_integer(json_at(pool, "spec", "replicas", NULL)) && is_text(ref, "group", KUBE_NODE_CLASSES.group) && is_text(ref, "kind", KUBE_NODE_CLASSES.kind);
}

bool pool_owns(const json_t *pool, const json_t *claim)
{
	const json_t *owner;
	size_t i;
	json_array_foreach(json_at(claim, "metadata", "ownerReferences", NULL), i, owner)
		if (is_text(owner, "kind", KUBE_NODE_POOLS.kind) && is_text(owner, "uid", meta_uid(pool)))
			return true;
	return false;
}

const char *pool_class_name(const json_t *pool)
{
	return json_text_at(pool, "", "spec", "template", "spec", "nodeClassRef", "name", NULL);
}

void pool_claim_name(const json_t *pool, unsigned slot, char out[POOL_CLAIM_NAME])
{
	CLEANUP(mem_freep) char *text = mem_printf("%s/%u", meta_uid(pool), slot);
	char digest[DIGEST_TEXT];
	digest_of(text, strlen(text), digest);
	snprintf(out, POOL_CLAIM_NAME, "np%.9s", digest_hex(digest));
}

/* --- hashes ---------------------------------------------------------------------------------------------------- */

static void hash_of(const json_t *value, char out[POOL_HASH])
{
	CLEANUP(buf_done) struct buf text = {0};
	char digest[DIGEST_TEXT];
	json_print(value, JSON_PRINT_COMPACT | JSON_PRINT_SORTED, &text);
	digest_of(text.data, text.len, digest);
	snprintf(out, POOL_HASH, "%.16s", digest_hex(digest));
}

void pool_hash(const json_t *pool, char out[POOL_HASH])
{
	CLEANUP(json_decrefp) json_t *template = json_deep_copy(json_at(pool, "spec", "template", NULL));
	json_object_del(json_object_get(template, "spec"), "requirements");
	hash_of(template, out);
}

void pool_class_hash(const json_t *node_class, char out[POOL_HASH])
{
	const json_t *spec = json_object_get(node_class, "spec");
	CLEANUP(json_decrefp) json_t *none = json_object();
	hash_of(json_is_object(spec) ? spec : none, out);
}

/* --- a claim --------------------------------------------------------------------------------------------------- */

static void copy_texts(json_t *claim, const json_t *from, void (*set)(json_t *object, const char *key, const char *value))
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)from, key, value)
		if (json_is_string(value))
			set(claim, key, json_string_value(value));
}

static void add_hashes(json_t *claim, const json_t *pool, const json_t *node_class)
{
	char hash[POOL_HASH];
	pool_hash(pool, hash);
	meta_set_annotation(claim, ANNOTATION_POOL_HASH, hash);
	meta_set_annotation(claim, ANNOTATION_POOL_HASH_VERSION, POOL_HASH_VERSION);
	pool_class_hash(node_class, hash);
	meta_set_annotation(claim, ANNOTATION_CLASS_HASH, hash);
	meta_set_annotation(claim, ANNOTATION_CLASS_HASH_VERSION, POOL_HASH_VERSION);
}

static json_t *spec_of(const json_t *pool)
{
	static const char *const COPIED[] = {"nodeClassRef", "taints", "startupTaints", "expireAfter", "terminationGracePeriod"};
	const json_t *template = json_at(pool, "spec", "template", "spec", NULL), *given = json_object_get(template, "requirements");
	json_t *spec = json_object(), *requirements = json_is_array(given) ? json_deep_copy(given) : json_array();
	for (size_t i = 0; i < sizeof COPIED / sizeof COPIED[0]; i++) {
		const json_t *value = json_object_get(template, COPIED[i]);
		if (value)
			json_object_set_new(spec, COPIED[i], json_deep_copy(value));
	}
	json_array_append_new(requirements, json_pack("{s:s,s:s,s:[s]}", "key", LABEL_POOL, "operator", "In", "values", meta_name(pool)));
	json_object_set_new(spec, "requirements", requirements);
	return spec;
}

json_t *pool_claim(const json_t *pool, const json_t *node_class, const char *name)
{
	json_t *claim = meta_new(&KUBE_NODE_CLAIMS, NULL, name), *meta = json_object_get(claim, "metadata");
	copy_texts(claim, json_at(pool, "spec", "template", "metadata", "labels", NULL), meta_set_label);
	copy_texts(claim, json_at(pool, "spec", "template", "metadata", "annotations", NULL), meta_set_annotation);
	meta_set_label(claim, LABEL_POOL, meta_name(pool));
	meta_set_label(claim, LABEL_NODE_CLASS, pool_class_name(pool));
	add_hashes(claim, pool, node_class);
	json_object_set_new(meta, "ownerReferences", json_pack("[{s:s,s:s,s:s,s:s,s:b}]", "apiVersion", "karpenter.sh/v1", "kind", KUBE_NODE_POOLS.kind, "name", meta_name(pool),
							       "uid", meta_uid(pool), "blockOwnerDeletion", 1));
	json_object_set_new(claim, "spec", spec_of(pool));
	return claim;
}
