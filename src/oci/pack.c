/* pack.c: see pack.h. */
#include "oci/pack.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/tar.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define ARTIFACT_TYPE "application/vnd.kaito.model.v1"
#define CONFIG_MAX ((size_t)4 << 20)
#define DEPTH_MAX 16

void packed_done(struct packed *p)
{
	for (size_t i = 0; p->paths && i < p->manifest.n_layers; i++)
		free(p->paths[i]);
	free(p->paths);
	free(p->text);
	manifest_done(&p->manifest);
	*p = (struct packed){0};
}

static void decref(json_t **value) { json_decref(*value); }

/* "microsoft/Phi-3-mini" -> "Phi-3-mini"; NULL when the adapter does not say. */
static int base_name(const char *config_path, char **name, struct err *err)
{
	CLEANUP(decref) json_t *root = NULL;
	const char *base = NULL;
	if (json_parse_file(&root, config_path, err) < 0)
		return -1;
	if (!json_is_object(root) || json_get_string(root, "base_model_name_or_path", "", &base, NULL) < 0)
		return err_set(err, ERR_MODEL, "'%s' is not an adapter's configuration", config_path);
	CLEANUP(mem_freep) char *copy = mem_strdup(base ? base : "");
	size_t n = strlen(copy);
	while (n && copy[n - 1] == '/')
		copy[--n] = 0;
	const char *slash = strrchr(copy, '/');
	const char *last = slash ? slash + 1 : copy;
	*name = last[0] ? mem_strdup(last) : NULL;
	return 0;
}

static void set_descriptor(struct descriptor *d, const char *media_type, const char *digest, uint64_t size)
{
	d->media_type = mem_strdup(media_type);
	memcpy(d->digest, digest, DIGEST_TEXT);
	d->size = size;
}

/* The tar's first part of a name is the folder that an image shows as /data. */
static int pack_layer(const struct layout *store, const char *config, const char *weights, struct tar_written *written, struct err *err)
{
	const struct tar_member members[] = {
		{"data/", NULL}, {"data/adapter_config.json", config}, {"data/adapter_model.safetensors", weights}};
	CLEANUP(mem_freep) char *scratch = layout_scratch(store);
	if (tar_write_gzip(scratch, members, 3, written, err) < 0)
		return -1;
	if (layout_adopt(store, scratch, written->digest, err) == 0)
		return 0;
	unlink(scratch);
	return -1;
}

