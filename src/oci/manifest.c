/* manifest.c: see manifest.h. */
#include "oci/manifest.h"

#include "base/limits.h"
#include "codec/json.h"
#include <inttypes.h>

#define BLOB_MAX ((int64_t)1 << 50)

static void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	free(d->title);
}

void manifest_done(struct manifest *m)
{
	free(m->media_type);
	free(m->artifact_type);
	free(m->model_name);
	descriptor_done(&m->config);
	for (size_t i = 0; i < m->n_layers; i++)
		descriptor_done(&m->layers[i]);
	free(m->layers);
	*m = (struct manifest){0};
}

const char *manifest_host_architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
	return "unknown";
#endif
}

/* A title becomes a path under the output folder. */
static int check_title(const char *title, const char *where, struct err *err)
{
	bool ok = title[0] && title[0] != '/' && strlen(title) < 1024;
	for (const char *part = title; ok && *part;) {
		size_t n = (size_t)(strchrnul(part, '/') - part);
		ok = n > 0 && n < 256 && !(n == 1 && part[0] == '.') && !(n == 2 && memcmp(part, "..", 2) == 0);
		part += part[n] ? n + 1 : n;
	}
	return ok ? 0 : err_set(err, ERR_INVALID, "%s: the title '%.80s' is not a plain relative path", where, title);
}

static int parse_descriptor(const json_t *obj, const char *where, struct descriptor *out, struct err *err)
{
	str digest = {0};
	const char *media_type = "", *title = NULL, *unpack = NULL;
	int64_t size = 0;
	const json_t *annotations = NULL;
	if (!json_is_object(obj))
		return err_set(err, ERR_INVALID, "%s is not an object", where);
	if (json_require(obj, "digest", where, err) < 0 || json_require(obj, "size", where, err) < 0 ||
	    json_get_str(obj, "digest", where, &digest, err) < 0 || json_get_int_in(obj, "size", where, 0, BLOB_MAX, &size, err) < 0 ||
	    json_get_string(obj, "mediaType", where, &media_type, err) < 0 || json_get_object(obj, "annotations", where, &annotations, err) < 0)
		return -1;
	if (annotations && (json_get_string(annotations, ANNOTATION_TITLE, where, &title, err) < 0 ||
			    json_get_string(annotations, ANNOTATION_UNPACK, where, &unpack, err) < 0))
		return -1;
	if (title && check_title(title, where, err) < 0)
		return -1;
	if (digest_parse(digest, out->digest, err) < 0)
		return err_wrap(err, "%s", where);
	out->size = (uint64_t)size;
	out->media_type = mem_strdup(media_type);
	out->title = title ? mem_strdup(title) : NULL;
	out->unpack = unpack && strcmp(unpack, "true") == 0;
	return 0;
}

static int parse_layers(const json_t *root, struct manifest *m, struct err *err)
{
	const json_t *layers = NULL;
	if (json_require(root, "layers", "manifest", err) < 0 || json_get_array(root, "layers", "manifest", &layers, err) < 0)
		return -1;
	size_t n = json_array_size(layers);
	if (n > LIMIT_OCI_LAYERS)
		return err_set(err, ERR_LIMIT, "the manifest has %zu layers; the limit is %d", n, LIMIT_OCI_LAYERS);
	m->layers = mem_array(n + 1, sizeof *m->layers);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(mem_freep) char *where = mem_printf("manifest.layers[%zu]", i);
		if (parse_descriptor(json_array_get(layers, i), where, &m->layers[i], err) < 0)
			return -1;
		m->n_layers++;
	}
	return 0;
}

static int parse_manifest(const json_t *root, const char *media_type, struct manifest *m, struct err *err)
{
	const json_t *config = NULL, *annotations = NULL;
	const char *artifact_type = NULL, *model_name = NULL;
	if (json_require(root, "config", "manifest", err) < 0 || json_get_object(root, "config", "manifest", &config, err) < 0 ||
	    json_get_object(root, "annotations", "manifest", &annotations, err) < 0 ||
	    json_get_string(root, "artifactType", "manifest", &artifact_type, err) < 0 ||
	    (annotations && json_get_string(annotations, ANNOTATION_MODEL_NAME, "manifest.annotations", &model_name, err) < 0) ||
	    parse_descriptor(config, "manifest.config", &m->config, err) < 0 || parse_layers(root, m, err) < 0)
		return -1;
	m->media_type = mem_strdup(media_type[0] ? media_type : MEDIA_OCI_MANIFEST);
	m->artifact_type = artifact_type ? mem_strdup(artifact_type) : NULL;
	m->model_name = model_name ? mem_strdup(model_name) : NULL;
	m->is_image = strcmp(m->config.media_type, MEDIA_OCI_CONFIG) == 0 || strcmp(m->config.media_type, MEDIA_DOCKER_CONFIG) == 0;
	return 0;
}

