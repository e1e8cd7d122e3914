/* sim_client.c: see sim_client.h. */
#include "simulate/sim_client.h"

#include "base/clock.h"
#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

struct simulator *sim;

void sim_begin(const struct simulator_options *o)
{
	struct err err = ERR_INIT;
	struct simulator_options defaults = {0};
	ck_assert_msg(simulator_start(&sim, o ? o : &defaults, &err) == 0, "%s", err.message);
	sim_settings("{\"auth\":false}");
}

void sim_end(void)
{
	simulator_stop(sim);
	sim = NULL;
}

struct sim_answer sim_ask_with(const char *method, const char *path, const char *headers, const char *body)
{
	struct raw_reply r = raw_request(simulator_port(sim), method, path, headers, body);
	struct err err = ERR_INIT;
	struct sim_answer a = {.status = r.status, .head = r.head, .text = mem_strndup(r.body.data, r.body.len)};
	r.head = NULL;
	if (r.body.len && json_parse(&a.body, buf_str(&r.body), "answer", &err) < 0)
		a.body = NULL;
	raw_reply_done(&r);
	return a;
}

void sim_answer_done(struct sim_answer *a)
{
	free(a->head);
	free(a->text);
	json_decref(a->body);
}

json_t *sim_expect(int status, const char *method, const char *path, const char *body)
{
	struct sim_answer a = sim_ask(method, path, body);
	ck_assert_msg(a.status == status, "%s %s: %d %s", method, path, a.status, a.text);
	json_t *out = json_incref(a.body);
	sim_answer_done(&a);
	return out;
}

void sim_do(int status, const char *method, const char *path, const char *body) { json_decref(sim_expect(status, method, path, body)); }

const char *sim_refusal(int status, const char *method, const char *path, const char *headers, const char *body)
{
	static char code[128];
	struct sim_answer a = sim_ask_with(method, path, headers, body);
	ck_assert_msg(a.status == status, "%s %s: %d %s", method, path, a.status, a.text);
	snprintf(code, sizeof code, "%s", json_text_at(a.body, "", "error", "code", NULL));
	sim_answer_done(&a);
	return code;
}

const char *sim_header(const struct sim_answer *a, const char *name)
{
	static char value[1024];
	char pattern[80];
	value[0] = 0;
	snprintf(pattern, sizeof pattern, "\r\n%s: ", name);
	const char *p = strcasestr(a->head, pattern);
	if (p)
		snprintf(value, sizeof value, "%.*s", (int)strcspn(p + strlen(pattern), "\r"), p + strlen(pattern));
	return value;
}

const char *sim_path_of(const char *url)
{
	const char *host = strstr(url, "://");
	ck_assert_ptr_nonnull(host);
	return strchr(host + 3, '/');
}

void sim_pool_path(const char *name, char out[400]) { snprintf(out, 400, SIM_POOLS "/%s?" SIM_VERSION, name); }
void sim_settings(const char *json) { sim_do(200, "PUT", "/_sim/settings", json); }

void sim_advance(int64_t ms)
{
	char body[64];
	snprintf(body, sizeof body, "{\"advance_ms\":%lld}", (long long)ms);
	sim_do(200, "POST", "/_sim/clock", body);
}

const char *sim_pool_state(const char *name)
{
	static char state[32];
	json_t *all = sim_expect(200, "GET", "/_sim/state", NULL);
	snprintf(state, sizeof state, "%s", json_text_at(all, "", "pools", name, "provisioningState", NULL));
	json_decref(all);
	return state;
}

void sim_wait(bool (*holds)(void *context), void *context)
{
	int64_t until = clock_now_ms() + 10000;
	while (!holds(context)) {
		ck_assert_msg(clock_now_ms() < until, "the state did not come");
		clock_sleep_ms(5);
	}
}
