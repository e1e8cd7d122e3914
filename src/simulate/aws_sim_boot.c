/* aws_sim_boot.c: what a new machine does with its user data: Amazon Linux's nodeadm reads the NodeConfigs among its MIME parts (those that are
 * JSON here, which YAML may be), Bottlerocket its TOML. A machine that is told of another cluster never joins, as in the real world; one with
 * an image of its own is taken to know. */
#include "simulate/aws_sim.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>

enum { USER_DATA_MAX = 32768 };

char *aws_sim_boot_endpoint(const struct simulator *s) { return mem_printf("https://%s.eks.%s.amazonaws.com", s->cluster, s->location); }

static bool decode(const char *text, struct buf *out)
{
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t len = 0;
	if (strlen(text) > USER_DATA_MAX || base64_decode(BASE64_STANDARD, str_of(text), &bytes, &len, NULL) < 0)
		return false;
	buf_put(out, bytes, len);
	return true;
}

static json_t *never(char why[200], const char *text)
{
	snprintf(why, 200, "%s", text);
	return NULL;
}

static json_t *check(const struct simulator *s, const char *cluster, const char *endpoint, const char *ca, json_t *taints, char why[200])
{
	CLEANUP(mem_freep) char *ours = aws_sim_boot_endpoint(s);
	CLEANUP(json_decrefp) json_t *given = taints;
	if (strcmp(cluster, s->cluster) != 0)
		return never(why, "its user data names another cluster");
	if (strcmp(endpoint, ours) != 0 || strcmp(ca, AWS_SIM_CA) != 0)
		return never(why, "its user data has another API server or CA than the simulated cluster");
	return json_incref(given);
}

/* --- Amazon Linux 2023 --------------------------------------------------------------------------------------------------- */

/* The last part of that type that is JSON; NULL: none. */
static json_t *node_config(str text)
{
	static const char TYPE[] = "application/node.eks.aws";
	json_t *out = NULL;
	for (const char *at = memmem(text.data, text.len, TYPE, sizeof TYPE - 1); at; ) {
		str rest = str_sub(text, (size_t)(at - text.data), text.len);
		const char *body = memmem(rest.data, rest.len, "\n\n", 2);
		if (!body)
			break;
		str part = str_sub(rest, (size_t)(body - rest.data), rest.len);
		const char *end = memmem(part.data, part.len, "\n--", 3);
		struct err ignored = ERR_INIT;
		json_t *config = NULL;
		if (json_parse(&config, str_sub(part, 0, end ? (size_t)(end - part.data) : part.len), "NodeConfig", &ignored) == 0) {
			json_decref(out);
			out = config;
		}
		at = memmem(part.data, part.len, TYPE, sizeof TYPE - 1);
	}
	return out;
}

static json_t *al2023(const struct simulator *s, str text, char why[200])
{
	CLEANUP(json_decrefp) json_t *config = node_config(text);
	json_t *taints = json_at(config, "spec", "kubelet", "config", "registerWithTaints", NULL);
	if (!config)
		return never(why, "its user data has no NodeConfig");
	if (!json_text_at(config, "", "spec", "cluster", "cidr", NULL)[0])
		return never(why, "its NodeConfig has no service CIDR");
	return check(s, json_text_at(config, "", "spec", "cluster", "name", NULL), json_text_at(config, "", "spec", "cluster", "apiServerEndpoint", NULL),
		     json_text_at(config, "", "spec", "cluster", "certificateAuthority", NULL), json_is_array(taints) ? json_deep_copy(taints) : json_array(), why);
}

/* --- Bottlerocket -------------------------------------------------------------------------------------------------------- */

struct toml { char cluster[128], server[256], ca[64]; json_t *taints; };

/* "value:Effect" */
static void add_taint(json_t *taints, const char *key, const char *text)
{
	const char *colon = strrchr(text, ':');
	if (colon)
		json_array_append_new(taints, json_pack("{s:s, s:s%, s:s}", "key", key, "value", text, (size_t)(colon - text), "effect", colon + 1));
}

/* key = "text", or "key" = ["text", …]: their values are JSON's too. */
static void read_line(struct toml *t, bool taints, str line)
{
	size_t equals = str_find(line, '=', 0), i;
	struct err ignored = ERR_INIT;
	str key = str_trim(str_sub(line, 0, equals));
	CLEANUP(json_decrefp) json_t *value = NULL;
	json_t *one;
	if (equals >= line.len || json_parse(&value, str_sub(line, equals + 1, line.len), "value", &ignored) < 0)
		return;
	if (key.len > 2 && key.data[0] == '"')
		key = str_sub(key, 1, key.len - 1);
	CLEANUP(mem_freep) char *name = mem_strndup(key.data, key.len);
	json_array_foreach(value, i, one)
		if (taints && json_is_string(one))
			add_taint(t->taints, name, json_string_value(one));
	const char *text = json_string_value(value) ? json_string_value(value) : "";
	if (strcmp(name, "cluster-name") == 0)
		snprintf(t->cluster, sizeof t->cluster, "%s", text);
	else if (strcmp(name, "api-server") == 0)
		snprintf(t->server, sizeof t->server, "%s", text);
	else if (strcmp(name, "cluster-certificate") == 0)
		snprintf(t->ca, sizeof t->ca, "%s", text);
}

static json_t *bottlerocket(const struct simulator *s, str text, char why[200])
{
	struct toml t = {.taints = json_array()};
	bool taints = false;
	for (size_t from = 0; from < text.len;) {
		size_t end = str_find(text, '\n', from);
		str line = str_trim(str_sub(text, from, end));
		if (line.len && line.data[0] == '[')
			taints = str_eqz(line, "[settings.kubernetes.node-taints]");
		else
			read_line(&t, taints, line);
		from = end + 1;
	}
	return check(s, t.cluster, t.server, t.ca, t.taints, why);
}

json_t *aws_sim_boot_taints(const struct simulator *s, const char *user_data, char why[200])
{
	CLEANUP(buf_done) struct buf text = {0};
	why[0] = 0;
	if (!decode(user_data, &text))
		return never(why, "its user data is no base64");
	if (text.len == 0)
		return json_array();
	if (memmem(text.data, text.len, "[settings.kubernetes]", 21))
		return bottlerocket(s, buf_str(&text), why);
	return str_starts(buf_str(&text), STR("MIME-Version:")) ? al2023(s, buf_str(&text), why) : json_array();
}