/* The first entry for linux and the architecture; an only entry without a platform is taken, too. */
static int choose(const json_t *manifests, const char *architecture, char chosen[DIGEST_TEXT], struct err *err)
{
	size_t n = json_array_size(manifests);
	if (n > LIMIT_OCI_LAYERS)
		return err_set(err, ERR_LIMIT, "the image index has %zu entries; the limit is %d", n, LIMIT_OCI_LAYERS);
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = json_array_get(manifests, i), *platform = NULL;
		const char *os = "", *arch = "";
		str digest = {0};
		CLEANUP(mem_freep) char *where = mem_printf("index.manifests[%zu]", i);
		if (!json_is_object(entry))
			return err_set(err, ERR_INVALID, "%s is not an object", where);
		if (json_require(entry, "digest", where, err) < 0 || json_get_str(entry, "digest", where, &digest, err) < 0 ||
		    json_get_object(entry, "platform", where, &platform, err) < 0)
			return -1;
		if (platform && (json_get_string(platform, "os", where, &os, err) < 0 || json_get_string(platform, "architecture", where, &arch, err) < 0))
			return -1;
		if ((platform && strcmp(os, "linux") == 0 && strcmp(arch, architecture) == 0) || (!platform && n == 1))
			return digest_parse(digest, chosen, err) < 0 ? -1 : 1;
	}
	return err_set(err, ERR_NOT_FOUND, "the image index has no image for linux/%s", architecture);
}

static int parse_root(const json_t *root, const char *architecture, struct manifest *m, char chosen[DIGEST_TEXT], struct err *err)
{
	int64_t schema = 0;
	const char *media_type = "";
	const json_t *manifests = NULL;
	if (!json_is_object(root))
		return err_set(err, ERR_INVALID, "the manifest is not a JSON object");
	if (json_get_int(root, "schemaVersion", "manifest", &schema, err) < 0 || json_get_string(root, "mediaType", "manifest", &media_type, err) < 0 ||
	    json_get_array(root, "manifests", "index", &manifests, err) < 0)
		return -1;
	if (schema != 2)
		return err_set(err, ERR_UNSUPPORTED, "the manifest has schemaVersion %" PRId64 "; push the image again with a current tool", schema);
	if (manifests)
		return choose(manifests, architecture ? architecture : manifest_host_architecture(), chosen, err);
	return parse_manifest(root, media_type, m, err);
}

static void decref(json_t **value) { json_decref(*value); }

int manifest_parse(str text, const char *architecture, struct manifest *out, char chosen[DIGEST_TEXT], struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	struct json_rules rules = {.max_bytes = LIMIT_OCI_MANIFEST_BYTES};
	if (json_parse_with(&root, text, "manifest", &rules, err) < 0)
		return -1;
	struct manifest m = {0};
	int rc = parse_root(root, architecture, &m, chosen, err);
	if (rc == 0)
		*out = m;
	else
		manifest_done(&m);
	return rc;
}

static json_t *print_descriptor(const struct descriptor *d)
{
	json_t *o = json_pack("{s:s, s:s, s:I}", "mediaType", d->media_type, "digest", d->digest, "size", (json_int_t)d->size);
	if (d->title)
		json_object_set_new(o, "annotations", json_pack("{s:s}", ANNOTATION_TITLE, d->title));
	return o;
}

char *manifest_print(const struct manifest *m)
{
	json_t *root = json_pack("{s:i, s:s}", "schemaVersion", 2, "mediaType", m->media_type);
	if (m->artifact_type)
		json_object_set_new(root, "artifactType", json_string(m->artifact_type));
	json_object_set_new(root, "config", print_descriptor(&m->config));
	json_t *layers = json_array();
	for (size_t i = 0; i < m->n_layers; i++)
		json_array_append_new(layers, print_descriptor(&m->layers[i]));
	json_object_set_new(root, "layers", layers);
	if (m->model_name)
		json_object_set_new(root, "annotations", json_pack("{s:s}", ANNOTATION_MODEL_NAME, m->model_name));
	struct buf out = {0};
	json_print(root, JSON_PRINT_COMPACT, &out);
	json_decref(root);
	return buf_take(&out);
}
