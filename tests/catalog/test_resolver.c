/* test_resolver.c: models by name from a hub on loopback, which behaves as the organisation in the name says. */
#include "check_main.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "catalog/model.h"
#include "http/server.h"
#include <pthread.h>
#include <stdatomic.h>

static struct http_server *hub;
static char url[64], scratch[64];
static atomic_int listings, configs;
static atomic_bool hold; /* the slow hub answers when this is false */
static struct err err;

#define CONFIG "{\"architectures\":[\"%s\"],\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"hidden_size\":64,\"max_position_embeddings\":512}"
#define TREE "[{\"type\":\"file\",\"path\":\"config.json\",\"size\":500},{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":1610612736}]"

static int refuse(struct http_exchange *x, const char *code)
{
	http_reply_header(x, "X-Error-Code", code);
	return http_reply(x, 401, "text/plain", STR("no"));
}

static bool has_token(struct http_exchange *x)
{
	const char *authorization = http_header(x, "Authorization");
	return authorization && strcmp(authorization, "Bearer good") == 0;
}

static int second_page(struct http_exchange *x)
{
	char link[256];
	const char *cursor = http_query(x, "cursor");
	int page = cursor ? (int)strtol(cursor, NULL, 10) : 1, pages = str_eqz(http_param(x, "name"), "m") ? 2 : str_eqz(http_param(x, "name"), "all") ? LIMIT_HUB_PAGES : 1000;
	if (page == pages)
		return http_reply(x, 200, "application/json", STR(TREE));
	snprintf(link, sizeof link, "<%s/api/models/paged/%.*s/tree/main?recursive=true&cursor=%d>; rel=\"next\"", url, STR_FMT(http_param(x, "name")), page + 1);
	http_reply_header(x, "Link", link);
	return http_reply(x, 200, "application/json", STR("[{\"type\":\"file\",\"path\":\"model-1.safetensors\",\"size\":536870912}]"));
}

static int tree(struct http_exchange *x, struct err *e)
{
	(void)e;
	str org = http_param(x, "org");
	atomic_fetch_add(&listings, 1);
	while (str_eqz(org, "slow") && atomic_load(&hold) && !http_gone(x))
		clock_sleep_ms(5);
	if (str_eqz(org, "paged"))
		return second_page(x);
	if (str_eqz(org, "missing"))
		return refuse(x, "RepoNotFound");
	if (str_eqz(org, "private") && !has_token(x))
		return refuse(x, "");
	if (str_eqz(org, "broken"))
		return http_reply(x, 200, "application/json", STR("[{"));
	if (str_eqz(org, "empty"))
		return http_reply(x, 200, "application/json", STR("[]"));
	if (str_eqz(org, "native"))
		return http_reply(x, 200, "application/json",
				  STR("[{\"type\":\"file\",\"path\":\"params.json\",\"size\":1},{\"type\":\"file\",\"path\":\"consolidated.safetensors\",\"size\":1073741824}]"));
	return http_reply(x, 200, "application/json", STR(TREE));
}

/* A good configuration of LIMIT_HUB_CONFIG_BYTES, and with name "over" of one byte more. */
static int large_config(struct http_exchange *x)
{
	size_t len = LIMIT_HUB_CONFIG_BYTES + str_eqz(http_param(x, "name"), "over");
	char *text = arena_alloc(http_arena(x), len + 1);
	memset(text, ' ', len);
	int head = snprintf(text, len, CONFIG, "LlamaForCausalLM");
	text[head] = ' ';
	return http_reply(x, 200, "application/json", (str){text, len});
}

static int config(struct http_exchange *x, struct err *e)
{
	(void)e;
	str org = http_param(x, "org");
	char text[512];
	atomic_fetch_add(&configs, 1);
	if (str_eqz(org, "large"))
		return large_config(x);
	if ((str_eqz(org, "gated") || str_eqz(org, "private")) && !has_token(x))
		return refuse(x, "GatedRepo");
	if (str_eqz(http_param(x, "file"), "params.json"))
		return http_reply(x, 200, "application/json", STR("{\"dim\":64,\"n_layers\":2,\"head_dim\":16,\"n_heads\":4,\"n_kv_heads\":2}"));
	snprintf(text, sizeof text, CONFIG, str_eqz(org, "t5") ? "T5ForConditionalGeneration" : "LlamaForCausalLM");
	return http_reply(x, 200, "application/json", str_of(text));
}

