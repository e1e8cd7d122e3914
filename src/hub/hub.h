/* hub.h: files from a model hub ("hf://") and from plain URLs into a folder.
 *
 * Every file is whole or absent; one that is there with the right content is not fetched again; one that was cut is
 * resumed, also by a later run. Private and loopback addresses are refused, on redirects too, unless allowed. */
#pragma once
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As oci_progress_fn: serialised, from worker threads. */
typedef void hub_progress_fn(void *context, const char *item, const char *state, uint64_t done_bytes, uint64_t total_bytes);

struct hub_options { /* zeroed: the default; pointers are borrowed for the length of the call */
	const char *endpoint;      /* NULL: $HF_ENDPOINT, else https://huggingface.co */
	bool allow_private;
	unsigned parallel;         /* files at once; 0: 4 */
	const atomic_bool *cancel;
	hub_progress_fn *progress;
	void *progress_context;
};

bool hub_is_source(const char *word); /* begins with hf:// */
/* "hf://[datasets/]ORG/NAME[@REVISION][/FILE]". Of a model: the safetensors (one file, or the shards that the index
 * names), configuration and tokenizer; when there are none, the only GGUF file. Of a data set: its data files. The token is
 * $HF_TOKEN, or the file that the hub's own tool writes. *commit (may be NULL; caller frees) gets the commit. */
WARN_UNUSED int hub_pull(const char *source, const char *folder, const struct hub_options *options, char **commit, struct err *err);

bool url_is_source(const char *word); /* begins with http:// or https:// */
/* The file is named by the last part of the URL's path. *path (may be NULL; caller frees) gets where it is. */
WARN_UNUSED int url_pull(const char *url, const char *folder, const struct hub_options *options, char **path, struct err *err);
