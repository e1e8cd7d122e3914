/* sim_settings.c: the settings as a table: name, kind, default, range or words. To add one: a member in sim_settings.h, a row here, a line
 * in docs/simulator.md. */
#include "simulate/sim_settings.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include <stddef.h>
#include <string.h>

enum kind { BOOLEAN, NUMBER, TEXT, OBJECT };
struct row {
	enum sim_clouds clouds;
	const char *name;
	enum kind kind;
	size_t offset;
	int64_t initial, min, max;     /* of NUMBER and BOOLEAN */
	const char *text;              /* default of TEXT */
	const char *words;             /* choices of TEXT, "a|b"; NULL: any */
};
#define DAY_MS ((int64_t)86400000)
#define AT(member) offsetof(struct sim_settings, member)
static const struct row ROWS[] = {
	{SIM_ON_AWS, "access_key_id", TEXT, AT(access_key_id), .text = "AKIASIMULATED0000001"},
	{SIM_ON_AZURE, "arc_folder", TEXT, AT(arc_folder), .text = ""},
	{SIM_ON_ALL, "auth", BOOLEAN, AT(auth), 1},
	{SIM_ON_AWS, "capacity", OBJECT, AT(capacity)},
	{SIM_ON_AZURE, "client_certificate", TEXT, AT(client_certificate), .text = ""},
	{SIM_ON_AZURE, "client_secret", TEXT, AT(client_secret), .text = "simulated-secret"},
	{SIM_ON_AWS, "clock_skew_s", NUMBER, AT(clock_skew_s), 0, -86400, 86400},
	{SIM_ON_AZURE, "conditions_since", TEXT, AT(conditions_since), .text = ""},
	{SIM_ON_AZURE, "conflict", TEXT, AT(conflict), .text = "in_progress", .words = "in_progress|another"},
	{SIM_ON_ALL, "create_ms", NUMBER, AT(create_ms), 0, 0, DAY_MS},
	{SIM_ON_ALL, "delay_ms", NUMBER, AT(delay_ms), 0, 0, 600000},
	{SIM_ON_ALL, "delete_ms", NUMBER, AT(delete_ms), 0, 0, DAY_MS},
	{SIM_ON_AZURE, "delete_preempts", BOOLEAN, AT(delete_preempts), 0},
	{SIM_ON_AWS, "denied", TEXT, AT(denied), .text = ""},
	{SIM_ON_ALL, "device_plugin_ms", NUMBER, AT(device_plugin_ms), 0, 0, DAY_MS},
	{SIM_ON_AZURE, "error_header", BOOLEAN, AT(error_header), 1},
	{SIM_ON_AZURE, "error_shape", TEXT, AT(error_shape), .text = "arm", .words = "arm|bare|empty|html"},
	{SIM_ON_AZURE, "federated_issuer", TEXT, AT(federated_issuer), .text = ""},
	{SIM_ON_AZURE, "federated_subject", TEXT, AT(federated_subject), .text = ""},
	{SIM_ON_ALL, "heartbeat_ms", NUMBER, AT(heartbeat_ms), 0, 0, DAY_MS},
	{SIM_ON_ALL, "identity_assigned", BOOLEAN, AT(identity_assigned), 1},
	{SIM_ON_AZURE, "identity_header", TEXT, AT(identity_header), .text = "simulated-identity-header"},
	{SIM_ON_AWS, "instance_profile", TEXT, AT(instance_profile), .text = "kaito-nodes"},
	{SIM_ON_ALL, "join", BOOLEAN, AT(join), 1},
	{SIM_ON_ALL, "join_ms", NUMBER, AT(join_ms), 0, -DAY_MS, DAY_MS},
	{SIM_ON_AWS, "keep_ms", NUMBER, AT(keep_ms), 3600000, 0, DAY_MS},
	{SIM_ON_ALL, "kubelet_port", NUMBER, AT(kubelet_port), 0, 0, 65535},
	{SIM_ON_AWS, "list_delay_ms", NUMBER, AT(list_delay_ms), 0, 0, DAY_MS},
	{SIM_ON_AZURE, "lro", TEXT, AT(lro), .text = "async", .words = "async|operation_location|location|body"},
	{SIM_ON_AZURE, "max_pools", NUMBER, AT(max_pools), 100, 1, LIMIT_SIMULATOR_POOLS},
	{SIM_ON_AZURE, "page_size", NUMBER, AT(page_size), 0, 0, LIMIT_SIMULATOR_POOLS},
	{SIM_ON_AZURE, "provisioning_error", BOOLEAN, AT(provisioning_error), 0},
	{SIM_ON_ALL, "quotas", OBJECT, AT(quotas)},
	{SIM_ON_ALL, "ready_ms", NUMBER, AT(ready_ms), 0, 0, DAY_MS},
	{SIM_ON_AZURE, "registered", BOOLEAN, AT(registered), 1},
	{SIM_ON_AZURE, "retry_after_ms", NUMBER, AT(retry_after_ms), 0, 0, DAY_MS},
	{SIM_ON_AZURE, "retry_after_style", TEXT, AT(retry_after_style), .text = "seconds", .words = "seconds|ms|x-ms|date"},
	{SIM_ON_AWS, "role_arn", TEXT, AT(role_arn), .text = "arn:aws:iam::000000000000:role/kaito-provisioner"},
	{SIM_ON_AWS, "secret_access_key", TEXT, AT(secret_access_key), .text = "simulated-secret"},
	{SIM_ON_AZURE, "serial", BOOLEAN, AT(serial), 0},
	{SIM_ON_AZURE, "stop_nodes", TEXT, AT(stop_nodes), .text = "notready", .words = "notready|remove"},
	{SIM_ON_AZURE, "stopped_status", NUMBER, AT(stopped_status), 409, 400, 409},
	{SIM_ON_ALL, "throttle", BOOLEAN, AT(throttle), 0},
	{SIM_ON_ALL, "token_lifetime_s", NUMBER, AT(token_lifetime_s), 3600, 1, 86400},
	{SIM_ON_AZURE, "update_ms", NUMBER, AT(update_ms), 0, 0, DAY_MS},
};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

