/* golden.h: what the engine's golden tests share: paths, JSON access, a prompt run through the forward pass. */
#pragma once
#include "base/buf.h"
#include "base/fd.h"
#include "engine/forward.h"
#include "check_main.h"
#include <jansson.h>
#include <stdio.h>

static inline json_t *golden_json(const char *rest)
{
	char *path CLEANUP(mem_freep) = mem_printf("tests/golden/%s", rest);
	json_error_t e;
	json_t *j = json_load_file(source_path(path), 0, &e);
	ck_assert_msg(j != NULL, "%s: %s", path, e.text);
	return j;
}

/* The real model's file, or NULL when it is not on this machine. Freed by the caller. */
static inline char *golden_real_model(void)
{
	const char *given = getenv("KAITO_TEST_MODEL"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = given   ? mem_strdup(given)
		     : cache ? mem_printf("%s/kaito/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", cache)
			     : mem_printf("%s/.cache/kaito/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
	if (fd_exists(path))
		return path;
	free(path);
	return NULL;
}

struct golden_ids { int32_t *ids; int32_t n; };
static inline struct golden_ids golden_ids(const json_t *list)
{
	struct golden_ids g = {.n = (int32_t)json_array_size(list)};
	g.ids = mem_array((size_t)g.n + 256, sizeof *g.ids);
	for (int32_t i = 0; i < g.n; i++)
		g.ids[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
	return g;
}

/* A model with a cache and a forward pass of its own. */
struct golden_rig {
	struct model *model;
	struct pool *pool;
	struct kv_cache kv;
	struct forward *forward;
};
static inline void golden_rig_open(struct golden_rig *r, const char *path, enum compute compute, int threads, int32_t slots, int32_t tokens, int32_t max_rows)
{
	struct err err = ERR_INIT;
	ck_assert_msg(model_open(&r->model, path, &err) == 0, "%s", err.message);
	ck_assert_msg(pool_new(&r->pool, threads, &err) == 0, "%s", err.message);
	ck_assert_msg(model_pack(r->model, compute, r->pool, &err) == 0, "%s", err.message);
	ck_assert_int_eq(kv_cache_init(&r->kv, &r->model->config, compute == COMPUTE_FAST ? KV_F16 : KV_F32, slots, tokens, &err), 0);
	struct forward_options o = {.compute = compute, .max_rows = max_rows, .max_samples = 16};
	ck_assert_msg(forward_new(&r->forward, r->model, &r->kv, r->pool, o, &err) == 0, "%s", err.message);
}
static inline void golden_rig_close(struct golden_rig *r)
{
	forward_free(r->forward);
	kv_cache_done(&r->kv);
	pool_free(r->pool);
	model_close(r->model);
}
