/* image_pull.h: the text of image_pull.sh, embedded at build time: what init containers that pull images run (pod_pull.c). */
#pragma once
#include <stddef.h>

extern const char image_pull_sh[];
extern const size_t image_pull_sh_len;
