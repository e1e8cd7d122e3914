/* config_file.h: upstream's inference_config.yaml. Its `vllm:` map holds vLLM flags that win over the command line (upstream
 * appends them to it). Those that mean something here are honoured, the others are named once. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* What the command line and the file may both say. Strings of the file live as long as the process. */
struct serve_settings {
	const char *served_model_name, *dtype, *host, *chat_template, *adapters_dir;
	int64_t max_model_len, max_num_seqs, port, threads;
	double request_timeout_s;
	bool no_rate_limit;
};
/* Overwrites what the file names. `ignored` gets a comma list of the keys without effect. ERR_CONFIG says line and key. */
WARN_UNUSED int serve_config_read(const char *path, struct serve_settings *out, struct buf *ignored, struct err *err);
