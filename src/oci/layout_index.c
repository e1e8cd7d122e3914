/* layout_index.c: index.json of the store: names of images to manifests. Read, changed and replaced under a lock of its
 * own, which is held for milliseconds. Entries that we did not write are kept as they are. */
#include "base/fd.h"
#include "base/limits.h"
#include "codec/json.h"
#include "oci/layout.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define REF_NAME "org.opencontainers.image.ref.name"

static void decref(json_t **value) { json_decref(*value); }

static int load(const struct layout *l, json_t **root, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(l->root, "index.json");
	if (!fd_exists(path)) {
		*root = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests");
		return 0;
	}
	CLEANUP(decref) json_t *value = NULL;
	if (json_parse_file(&value, path, err) < 0)
		return -1;
	if (!json_is_array(json_object_get(value, "manifests")))
		return err_set(err, ERR_INVALID, "'%s' is not an image index: it has no list 'manifests'", path);
	*root = value;
	value = NULL;
	return 0;
}

static int save(const struct layout *l, const json_t *root, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(l->root, "index.json");
	CLEANUP(buf_done) struct buf text = {0};
	json_print(root, JSON_PRINT_INDENT, &text);
	buf_putc(&text, '\n');
	return text.overflow ? err_set(err, ERR_LIMIT, "'%s' would become too large", path) : fd_write_file(path, text.data, text.len, 0644, err);
}

static int lock_index(const struct layout *l, int *fd, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(l->root, "index.lock");
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	while (flock(*fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set_errno(err, ERR_IO, errno, "cannot lock '%s'", path);
	return 0;
}

static const char *name_of(const json_t *entry)
{
	return json_string_value(json_object_get(json_object_get(entry, "annotations"), REF_NAME));
}

/* Remove the entries of that name; whether there was one. */
static bool drop(json_t *manifests, const char *name)
{
	bool found = false;
	for (size_t i = json_array_size(manifests); i-- > 0;) {
		const char *have = name_of(json_array_get(manifests, i));
		if (have && strcmp(have, name) == 0) {
			json_array_remove(manifests, i);
			found = true;
		}
	}
	return found;
}

int layout_tag(const struct layout *l, const char *name, const char *digest, uint64_t size, const char *media_type, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(decref) json_t *root = NULL;
	if (lock_index(l, &fd, err) < 0 || load(l, &root, err) < 0)
		return -1;
	json_t *manifests = json_object_get(root, "manifests");
	drop(manifests, name);
	json_array_append_new(manifests, json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", media_type, "digest", digest, "size",
						   (json_int_t)size, "annotations", REF_NAME, name));
	return save(l, root, err);
}

int layout_untag(const struct layout *l, const char *name, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(decref) json_t *root = NULL;
	if (lock_index(l, &fd, err) < 0 || load(l, &root, err) < 0)
		return -1;
	return drop(json_object_get(root, "manifests"), name) ? save(l, root, err) : 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct layout_image *)a)->name, ((const struct layout_image *)b)->name);
}

int layout_list(const struct layout *l, struct layout_image **images, size_t *n, struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	if (load(l, &root, err) < 0)
		return -1;
	const json_t *manifests = json_object_get(root, "manifests");
	struct layout_image *list = mem_array(json_array_size(manifests) + 1, sizeof *list);
	size_t count = 0;
	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const json_t *entry = json_array_get(manifests, i);
		const char *name = name_of(entry), *digest = json_string_value(json_object_get(entry, "digest"));
		const char *media_type = json_string_value(json_object_get(entry, "mediaType"));
		json_int_t size = json_integer_value(json_object_get(entry, "size"));
		struct layout_image *image = &list[count];
		if (!digest || digest_parse(str_of(digest), image->digest, NULL) < 0)
			continue;
		image->name = mem_strdup(name ? name : digest); /* another tool may leave entries without a name */
		image->media_type = mem_strdup(media_type ? media_type : "");
		image->size = size > 0 ? (uint64_t)size : 0;
		count++;
	}
	qsort(list, count, sizeof *list, by_name);
	*images = list;
	*n = count;
	return 0;
}

void layout_images_done(struct layout_image *images, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(images[i].name);
		free(images[i].media_type);
	}
	free(images);
}

int layout_find(const struct layout *l, const char *name, char digest[DIGEST_TEXT], struct err *err)
{
	struct layout_image *images;
	size_t n;
	if (layout_list(l, &images, &n, err) < 0)
		return -1;
	int rc = 1;
	for (size_t i = 0; rc == 1 && i < n; i++)
		if (strcmp(images[i].name, name) == 0) {
			memcpy(digest, images[i].digest, DIGEST_TEXT);
			rc = 0;
		}
	layout_images_done(images, n);
	return rc;
}
