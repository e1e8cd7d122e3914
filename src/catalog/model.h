/* model.h: what the control plane knows about a model: a row of the presets table, or the same struct filled from a model hub.
 * Rows are immutable and live as long as the process. */
#pragma once
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog_model {
	const char *id;            /* "microsoft/Phi-4-mini-instruct", the hub's spelling */
	const char *alias;         /* "phi-4-mini-instruct", the old preset name; NULL: none */
	const char *license;
	double weights_gib;        /* as printed with two decimals */
	int64_t context_tokens;
	const char *architecture;  /* "Phi3ForCausalLM" */
	const char *attention;     /* "GQA" "MHA" "MQA" "MLA" */
	int64_t kv_bytes_per_token;
	int disk_gib;
	const char *quantization;  /* "" or "awq/4", "fp8" … */
	const char *dtype;         /* "bfloat16" "auto" */
	const char *load_format, *config_format, *tokenizer_mode; /* "auto" "mistral" … */
	const char *tool_parser, *reasoning_parser, *chat_template; /* "" none */
	const char *extra_args;    /* space-separated "key=value" or "key", "" none */
	bool transformers;         /* usable with the transformers runtime */
	bool tunable;
	int startup_minutes;
	int layers, hidden, heads, kv_heads, head_dim, kv_lora_rank, qk_rope_dim;
	const char *pipeline, *base_model; /* "" none */
	const char *revision;      /* commit to pin, "" none */
	bool gated;                /* known to need an HF_TOKEN */
	bool cpu;                  /* small enough for `kaito serve` and `kaito tune` on CPU nodes */
	double tuning_gib;         /* memory that tuning declares; 0 unknown */
	const char *tuning_image;  /* "kaito-phi-3-mini-128k-instruct:0.2.0", "" none */
	int tuning_disk_gib;
};

/* The catalogue, in its documented order. */
extern const struct catalog_model CATALOG_MODELS[];
extern const size_t CATALOG_MODEL_COUNT;
extern const char CATALOG_BASE_TAG[];    /* "0.5.0", of kaito-base */

/* Upstream's artifact images: <registry>/kaito-<name>:<tag>. */
struct catalog_image { const char *name, *tag; };
extern const struct catalog_image CATALOG_IMAGES[];
extern const size_t CATALOG_IMAGE_COUNT;

/* The row for a preset name: alias or id, any case. NULL: not in the catalogue. */
const struct catalog_model *catalog_model_find(const char *preset);
/* The alias or id most like a name that was not found; NULL: none is near. For "did you mean". */
const char *catalog_model_nearest(const char *preset);
bool catalog_model_deprecated(const char *preset); /* phi-2 … */
/* ORG/NAME with two non-empty halves. */
bool catalog_model_is_hub_name(const char *preset);
/* Last path part, lower case. out at least 128 bytes. */
void catalog_model_short_name(const struct catalog_model *m, char *out, size_t size);
/* The whole id in lower case: what upstream puts in vLLM's --model and in --pretrained_model_name_or_path, however the preset was
 * written; its --served-model-name is the short name, and --code-revision only comes with a pinned `revision` (no row has one).
 * `kaito pull` gets m->id. out at least 128 bytes. */
void catalog_model_hub_id(const struct catalog_model *m, char *out, size_t size);
bool catalog_architecture_supported(const char *architecture); /* by vLLM */

/* Models outside the catalogue, asked from the hub and kept for the process's life. Guarded by its own mutex. */
struct catalog_resolver;
struct catalog_resolver *catalog_resolver_new(const char *hub_url /* NULL: hub's default */, const char *cache_dir /* NULL: memory only */);
/* The flag, once set, ends waits for the hub with ERR_CANCELLED. Borrowed for the resolver's life; called before it is used. */
void catalog_resolver_stop_with(struct catalog_resolver *r, const atomic_bool *stop);
void catalog_resolver_free(struct catalog_resolver *r);
/* *out is borrowed for the resolver's life. deadline_ms: at most this long on the network. token may be NULL.
 * ERR_NOT_FOUND: no such model; ERR_DENIED: needs a token; ERR_UNSUPPORTED: architecture; ERR_TIMEOUT / ERR_NETWORK: hub not reached. */
WARN_UNUSED int catalog_resolve(struct catalog_resolver *r, const char *preset, const char *token, int64_t deadline_ms,
				const struct catalog_model **out, struct err *err);