static int put_adapter(const struct layout *store, const char *config, const char *weights, struct packed *p, struct err *err)
{
	struct tar_written written;
	char config_digest[DIGEST_TEXT];
	if (pack_layer(store, config, weights, &written, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *text = mem_printf("{\"rootfs\":{\"diff_ids\":[\"%s\"]}}", written.diff_id);
	if (layout_put(store, text, strlen(text), config_digest, err) < 0)
		return -1;
	struct manifest *m = &p->manifest;
	m->media_type = mem_strdup(MEDIA_OCI_MANIFEST);
	m->is_image = true;
	set_descriptor(&m->config, MEDIA_OCI_CONFIG, config_digest, strlen(text));
	m->layers = mem_array(1, sizeof *m->layers);
	p->paths = mem_array(1, sizeof *p->paths);
	set_descriptor(&m->layers[0], MEDIA_OCI_LAYER_GZIP, written.digest, written.bytes);
	p->paths[0] = layout_blob_path(store, written.digest);
	m->n_layers = 1;
	p->text = manifest_print(m);
	return layout_put(store, p->text, strlen(p->text), p->digest, err);
}

int pack_adapter(const struct layout *store, const char *folder, const char *model_name, struct packed *out, struct err *err)
{
	CLEANUP(mem_freep) char *config = fd_join(folder, "adapter_config.json");
	CLEANUP(mem_freep) char *weights = fd_join(folder, "adapter_model.safetensors");
	if (!fd_exists(config) || !fd_exists(weights))
		return err_set(err, ERR_NOT_FOUND, "'%s' is not an adapter folder: it has no %s", folder,
			       fd_exists(config) ? "adapter_model.safetensors" : "adapter_config.json");
	struct packed p = {0};
	int rc = model_name ? 0 : base_name(config, &p.manifest.model_name, err);
	if (model_name)
		p.manifest.model_name = mem_strdup(model_name);
	if (rc == 0)
		rc = put_adapter(store, config, weights, &p, err);
	if (rc == 0)
		*out = p;
	else
		packed_done(&p);
	return rc;
}

struct file { char *title, *path; };
typedef VEC(struct file) file_list;

static int add_tree(file_list *files, const char *folder, const char *prefix, int depth, struct err *err);

static int add_entry(file_list *files, const char *folder, const char *prefix, const char *name, int depth, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, name);
	CLEANUP(mem_freep) char *title = mem_printf("%s%s%s", prefix, prefix[0] ? "/" : "", name);
	struct stat st;
	if (stat(path, &st) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot look at '%s'", path);
	if (S_ISDIR(st.st_mode))
		return add_tree(files, path, title, depth + 1, err);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
	if (!str_is_utf8(str_of(title), &(size_t){0}))
		return err_set(err, ERR_INVALID, "'%s' has a name that is not UTF-8", path);
	if (files->len >= LIMIT_OCI_LAYERS)
		return err_set(err, ERR_LIMIT, "'%s' has more than %d files", folder, LIMIT_OCI_LAYERS);
	vec_push(files, (struct file){title, path});
	title = path = NULL;
	return 0;
}

static int add_tree(file_list *files, const char *folder, const char *prefix, int depth, struct err *err)
{
	DIR *d = opendir(folder);
	if (!d || depth > DEPTH_MAX) {
		int e = d ? ELOOP : errno;
		if (d)
			closedir(d);
		return err_set_errno(err, ERR_IO, e, "cannot open folder '%s'", folder);
	}
	int rc = 0;
	for (struct dirent *e; rc == 0 && (e = readdir(d));)
		if (e->d_name[0] != '.')
			rc = add_entry(files, folder, prefix, e->d_name, depth, err);
	closedir(d);
	return rc;
}

static int by_title(const void *a, const void *b) { return strcmp(((const struct file *)a)->title, ((const struct file *)b)->title); }

static int collect(const char *path, file_list *files, struct err *err)
{
	CLEANUP(mem_freep) char *clean = mem_strdup(path);
	for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/';)
		clean[--n] = 0;
	if (fd_is_dir(clean)) {
		if (add_tree(files, clean, "", 0, err) < 0)
			return -1;
	} else {
		const char *slash = strrchr(clean, '/');
		CLEANUP(mem_freep) char *folder = slash ? mem_strndup(clean, (size_t)(slash - clean) + 1) : mem_strdup("./");
		if (add_entry(files, folder, "", slash ? slash + 1 : clean, 0, err) < 0)
			return -1;
	}
	if (files->len == 0)
		return err_set(err, ERR_NOT_FOUND, "'%s' has no files to push", path);
	qsort(files->data, files->len, sizeof *files->data, by_title);
	return 0;
}

static int describe(const struct layout *store, file_list *files, struct packed *p, struct err *err)
{
	struct manifest *m = &p->manifest;
	char digest[DIGEST_TEXT];
	m->media_type = mem_strdup(MEDIA_OCI_MANIFEST);
	m->artifact_type = mem_strdup(ARTIFACT_TYPE);
	m->layers = mem_array(files->len, sizeof *m->layers);
	p->paths = mem_array(files->len, sizeof *p->paths);
	for (size_t i = 0; i < files->len; i++) {
		uint64_t size;
		if (digest_of_file(files->data[i].path, digest, &size, err) < 0)
			return -1;
		set_descriptor(&m->layers[i], "application/octet-stream", digest, size);
		m->layers[i].title = mem_strdup(files->data[i].title);
		p->paths[i] = mem_strdup(files->data[i].path);
		m->n_layers++;
	}
	if (layout_put(store, "{}", 2, digest, err) < 0)
		return -1;
	set_descriptor(&m->config, MEDIA_OCI_EMPTY, digest, 2);
	p->text = manifest_print(m);
	digest_of(p->text, strlen(p->text), p->digest);
	return 0;
}

int pack_model(const struct layout *store, const char *path, const char *model_name, struct packed *out, struct err *err)
{
	file_list files = {0};
	struct packed p = {.manifest.model_name = model_name ? mem_strdup(model_name) : NULL};
	int rc = collect(path, &files, err);
	if (rc == 0)
		rc = describe(store, &files, &p, err);
	for (size_t i = 0; i < files.len; i++) {
		free(files.data[i].title);
		free(files.data[i].path);
	}
	vec_done(&files);
	if (rc == 0)
		*out = p;
	else
		packed_done(&p);
	return rc;
}
