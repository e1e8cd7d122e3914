/* harness.h: a server over the fake engine, and short words for asking it and looking into its JSON. */
#pragma once
#include "codec/json.h"
#include "http/raw_client.h"
#include "serve/fake_engine.h"
#include "serve/serve.h"

struct harness { struct engine *engine; struct serve *serve; int port; };
/* options may be NULL or hold what differs from the default (engine, tokenizer, template, names and host are filled in). */
void harness_start(struct harness *h, const struct serve_options *options, const struct fake_engine *engine);
void harness_stop(struct harness *h);

struct answer { int status; char *head; json_t *json; char *text; }; /* json NULL when the body is none */
struct answer harness_ask(const struct harness *h, const char *method, const char *path, const char *body);
struct answer harness_ask_with(const struct harness *h, const char *method, const char *path, const char *extra, const char *body);
void harness_answer_done(struct answer *a);

/* "choices.0.message.content" in a value; NULL when absent. */
const json_t *json_at(const json_t *value, const char *path);
const char *text_at(const json_t *value, const char *path);  /* "" when absent or no string */
/* The data lines of an event stream, "[DONE]" as a string. */
json_t *events_of(const char *stream);

/* Waits (at most 20 s) until the expression is true. */
#define WAIT_FOR(expression) \
	do { \
		int64_t until_ = clock_now_ms() + 20000; \
		while (!(expression) && clock_now_ms() < until_) \
			clock_sleep_ms(2); \
		ck_assert(expression); \
	} while (0)
#define CHECK_TEXT(json, path, want) ck_assert_str_eq(text_at(json, path), want)
#define CHECK_INT(json, path, want) ck_assert_int_eq(json_integer_value(json_at(json, path)), want)
