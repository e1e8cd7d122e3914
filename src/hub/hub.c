/* hub.c: list, select, then fetch the files in parallel. */
#include "hub/hub.h"

#include "base/fd.h"
#include "http/download.h"
#include "http/parallel.h"
#include "hub/api.h"
#include <pthread.h>
#include <sys/stat.h>

struct pull {
	const struct hub_options *options;
	struct source source;
	struct api api;
	const char *folder;
	char *commit;
	name_list files;
	pthread_mutex_t mu;   /* one progress call at a time */
};

bool hub_is_source(const char *word) { return strncmp(word, "hf://", 5) == 0; }

static void report(struct pull *p, const char *item, const char *state, uint64_t done, uint64_t total)
{
	if (!p->options->progress)
		return;
	pthread_mutex_lock(&p->mu);
	p->options->progress(p->options->progress_context, item, state, done, total);
	pthread_mutex_unlock(&p->mu);
}

struct file { struct pull *pull; const char *name; };

static void on_progress(void *context, uint64_t done, uint64_t total)
{
	const struct file *f = context;
	report(f->pull, f->name, "pulling", done, total);
}

static int authorize(void *context, bool refused, const char *challenge, char **value, struct err *err)
{
	const struct file *f = context;
	(void)challenge;
	if (refused)
		return err_set(err, ERR_DENIED, "the hub refuses the token for '%s'", f->name);
	*value = f->pull->api.authorization ? mem_strdup(f->pull->api.authorization) : NULL;
	return 0;
}

/* Whether the file is there already: 1 yes, 0 no, -1. A tag that proves nothing means no. */
static int is_there(const struct api_file *file, const char *path, struct err *err)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || (file->has_size && (uint64_t)st.st_size != file->size))
		return 0;
	return etag_matches_file(&file->tag, path, err);
}

static int fetch(struct file *f, const struct api_file *file, const char *path, const atomic_bool *stop, struct err *err)
{
	const struct download d = {
		.url = file->url, .path = path, .has_size = file->has_size, .size = file->size,
		.digest = file->tag.sha256[0] ? file->tag.sha256 : NULL, .authorize = authorize, .progress = on_progress, .context = f, .cancel = stop,
	};
	if (download_run(f->pull->api.client, &d, NULL, err) < 0)
		return -1;
	int same = file->tag.git[0] ? etag_matches_file(&file->tag, path, err) : 1;
	if (same == 1)
		return 0;
	unlink(path);
	return same < 0 ? -1 : err_set(err, ERR_PROTOCOL, "the content is not what the hub's ETag names");
}

static int pull_file(void *context, size_t i, const atomic_bool *stop, struct err *err)
{
	struct pull *p = context;
	struct file f = {p, p->files.data[i]};
	CLEANUP(api_file_done) struct api_file file = {0};
	CLEANUP(mem_freep) char *path = fd_join(p->folder, f.name);
	CLEANUP(mem_freep) char *parent = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	if (api_file(&p->api, p->commit, f.name, &file, err) < 0 || fd_make_dirs(parent, err) < 0)
		return -1;
	int there = is_there(&file, path, err);
	if (there == 0 && fetch(&f, &file, path, stop, err) < 0)
		return err_wrap(err, "%.80s", f.name);
	report(p, f.name, there ? "exists" : "pulled", file.size, file.size);
	return there < 0 ? -1 : 0;
}

static int select_files(struct pull *p, struct err *err)
{
	name_list all = {0}, shards = {0};
	struct buf index = {0};
	int rc = api_list(&p->api, &all, &p->commit, err);
	bool sharded = rc == 0 && !p->source.dataset && !p->source.file && select_needs_index(&all);
	if (rc == 0 && p->source.file)
		vec_push(&p->files, mem_strdup(p->source.file)); /* if it is missing the hub says so */
	else if (rc == 0 && p->source.dataset)
		rc = select_dataset(&all, &p->files, err);
	if (sharded && (rc = api_read(&p->api, p->commit, SELECT_INDEX, &index, err)) == 0)
		rc = select_read_index(buf_str(&index), &shards, err);
	if (rc == 0 && !p->source.dataset && !p->source.file)
		rc = select_model(&all, sharded ? &shards : NULL, &p->files, err);
	name_list_done(&all);
	name_list_done(&shards);
	buf_done(&index);
	return rc;
}

static int run(struct pull *p, struct err *err)
{
	if (fd_make_dirs(p->folder, err) < 0 || select_files(p, err) < 0)
		return -1;
	return parallel_run(p->files.len, p->options->parallel ? p->options->parallel : 4, pull_file, p, err);
}

int hub_pull(const char *source, const char *folder, const struct hub_options *options, char **commit, struct err *err)
{
	static const struct hub_options DEFAULTS;
	struct pull p = {.options = options ? options : &DEFAULTS, .folder = folder};
	if (source_parse(source, &p.source, err) < 0)
		return -1;
	if (api_open(&p.api, &p.source, p.options->endpoint, p.options->allow_private, p.options->cancel, err) < 0) {
		source_done(&p.source);
		return -1;
	}
	pthread_mutex_init(&p.mu, NULL);
	int rc = run(&p, err);
	if (rc == 0 && commit) {
		*commit = p.commit;
		p.commit = NULL;
	}
	pthread_mutex_destroy(&p.mu);
	api_close(&p.api);
	source_done(&p.source);
	name_list_done(&p.files);
	free(p.commit);
	return rc < 0 ? err_wrap(err, "%.80s", source) : 0;
}
