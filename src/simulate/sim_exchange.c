/* sim_exchange.c: HTTP around the clouds' answers: a request is read, a script may change what becomes of it, the cloud answers it, and it
 * is counted and sent. */
#include "simulate/sim.h"

#include "base/clock.h"
#include <stdio.h>

/* --- scripts ------------------------------------------------------------------------------------------------------------------- */

static void wait_ms(struct simulator *s, int64_t ms)
{
	int64_t until = clock_now_ms() + ms;
	while (ms > 0 && !s->stopping && clock_now_ms() < until)
		pthread_cond_timedwait(&s->ended, &s->mu, &(struct timespec){until / 1000, until % 1000 * 1000000});
}

static void reply_scripted(struct sim_reply *r, const struct sim_effect *e)
{
	const char *key;
	json_t *value;
	bool json = e->body && (e->body[0] == '{' || e->body[0] == '['), xml = e->body && strncmp(e->body, "<?xml", 5) == 0;
	buf_clear(&r->body);
	buf_puts(&r->body, e->body ? e->body : e->action == SIM_MALFORMED ? "{\"id\":\"/subscriptions/00000000-0000-0000-0000-0000000000" : "");
	json_object_foreach(e->headers, key, value)
		sim_reply_header(r, key, "%s", json_string_value(value));
	r->status = e->status;
	r->type = json || e->action == SIM_MALFORMED ? "application/json; charset=utf-8" : xml ? "text/xml;charset=UTF-8" : e->body ? "text/html; charset=utf-8" : NULL;
}

bool sim_exchange_scripted(struct simulator *s, struct sim_request *q, str path, int64_t delay_ms, struct sim_reply *r)
{
	sim_script_match(&s->scripts, q->method, path, &q->effect);
	wait_ms(s, q->effect.delay_ms + delay_ms);
	q->now_ms = sim_timers_now_ms(s);
	if (q->effect.action != SIM_REPLY && q->effect.action != SIM_MALFORMED && q->effect.action != SIM_DROP)
		return false;
	reply_scripted(r, &q->effect);
	return true;
}

/* --- one request --------------------------------------------------------------------------------------------------------------- */

static void read_request(struct simulator *s, struct http_exchange *x, struct sim_request *q)
{
	struct err ignored = ERR_INIT;
	const char *host = http_header(x, "Host");
	*q = (struct sim_request){.x = x, .method = http_method(x), .path = http_path(x), .api_version = http_query(x, "api-version"), .class = SIM_ARM_OTHER};
	if (host && strlen(host) < 256)
		snprintf(q->base, sizeof q->base, "%s://%s", s->tls ? "https" : "http", host);
	else
		snprintf(q->base, sizeof q->base, "%s://127.0.0.1:%d", s->tls ? "https" : "http", s->port);
	str body = str_trim(http_body(x));
	if (body.len && (body.data[0] == '{' || body.data[0] == '[') && http_body_json(x, &q->body, &ignored) < 0)
		q->body = NULL;
}

static void send(const struct sim_request *q, const struct sim_reply *r)
{
	if (q->effect.action == SIM_DROP || q->effect.action == SIM_DROP_AFTER) {
		http_hang_up(q->x);
		return;
	}
	for (size_t i = 0; i < r->n_headers; i++)
		http_reply_header(q->x, r->headers[i].name, r->headers[i].value);
	http_reply(q->x, r->status, r->type, buf_str(&r->body));
}

int sim_exchange_answer(struct http_exchange *x, struct err *err)
{
	struct simulator *s = http_context(x);
	struct sim_request q;
	struct sim_reply r = {.body.max = SIZE_MAX / 2};
	int64_t start_ns = clock_now_ns();
	(void)err;
	read_request(s, x, &q);
	if (str_starts(q.path, STR("/_sim/"))) {
		q.class = SIM_CONTROL;
		sim_control_answer(s, &q, &r);
	} else {
		pthread_mutex_lock(&s->mu);
		s->cloud->answer(s, &q, &r);
		sim_calls_note(&s->calls, &q, sim_timers_wall_s(s), q.effect.action == SIM_DROP || q.effect.action == SIM_DROP_AFTER ? 0 : r.status, (clock_now_ns() - start_ns) / 1000);
		pthread_mutex_unlock(&s->mu);
	}
	send(&q, &r);
	sim_effect_done(&q.effect);
	json_decref(q.body);
	sim_reply_done(&r);
	return 0;
}
