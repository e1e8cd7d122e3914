/* images.c: the local store as `kaito images` shows it. */
#include "oci/oci.h"

#include "base/mem.h"
#include "oci/layout.h"
#include "oci/reference.h"

static int open_store(struct layout *l, const char *store, enum layout_use use, struct err *err)
{
	CLEANUP(mem_freep) char *fallback = oci_default_store();
	return layout_open(l, store ? store : fallback, use, err);
}

int oci_list(const char *store, struct oci_image **images, size_t *n, struct err *err)
{
	CLEANUP(layout_close) struct layout l = {0};
	struct layout_image *found;
	if (open_store(&l, store, LAYOUT_SHARED, err) < 0 || layout_list(&l, &found, n, err) < 0)
		return -1;
	*images = mem_array(*n + 1, sizeof **images);
	for (size_t i = 0; i < *n; i++) {
		struct oci_image *image = &(*images)[i];
		image->name = mem_strdup(found[i].name);
		memcpy(image->digest, found[i].digest, DIGEST_TEXT);
		image->bytes = layout_image_bytes(&l, found[i].digest);
	}
	layout_images_done(found, *n);
	return 0;
}

void oci_list_done(struct oci_image *images, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(images[i].name);
	free(images);
}

int oci_remove(const char *image, const char *store, struct err *err)
{
	CLEANUP(layout_close) struct layout l = {0};
	CLEANUP(reference_done) struct reference ref = {0};
	if (reference_parse(str_of(image), &ref, err) < 0 || open_store(&l, store, LAYOUT_SHARED, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *name = reference_format(&ref);
	int rc = layout_untag(&l, name, err);
	return rc == 1 ? err_set(err, ERR_NOT_FOUND, "the store has no image '%.150s'; 'kaito images list' shows what it has", name) : rc;
}

int oci_gc(const char *store, uint64_t *freed_bytes, size_t *freed_blobs, struct err *err)
{
	CLEANUP(layout_close) struct layout l = {0};
	return open_store(&l, store, LAYOUT_EXCLUSIVE, err) < 0 ? -1 : layout_gc(&l, freed_bytes, freed_blobs, err);
}