static const struct http_route ROUTES[] = {
	{"GET", "/api/models/{org}/{name}/tree/main", tree, 0, NULL},
	{"GET", "/{org}/{name}/resolve/main/{file}", config, 0, NULL},
};

static void setup(void)
{
	const struct http_server_options options = {.host = "127.0.0.1", .routes = ROUTES, .n_routes = 2, .max_workers = 8, .io_threads = 1};
	ck_assert_msg(http_server_start(&hub, &options, &err) == 0, "%s", err.message);
	snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(hub));
	snprintf(scratch, sizeof scratch, "/tmp/kaito-catalog-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static void teardown(void)
{
	atomic_store(&hold, false);
	http_server_free(hub);
	ck_assert_int_eq(fd_remove_tree(scratch, &err), 0);
}

START_TEST(a_model_is_found_once_and_kept)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL, *again = NULL;
	ck_assert_msg(catalog_resolve(r, "Acme/Some-Model", NULL, 5000, &m, &err) == 0, "%s", err.message);
	ck_assert_str_eq(m->id, "Acme/Some-Model");
	ck_assert_str_eq(m->architecture, "LlamaForCausalLM");
	ck_assert_double_eq(m->weights_gib, 1.5);
	ck_assert(m->disk_gib == 81 && m->layers == 2 && m->context_tokens == 512 && !m->gated && m->kv_bytes_per_token == 256);
	ck_assert_int_eq(catalog_resolve(r, "acme/some-model", NULL, 0, &again, &err), 0);
	ck_assert_ptr_eq(m, again);
	ck_assert_int_eq(atomic_load(&listings), 1);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(catalogue_names_ask_nobody)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	ck_assert_int_eq(catalog_resolve(r, "PHI-4", NULL, 0, &m, &err), 0);
	ck_assert_ptr_eq(m, catalog_model_find("phi-4"));
	ck_assert_int_eq(atomic_load(&listings), 0);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(pages_are_followed_and_mistrals_layout_is_read)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	ck_assert_msg(catalog_resolve(r, "paged/m", NULL, 5000, &m, &err) == 0, "%s", err.message);
	ck_assert_double_eq(m->weights_gib, 2);
	ck_assert_msg(catalog_resolve(r, "native/m", NULL, 5000, &m, &err) == 0, "%s", err.message);
	ck_assert_str_eq(m->tokenizer_mode, "mistral");
	ck_assert_str_eq(m->architecture, "MistralForCausalLM");
	catalog_resolver_free(r);
}
END_TEST

