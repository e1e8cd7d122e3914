/* revision.c: hashes and recorded data of revisions (workspace_view.h, inference_set.h). Both come from the same bytes, the typed
 * client's encoding, so that a controller of either make finds its own hash in what the other recorded. */
#include "crd/inference_set.h"
#include "crd/typed_json.h"
#include "crd/workspace_view.h"

#include "codec/digest.h"
#include "codec/json.h"
#include <string.h>

struct part { const char *key, *type; const json_t *value; };

static void hash_parts(const struct part *parts, size_t n, char out[65])
{
	CLEANUP(buf_done) struct buf text = {0};
	char digest[DIGEST_TEXT];
	for (size_t i = 0; i < n; i++) {
		typed_json(parts[i].type, parts[i].value, &text);
		buf_putc(&text, '\n');
	}
	digest_of(text.data, text.len, digest);
	memcpy(out, digest_hex(digest), 65);
}

static json_t *data_of_parts(const struct part *parts, size_t n)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct err err = ERR_INIT;
	json_t *data = NULL;
	for (size_t i = 0; i < n; i++) {
		buf_printf(&text, "%c\"%s\":", i ? ',' : '{', parts[i].key);
		typed_json(parts[i].type, parts[i].value, &text);
	}
	buf_putc(&text, '}');
	return json_parse(&data, buf_str(&text), "revision data", &err) < 0 ? json_object() : data;
}

/* The resource section is a struct that is always there; the other two may be null. */
static void workspace_parts(const struct workspace_view *w, struct part parts[3])
{
	parts[0] = (struct part){"resource", "&ResourceSpec", w->resource};
	parts[1] = (struct part){"inference", "InferenceSpec", w->inference};
	parts[2] = (struct part){"tuning", "TuningSpec", w->tuning};
}

void workspace_hash(const struct workspace_view *w, char out[65])
{
	struct part parts[3];
	workspace_parts(w, parts);
	hash_parts(parts, 3, out);
}

json_t *workspace_revision_data(const struct workspace_view *w)
{
	struct part parts[3];
	workspace_parts(w, parts);
	return data_of_parts(parts, 3);
}

static struct part set_part(const json_t *set)
{
	return (struct part){"Spec", "&InferenceSetSpec", json_object_get(set, "spec")};
}

void inference_set_hash(const json_t *set, char out[65])
{
	struct part part = set_part(set);
	hash_parts(&part, 1, out);
}

json_t *inference_set_revision_data(const json_t *set)
{
	struct part part = set_part(set);
	return data_of_parts(&part, 1);
}
