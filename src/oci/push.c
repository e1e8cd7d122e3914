/* push.c: layers in parallel, then the config, then the manifest, so that a tag never names something incomplete. */
#include "oci/oci.h"

#include "base/limits.h"
#include "oci/pack.h"
#include "http/parallel.h"
#include "oci/session.h"

struct push { struct session *session; const struct packed *packed; };

static int push_blob(struct session *s, const struct descriptor *blob, const char *path, const atomic_bool *stop, struct err *err)
{
	static const char *const OUTCOMES[] = {[BLOB_UPLOADED] = "pushed", [BLOB_EXISTED] = "exists", [BLOB_MOUNTED] = "mounted"};
	char name[64];
	session_item_name(blob, name);
	struct session_item item = {s, name, "pushing"};
	const struct blob_progress progress = {session_item_progress, &item, stop};
	enum blob_outcome outcome;
	if (registry_put_blob(&s->registry, blob, path, &progress, &outcome, err) < 0)
		return err_wrap(err, "%s", name);
	session_report(s, name, OUTCOMES[outcome], blob->size, blob->size);
	return 0;
}

static int push_layer(void *context, size_t i, const atomic_bool *stop, struct err *err)
{
	const struct push *p = context;
	return push_blob(p->session, &p->packed->manifest.layers[i], p->packed->paths[i], stop, err);
}

static int push_all(struct session *s, const struct packed *packed, struct err *err)
{
	const struct manifest *m = &packed->manifest;
	struct push push = {s, packed};
	CLEANUP(mem_freep) char *config = layout_blob_path(&s->store, m->config.digest);
	if (parallel_run(m->n_layers, session_threads(s), push_layer, &push, err) < 0 || push_blob(s, &m->config, config, NULL, err) < 0)
		return -1;
	return registry_put_manifest(&s->registry, s->ref.tag, m->media_type, packed->text, packed->digest, err);
}

static bool image_has_layer(const struct layout *store, const char *manifest_digest, const char *layer)
{
	struct buf text = {0};
	struct manifest m = {0};
	char chosen[DIGEST_TEXT];
	bool found = false;
	if (layout_get(store, manifest_digest, LIMIT_OCI_MANIFEST_BYTES, &text, NULL) == 0 && manifest_parse(buf_str(&text), NULL, &m, chosen, NULL) == 0)
		for (size_t i = 0; !found && i < m.n_layers; i++)
			found = strcmp(m.layers[i].digest, layer) == 0;
	manifest_done(&m);
	buf_done(&text);
	return found;
}

/* Another repository of the same registry that, as far as the store knows, has the first layer. Caller frees. */
static char *find_mount(struct session *s, const struct packed *packed)
{
	struct layout_image *images;
	size_t n;
	char *from = NULL;
	if (packed->manifest.n_layers == 0 || layout_list(&s->store, &images, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; !from && i < n; i++) {
		struct reference ref = {0};
		if (reference_parse(str_of(images[i].name), &ref, NULL) < 0)
			continue;
		if (strcmp(ref.registry, s->ref.registry) == 0 && strcmp(ref.repository, s->ref.repository) != 0 &&
		    image_has_layer(&s->store, images[i].digest, packed->manifest.layers[0].digest))
			from = mem_strdup(ref.repository);
		reference_done(&ref);
	}
	layout_images_done(images, n);
	return from;
}

static int connect_and_push(struct session *s, const struct packed *packed, struct err *err)
{
	CLEANUP(mem_freep) char *found = s->options->mount_from ? mem_strdup(s->options->mount_from) : find_mount(s, packed);
	if (session_connect(s, found, err) < 0)
		return -1;
	return push_all(s, packed, err);
}

typedef int packer(const struct layout *store, const char *path, const char *model_name, struct packed *out, struct err *err);

static int push(const char *path, const char *image, const struct oci_options *options, packer *pack, bool keep, char digest[OCI_DIGEST_MAX],
		struct err *err)
{
	struct session s;
	if (session_open(&s, image, options, NULL, err) < 0)
		return -1;
	struct packed packed = {0};
	int rc = 0;
	if (!s.ref.tag || s.ref.digest)
		rc = err_set(err, ERR_USAGE, "image '%s': a push needs a tag, not a digest", image);
	if (rc == 0)
		rc = pack(&s.store, path, s.options->model_name, &packed, err);
	if (rc == 0 && keep)
		rc = layout_tag(&s.store, s.name, packed.digest, strlen(packed.text), MEDIA_OCI_MANIFEST, err);
	if (rc == 0)
		rc = connect_and_push(&s, &packed, err);
	if (rc == 0 && digest)
		memcpy(digest, packed.digest, DIGEST_TEXT);
	packed_done(&packed);
	session_close(&s);
	return rc;
}

int oci_push_adapter(const char *folder, const char *image, const struct oci_options *options, char digest[OCI_DIGEST_MAX], struct err *err)
{
	return push(folder, image, options, pack_adapter, true, digest, err);
}

int oci_push_model(const char *path, const char *image, const struct oci_options *options, char digest[OCI_DIGEST_MAX], struct err *err)
{
	return push(path, image, options, pack_model, false, digest, err);
}