static void *at(struct sim_settings *s, const struct row *r) { return (char *)s + r->offset; }
static const void *at_const(const struct sim_settings *s, const struct row *r) { return (const char *)s + r->offset; }

static void set_default(struct sim_settings *s, const struct row *r)
{
	switch (r->kind) {
	case BOOLEAN: *(bool *)at(s, r) = r->initial != 0; break;
	case NUMBER: *(int64_t *)at(s, r) = r->initial; break;
	case TEXT: *(char **)at(s, r) = mem_strdup(r->text); break;
	case OBJECT: *(json_t **)at(s, r) = json_object(); break;
	}
}

void sim_settings_init(struct sim_settings *s, enum sim_clouds cloud)
{
	*s = (struct sim_settings){.cloud = cloud};
	for (size_t i = 0; i < ROW_COUNT; i++)
		set_default(s, &ROWS[i]);
}

void sim_settings_done(struct sim_settings *s)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (ROWS[i].kind == TEXT)
			free(*(char **)at(s, &ROWS[i]));
		else if (ROWS[i].kind == OBJECT)
			json_decref(*(json_t **)at(s, &ROWS[i]));
	}
}

static bool is_choice(const char *words, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (len && strncmp(p, word, len) == 0 && (p[len] == '|' || p[len] == 0))
			return true;
	return false;
}

static const struct row *find(const struct sim_settings *s, const char *name)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if ((ROWS[i].clouds & s->cloud) && strcmp(ROWS[i].name, name) == 0)
			return &ROWS[i];
	return NULL;
}

static int unknown(const struct sim_settings *s, const char *name, struct err *err)
{
	const char *names[ROW_COUNT + 1] = {0};
	for (size_t i = 0, n = 0; i < ROW_COUNT; i++)
		if (ROWS[i].clouds & s->cloud)
			names[n++] = ROWS[i].name;
	const char *near = str_nearest(str_of(name), names);
	return err_set(err, ERR_INVALID, "there is no setting '%.60s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int check_numbers(const char *name, const json_t *v, struct err *err)
{
	const char *key;
	json_t *limit;
	json_object_foreach((json_t *)(uintptr_t)v, key, limit)
		if (!json_is_integer(limit) || json_integer_value(limit) < 0)
			return err_set(err, ERR_INVALID, "%s.%.60s must be a whole number, not below 0", name, key);
	return 0;
}

static int check(const struct sim_settings *s, const char *name, const json_t *v, struct err *err)
{
	const struct row *r = find(s, name);
	if (!r)
		return unknown(s, name, err);
	if (r->kind == BOOLEAN && !json_is_boolean(v))
		return err_set(err, ERR_INVALID, "setting '%s' must be true or false", name);
	if (r->kind == NUMBER && (!json_is_integer(v) || json_integer_value(v) < r->min || json_integer_value(v) > r->max))
		return err_set(err, ERR_INVALID, "setting '%s' must be a whole number from %lld to %lld", name, (long long)r->min, (long long)r->max);
	if (r->kind == TEXT && (!json_is_string(v) || (r->words && !is_choice(r->words, json_string_value(v)))))
		return err_set(err, ERR_INVALID, "setting '%s' must be %s", name, r->words ? r->words : "a string");
	if (r->kind == OBJECT)
		return json_is_object(v) ? check_numbers(name, v, err) : err_set(err, ERR_INVALID, "setting '%s' must be an object", name);
	return 0;
}

static void set(struct sim_settings *s, const struct row *r, json_t *v)
{
	switch (r->kind) {
	case BOOLEAN: *(bool *)at(s, r) = json_is_true(v); break;
	case NUMBER: *(int64_t *)at(s, r) = json_integer_value(v); break;
	case TEXT:
		free(*(char **)at(s, r));
		*(char **)at(s, r) = mem_strdup(json_string_value(v));
		break;
	case OBJECT:
		json_decref(*(json_t **)at(s, r));
		*(json_t **)at(s, r) = json_deep_copy(v);
		break;
	}
}

int sim_settings_apply(struct sim_settings *s, const json_t *change, struct err *err)
{
	const char *key;
	json_t *v, *object = (json_t *)(uintptr_t)change;
	if (!json_is_object(change))
		return err_set(err, ERR_INVALID, "settings must be a JSON object");
	json_object_foreach(object, key, v)
		if (check(s, key, v, err) < 0)
			return -1;
	json_object_foreach(object, key, v)
		set(s, find(s, key), v);
	return 0;
}

static json_t *show(const struct sim_settings *s, const struct row *r)
{
	switch (r->kind) {
	case BOOLEAN: return json_boolean(*(const bool *)at_const(s, r));
	case NUMBER: return json_integer(*(const int64_t *)at_const(s, r));
	case TEXT: return json_string(*(char *const *)at_const(s, r));
	case OBJECT: break;
	}
	return json_deep_copy(*(json_t *const *)at_const(s, r));
}

json_t *sim_settings_show(const struct sim_settings *s)
{
	json_t *out = json_object();
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (ROWS[i].clouds & s->cloud)
			json_object_set_new(out, ROWS[i].name, show(s, &ROWS[i]));
	return out;
}
