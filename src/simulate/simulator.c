/* simulator.c: the life of a simulator: options into settings, start, what a client must know, stop. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/thread.h"
#include "codec/json.h"
#include <stdio.h>

static const struct sim_cloud *const CLOUDS[] = {&SIM_AZURE, &SIM_AWS}; /* the first is the default */
static const struct http_route ROUTES[] = {
	{"GET", "/{path...}", sim_exchange_answer, 0, NULL},
	{"PUT", "/{path...}", sim_exchange_answer, 0, NULL},
	{"POST", "/{path...}", sim_exchange_answer, 0, NULL},
	{"DELETE", "/{path...}", sim_exchange_answer, 0, NULL},
	{"PATCH", "/{path...}", sim_exchange_answer, 0, NULL},
	{"POST", "/", sim_exchange_answer, 0, NULL}, /* the query services of AWS */
};

static int apply_options(struct simulator *s, const struct simulator_options *o, struct err *err)
{
	CLEANUP(json_decrefp) json_t *given = json_pack("{s:I, s:I, s:I, s:I, s:b}", "create_ms", (json_int_t)o->create_ms, "delete_ms", (json_int_t)o->delete_ms,
		"join_ms", (json_int_t)o->join_ms, "heartbeat_ms", (json_int_t)o->heartbeat_ms, "throttle", o->throttle);
	return sim_settings_apply(&s->settings, given, err);
}

static int load_script(struct simulator *s, const char *path, struct err *err)
{
	CLEANUP(json_decrefp) json_t *rows = NULL;
	if (!path)
		return 0;
	if (json_parse_file(&rows, path, err) < 0 || sim_script_add(&s->scripts, rows, err) < 0)
		return err_wrap(err, "script '%s'", path);
	return 0;
}

static char *or_default(const char *given, const char *fallback) { return mem_strdup(given && given[0] ? given : fallback); }

static struct simulator *new_simulator(const struct simulator_options *o, const struct sim_cloud *cloud)
{
	struct simulator *s = mem_alloc(sizeof *s);
	s->cloud = cloud;
	pthread_mutex_init(&s->mu, NULL);
	thread_cond_init(&s->ended);
	sim_settings_init(&s->settings, cloud->bit);
	sim_calls_init(&s->calls);
	sim_budget_reset(&s->budget);
	s->tls = o->tls;
	s->host = or_default(o->host, "127.0.0.1");
	s->cluster = or_default(o->cluster, "kaito");
	s->ca_file = or_default(o->ca_file, "");
	return s;
}

static int serve(struct simulator *s, const struct simulator_options *o, struct err *err)
{
	struct sim_certificate c = {0};
	if (o->tls && (sim_certificate_make(&c, err) < 0 || (o->ca_file && fd_write_file(o->ca_file, c.ca_pem, strlen(c.ca_pem), 0644, err) < 0))) {
		sim_certificate_done(&c);
		return -1;
	}
	struct http_server_options h = {.host = s->host, .port = o->port, .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .context = s,
		.max_workers = 256, .io_threads = 1, .max_body_bytes = LIMIT_SIMULATOR_BODY_BYTES, .tls_cert_pem = c.cert_pem, .tls_key_pem = c.key_pem};
	int rc = http_server_start(&s->server, &h, err);
	sim_certificate_done(&c);
	if (rc == 0)
		s->port = http_server_port(s->server);
	return rc;
}

static const struct sim_cloud *find_cloud(const char *name)
{
	for (size_t i = 0; i < sizeof CLOUDS / sizeof CLOUDS[0]; i++)
		if (!name || strcmp(CLOUDS[i]->name, name) == 0)
			return CLOUDS[i];
	return NULL;
}

int simulator_start(struct simulator **out, const struct simulator_options *o, struct err *err)
{
	const struct sim_cloud *cloud = find_cloud(o->cloud);
	if (!cloud)
		return err_set(err, ERR_USAGE, "there is no simulated cloud '%.40s'", o->cloud);
	struct simulator *s = new_simulator(o, cloud);
	if (cloud->open(s, o, err) < 0 || apply_options(s, o, err) < 0 || load_script(s, o->script, err) < 0 || sim_timers_start(s, err) < 0 ||
	    (o->kubeconfig && sim_joiner_start(s, o->kubeconfig, err) < 0) || serve(s, o, err) < 0) {
		simulator_stop(s);
		return -1;
	}
	*out = s;
	return 0;
}

int simulator_port(const struct simulator *s) { return s->port; }

json_t *simulator_environment(const struct simulator *s)
{
	CLEANUP(mem_freep) char *endpoint = mem_printf("%s://%s:%d", s->tls ? "https" : "http", strchr(s->host, ':') || strcmp(s->host, "0.0.0.0") == 0 ? "127.0.0.1" : s->host, s->port);
	json_t *env = s->cloud->environment(s, endpoint);
	if (s->tls && s->ca_file[0])
		json_object_set_new(env, "SSL_CERT_FILE", json_string(s->ca_file));
	return json_pack("{s:i, s:s, s:o}", "port", s->port, "endpoint", endpoint, "env", env);
}

char *simulator_describe(struct simulator *s)
{
	struct buf text = {0};
	pthread_mutex_lock(&s->mu);
	json_t *o = simulator_environment(s);
	pthread_mutex_unlock(&s->mu);
	json_print(o, JSON_PRINT_SPACED, &text);
	json_decref(o);
	return buf_take(&text);
}

static void free_state(struct simulator *s)
{
	s->cloud->close(s);
	sim_script_clear(&s->scripts);
	sim_budget_done(&s->budget);
	sim_calls_done(&s->calls);
	sim_settings_done(&s->settings);
}

void simulator_stop(struct simulator *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mu);
	s->stopping = true;
	sim_joiner_cancel(s);
	pthread_cond_broadcast(&s->ended);
	pthread_mutex_unlock(&s->mu);
	http_server_free(s->server);
	sim_joiner_stop(s); /* a job that fails on the way makes one more event, which nobody runs */
	sim_timers_stop(s);
	free_state(s);
	char *const names[] = {s->host, s->cluster, s->location, s->ca_file};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		free(names[i]);
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->mu);
	free(s);
}
