/* azure_simulator.c: the life of a simulator: options into settings, start, what a client must know, stop. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/thread.h"
#include "codec/json.h"
#include <stdio.h>

#define SUBSCRIPTION "00000000-0000-4000-8000-000000000001"
#define TENANT "00000000-0000-4000-8000-000000000002"
#define CLIENT "00000000-0000-4000-8000-000000000003"

static const struct http_route ROUTES[] = {
	{"GET", "/{path...}", sim_routes_answer, 0, NULL},
	{"PUT", "/{path...}", sim_routes_answer, 0, NULL},
	{"POST", "/{path...}", sim_routes_answer, 0, NULL},
	{"DELETE", "/{path...}", sim_routes_answer, 0, NULL},
	{"PATCH", "/{path...}", sim_routes_answer, 0, NULL},
};

static char *or_default(const char *given, const char *fallback) { return mem_strdup(given && given[0] ? given : fallback); }

static void name_everything(struct azure_simulator *s, const struct simulator_options *o)
{
	uint64_t h = 1469598103934665603u;
	s->host = or_default(o->host, "127.0.0.1");
	s->subscription = or_default(o->subscription, SUBSCRIPTION);
	s->resource_group = or_default(o->resource_group, "kaito-rg");
	s->cluster = or_default(o->cluster, "kaito");
	s->location = or_default(o->location, "eastus");
	s->tenant = mem_strdup(TENANT);
	s->client_id = mem_strdup(CLIENT);
	s->ca_file = or_default(o->ca_file, "");
	s->node_group = mem_printf("MC_%s_%s_%s", s->resource_group, s->cluster, s->location);
	for (const char *p = s->node_group; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	snprintf(s->digits, sizeof s->digits, "%08u", (unsigned)(h % 100000000u));
}

static int apply_options(struct azure_simulator *s, const struct simulator_options *o, struct err *err)
{
	CLEANUP(json_decrefp) json_t *given = json_pack("{s:I, s:I, s:I, s:I, s:s, s:I, s:b}", "create_ms", (json_int_t)o->create_ms, "delete_ms", (json_int_t)o->delete_ms,
		"join_ms", (json_int_t)o->join_ms, "heartbeat_ms", (json_int_t)o->heartbeat_ms, "lro", o->lro ? o->lro : "async", "max_pools",
		(json_int_t)(o->max_pools ? o->max_pools : 100), "throttle", o->throttle);
	return sim_settings_apply(&s->settings, given, err);
}

static int load_script(struct azure_simulator *s, const char *path, struct err *err)
{
	CLEANUP(json_decrefp) json_t *rows = NULL;
	if (!path)
		return 0;
	if (json_parse_file(&rows, path, err) < 0 || sim_script_add(&s->scripts, rows, err) < 0)
		return err_wrap(err, "script '%s'", path);
	return 0;
}

static struct azure_simulator *new_simulator(const struct simulator_options *o)
{
	struct azure_simulator *s = mem_alloc(sizeof *s);
	pthread_mutex_init(&s->mu, NULL);
	thread_cond_init(&s->ended);
	sim_settings_init(&s->settings);
	sim_calls_init(&s->calls);
	sim_budget_reset(&s->budget);
	s->pools.free_value = sim_pools_free;
	s->operations.free_value = sim_operations_free;
	s->tokens.by_text.free_value = free;
	s->tls = o->tls;
	name_everything(s, o);
	return s;
}

static int serve(struct azure_simulator *s, const struct simulator_options *o, struct err *err)
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

int azure_simulator_start(struct azure_simulator **out, const struct simulator_options *o, struct err *err)
{
	struct azure_simulator *s = new_simulator(o);
	if (apply_options(s, o, err) < 0 || load_script(s, o->script, err) < 0 || sim_timers_start(s, err) < 0 ||
	    (o->kubeconfig && sim_joiner_start(s, o->kubeconfig, err) < 0) || serve(s, o, err) < 0) {
		azure_simulator_stop(s);
		return -1;
	}
	*out = s;
	return 0;
}

int azure_simulator_port(const struct azure_simulator *s) { return s->port; }

json_t *sim_control_environment(const struct azure_simulator *s)
{
	CLEANUP(mem_freep) char *endpoint = mem_printf("%s://%s:%d", s->tls ? "https" : "http", strchr(s->host, ':') || strcmp(s->host, "0.0.0.0") == 0 ? "127.0.0.1" : s->host, s->port);
	json_t *env = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ARM_SUBSCRIPTION_ID", s->subscription, "ARM_RESOURCE_GROUP", s->resource_group, "AZURE_CLUSTER_NAME", s->cluster,
		"LOCATION", s->location, "AZURE_TENANT_ID", s->tenant, "AZURE_CLIENT_ID", s->client_id, "AZURE_CLIENT_SECRET", s->settings.client_secret, "DEPLOYMENT_MODE", "managed",
		"AZURE_RESOURCE_MANAGER_ENDPOINT", endpoint);
	json_object_set_new(env, "AZURE_AUTHORITY_HOST", json_sprintf("%s/", endpoint));
	json_object_set_new(env, "AZURE_IMDS_ENDPOINT", json_string(endpoint));
	if (!s->tls)
		json_object_set_new(env, "AZURE_ALLOW_HTTP", json_string("true"));
	else if (s->ca_file[0])
		json_object_set_new(env, "SSL_CERT_FILE", json_string(s->ca_file));
	return json_pack("{s:i, s:s, s:o}", "port", s->port, "endpoint", endpoint, "env", env);
}

char *azure_simulator_describe(struct azure_simulator *s)
{
	struct buf text = {0};
	pthread_mutex_lock(&s->mu);
	json_t *o = sim_control_environment(s);
	pthread_mutex_unlock(&s->mu);
	json_print(o, JSON_PRINT_SPACED, &text);
	json_decref(o);
	return buf_take(&text);
}

static void free_state(struct azure_simulator *s)
{
	map_done(&s->pools);
	map_done(&s->operations);
	vec_done(&s->operations_by_id);
	map_done(&s->tokens.by_text);
	sim_script_clear(&s->scripts);
	sim_budget_done(&s->budget);
	sim_calls_done(&s->calls);
	sim_settings_done(&s->settings);
}

void azure_simulator_stop(struct azure_simulator *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mu);
	s->stopping = true;
	pthread_cond_broadcast(&s->ended);
	pthread_mutex_unlock(&s->mu);
	http_server_free(s->server);
	sim_timers_stop(s);
	sim_joiner_stop(s);
	free_state(s);
	char *const names[] = {s->host, s->subscription, s->resource_group, s->cluster, s->location, s->node_group, s->tenant, s->client_id, s->ca_file};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		free(names[i]);
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->mu);
	free(s);
}