START_TEST(limits_hold_at_the_edge_and_past_it)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	ck_assert_msg(catalog_resolve(r, "large/m", NULL, 9000, &m, &err) == 0, "%s", err.message);
	ck_assert_int_lt(catalog_resolve(r, "large/over", NULL, 9000, &m, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_msg(catalog_resolve(r, "paged/all", NULL, 9000, &m, &err) == 0, "%s", err.message);
	ck_assert_int_lt(catalog_resolve(r, "paged/endless", NULL, 9000, &m, &err), 0);
	ck_assert_msg(err.kind == ERR_LIMIT && strstr(err.message, "50 pages"), "%s", err.message);
	catalog_resolver_free(r);
}
END_TEST

static const struct { const char *name; enum err_kind kind; const char *say; } REFUSED[] = {
	{"t5/m", ERR_UNSUPPORTED, "unsupported model architecture for t5/m"},
	{"empty/m", ERR_NOT_FOUND, "no .safetensors or .bin files found"},
	{"gated/m", ERR_DENIED, "authentication required for accessing gated/m"},
	{"private/m", ERR_DENIED, "authentication required for accessing private/m"},
	{"missing/m", ERR_NOT_FOUND, "authentication required for accessing missing/m"},
	{"broken/m", ERR_PROTOCOL, "error listing files"},
	{"falcon-7b-instruct", ERR_NOT_FOUND, "model is not registered: falcon-7b-instruct"},
	{"a/b/c", ERR_INVALID, "not a model's name"},
	{"a/../b", ERR_INVALID, "not a model's name"},
	{"datasets/x", ERR_INVALID, "not a model's name"},
	{"a/b@main", ERR_INVALID, "not a model's name"},
	{"a/b?x=1", ERR_INVALID, "not a model's name"},
};

START_TEST(refusals_in_upstreams_words)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	ck_assert_int_lt(catalog_resolve(r, REFUSED[_i].name, NULL, 5000, &m, &err), 0);
	ck_assert_msg(err.kind == REFUSED[_i].kind && strstr(err.message, REFUSED[_i].say), "%d: %s", (int)err.kind, err.message);
	ck_assert_ptr_null(m);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(the_token_opens_a_gated_model_and_marks_it)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	ck_assert_int_lt(catalog_resolve(r, "gated/m", "bad", 5000, &m, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_msg(catalog_resolve(r, "gated/m", "good", 5000, &m, &err) == 0, "%s", err.message);
	ck_assert(m->gated);
	ck_assert_msg(catalog_resolve(r, "private/m", "good", 5000, &m, &err) == 0, "%s", err.message);
	ck_assert(m->gated);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(a_slow_hub_costs_the_deadline_and_answers_the_next)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	atomic_store(&hold, true);
	int64_t before = clock_now_ms();
	ck_assert_int_lt(catalog_resolve(r, "slow/m", NULL, 150, &m, &err), 0);
	int64_t took = clock_now_ms() - before;
	ck_assert_int_eq(err.kind, ERR_TIMEOUT);
	ck_assert_msg(took >= 150 && took < 10000, "%d ms", (int)took);
	ck_assert_int_lt(catalog_resolve(r, "slow/m", NULL, 0, &m, &err), 0);
	atomic_store(&hold, false);
	ck_assert_msg(catalog_resolve(r, "slow/m", NULL, 5000, &m, &err) == 0, "%s", err.message);
	ck_assert_int_eq(atomic_load(&listings), 1);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(freeing_ends_a_question_under_way)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	atomic_store(&hold, true);
	ck_assert_int_lt(catalog_resolve(r, "slow/m", NULL, 10, &m, &err), 0);
	int64_t before = clock_now_ms();
	catalog_resolver_free(r);
	ck_assert_int_lt(clock_now_ms() - before, 10000);
}
END_TEST

static void *stop_once_asked(void *stop)
{
	while (atomic_load(&listings) == 0)
		clock_sleep_ms(1);
	atomic_store((atomic_bool *)stop, true);
	return NULL;
}

START_TEST(a_stop_ends_the_wait)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	atomic_bool stop = false;
	pthread_t thread;
	catalog_resolver_stop_with(r, &stop);
	atomic_store(&hold, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_once_asked, &stop), 0);
	ck_assert_int_lt(catalog_resolve(r, "slow/m", NULL, 3600000, &m, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	pthread_join(thread, NULL);
	catalog_resolver_free(r);
}
END_TEST

struct asker { struct catalog_resolver *r; const char *token; const struct catalog_model *m; int rc; };

static void *ask(void *context)
{
	struct asker *a = context;
	struct err own = ERR_INIT;
	a->rc = catalog_resolve(a->r, "slow/m", a->token, 5000, &a->m, &own);
	return NULL;
}

START_TEST(one_question_per_name_is_under_way)
{
	struct asker askers[6];
	pthread_t threads[6];
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	atomic_store(&hold, true);
	for (int i = 0; i < 6; i++) {
		askers[i] = (struct asker){.r = r};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
	}
	while (atomic_load(&listings) == 0)
		clock_sleep_ms(1);
	atomic_store(&hold, false);
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(askers[i].rc, 0);
		ck_assert_ptr_eq(askers[i].m, askers[0].m);
	}
	ck_assert_int_eq(atomic_load(&listings), 1);
	ck_assert_int_eq(atomic_load(&configs), 1);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(questions_over_all_names_are_bounded)
{
	struct catalog_resolver *r = catalog_resolver_new(url, NULL);
	const struct catalog_model *m = NULL;
	char name[32];
	int busy = 0;
	atomic_store(&hold, true);
	for (int i = 0; i <= LIMIT_HUB_QUESTIONS; i++) {
		snprintf(name, sizeof name, "slow/m%d", i);
		ck_assert_int_lt(catalog_resolve(r, name, NULL, 0, &m, &err), 0);
		busy += err.kind == ERR_BUSY;
	}
	ck_assert_int_eq(busy, 1);
	catalog_resolver_free(r);
}
END_TEST

START_TEST(answers_are_kept_on_disk_and_serve_while_the_hub_is_away)
{
	char folder[128];
	const struct catalog_model *m = NULL;
	snprintf(folder, sizeof folder, "%s/kept", scratch);
	struct catalog_resolver *r = catalog_resolver_new(url, folder);
	ck_assert_msg(catalog_resolve(r, "Acme/M", NULL, 5000, &m, &err) == 0, "%s", err.message);
	catalog_resolver_free(r);
	r = catalog_resolver_new("http://127.0.0.1:1", folder);
	ck_assert_msg(catalog_resolve(r, "acme/m", NULL, 5000, &m, &err) == 0, "%s", err.message);
	ck_assert_double_eq(m->weights_gib, 1.5);
	catalog_resolver_free(r);
	/* Cut short, the file counts as absent. */
	char path[160];
	snprintf(path, sizeof path, "%s/acme--m.json", folder);
	ck_assert_int_eq(fd_write_file(path, "{\"format\":1,", 12, 0600, &err), 0);
	r = catalog_resolver_new(url, folder);
	ck_assert_msg(catalog_resolve(r, "acme/m", NULL, 5000, &m, &err) == 0, "%s", err.message);
	ck_assert_int_eq(atomic_load(&listings), 2);
	catalog_resolver_free(r);
	/* Too old: the hub is asked, and the old answer serves when it is away. */
	static const char OLD[] = "{\"format\":1,\"asked_at\":1,\"weight_bytes\":3221225472,\"mistral_format\":false,\"gated\":false,\"config\":"
				  "{\"num_hidden_layers\":2,\"num_attention_heads\":4,\"hidden_size\":64}}";
	ck_assert_int_eq(fd_write_file(path, OLD, sizeof OLD - 1, 0600, &err), 0);
	r = catalog_resolver_new("http://127.0.0.1:1", folder);
	ck_assert_msg(catalog_resolve(r, "acme/m", NULL, 9000, &m, &err) == 0, "%s", err.message);
	ck_assert_double_eq(m->weights_gib, 3);
	catalog_resolver_free(r);
	r = catalog_resolver_new(url, folder);
	ck_assert_msg(catalog_resolve(r, "acme/m", NULL, 9000, &m, &err) == 0, "%s", err.message);
	ck_assert_double_eq(m->weights_gib, 1.5);
	catalog_resolver_free(r);
}
END_TEST

/* Only a hub that the operator named may have a private address. */
START_TEST(a_private_address_from_the_environment_is_refused)
{
	const struct catalog_model *m = NULL;
	setenv("HF_ENDPOINT", url, 1);
	struct catalog_resolver *r = catalog_resolver_new(NULL, NULL);
	ck_assert_int_lt(catalog_resolve(r, "acme/m", NULL, 5000, &m, &err), 0);
	ck_assert_msg(err.kind == ERR_DENIED && strstr(err.message, "loopback"), "%s", err.message);
	ck_assert_int_eq(atomic_load(&listings), 0);
	catalog_resolver_free(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolver");
	TCase *tcase = tcase_create("resolver");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_model_is_found_once_and_kept);
	tcase_add_test(tcase, catalogue_names_ask_nobody);
	tcase_add_test(tcase, pages_are_followed_and_mistrals_layout_is_read);
	tcase_add_test(tcase, limits_hold_at_the_edge_and_past_it);
	tcase_add_loop_test(tcase, refusals_in_upstreams_words, 0, sizeof REFUSED / sizeof REFUSED[0]);
	tcase_add_test(tcase, the_token_opens_a_gated_model_and_marks_it);
	tcase_add_test(tcase, a_slow_hub_costs_the_deadline_and_answers_the_next);
	tcase_add_test(tcase, freeing_ends_a_question_under_way);
	tcase_add_test(tcase, a_stop_ends_the_wait);
	tcase_add_test(tcase, one_question_per_name_is_under_way);
	tcase_add_test(tcase, questions_over_all_names_are_bounded);
	tcase_add_test(tcase, answers_are_kept_on_disk_and_serve_while_the_hub_is_away);
	tcase_add_test(tcase, a_private_address_from_the_environment_is_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
