/* tuning_scripts.h: the shell programs of tuning pods that run upstream's images: the downloader of data (curl's image) and the pusher of
 * the adapter (oras' image). They are files of their own (tuning_download.sh, pusher.sh), run by the tests as they are; a Job carries
 * them without their comments. */
#pragma once
#include "base/err.h"
#include <stddef.h>

/* The script of the container data-downloader; its URLs and folder come from the environment. Caller frees. */
char *tuning_download_script(void);
/* The script of the container pusher. ERR_INVALID: a value holds control characters, which no shell word should. Caller frees. */
WARN_UNUSED int pusher_script(const char *output_dir, const char *image, const char *model, char **out, struct err *err);

/* The files' text, embedded at build time. */
extern const char tuning_download_sh[], pusher_sh[];
extern const size_t tuning_download_sh_len, pusher_sh_len;
