/* api.h: the two questions that a hub answers: which files does a revision have, and where and what is one of them. */
#pragma once
#include "hub/etag.h"
#include "hub/select.h"
#include "hub/source.h"
#include "http/client.h"

struct api {
	struct http_client *client;
	char *endpoint;         /* "https://huggingface.co", without a slash at the end */
	char *authorization;    /* "Bearer …" or NULL */
	const struct source *source;
};
struct api_file { char *url; struct etag tag; bool has_size; uint64_t size; };

WARN_UNUSED int api_open(struct api *a, const struct source *source, const char *endpoint, bool allow_private, const atomic_bool *cancel, struct err *err);
void api_close(struct api *a);
/* All files of the revision, and the commit that it stands for (caller frees). */
WARN_UNUSED int api_list(struct api *a, name_list *files, char **commit, struct err *err);
/* api_file_done is the caller's. */
WARN_UNUSED int api_file(struct api *a, const char *commit, const char *name, struct api_file *out, struct err *err);
void api_file_done(struct api_file *f);
/* The content of a small file (at most LIMIT_JSON_BYTES). */
WARN_UNUSED int api_read(struct api *a, const char *commit, const char *name, struct buf *out, struct err *err);
