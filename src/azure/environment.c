/* environment.c: see environment.h. A table of clouds, a table of variables, and the checks that need more than one of them. */
#include "azure/environment.h"

#include "base/buf.h"
#include "http/address.h"
#include "http/client.h"
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

/* To add a cloud: a row. The first is taken when nothing names one. */
static const struct cloud_row { const char *name, *alias, *authority, *arm, *audience; } CLOUDS[] = {
	{"AzurePublicCloud", "AzureCloud", "https://login.microsoftonline.com/", "https://management.azure.com", "https://management.core.windows.net/"},
	{"AzureUSGovernmentCloud", "AzureUSGovernment", "https://login.microsoftonline.us/", "https://management.usgovcloudapi.net",
	 "https://management.core.usgovcloudapi.net/"},
	{"AzureChinaCloud", "AzureChina", "https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"},
};
#define IMDS_DEFAULT "http://169.254.169.254"
#define TOKEN_FILE_DEFAULT "/var/run/secrets/azure/tokens/azure-identity-token" /* where AKS's workload identity webhook mounts it */
#define VALUE_MAX 4096

/* Plain variables. To add one: a member and a row. */
static const struct variable { const char *name; size_t offset; bool required; } VARIABLES[] = {
#define ROW(name, member, required) {name, offsetof(struct azure_environment, member), required}
	ROW("ARM_SUBSCRIPTION_ID", subscription, true),
	ROW("ARM_RESOURCE_GROUP", resource_group, true),
	ROW("AZURE_CLUSTER_NAME", cluster, true),
	ROW("AZURE_TENANT_ID", tenant, true),
	ROW("LOCATION", location, false),
	ROW("AZURE_CLIENT_ID", client_id, false),
	ROW("AZURE_NODE_RESOURCE_GROUP", node_resource_group, false),
	ROW("AZURE_FEDERATED_TOKEN_FILE", federated_token_file, false),
	ROW("AZURE_CLIENT_SECRET", client_secret, false),
	ROW("AZURE_CLIENT_CERTIFICATE_PATH", certificate_path, false),
	ROW("AZURE_CLIENT_CERTIFICATE_PASSWORD", certificate_password, false),
	ROW("IDENTITY_ENDPOINT", identity_endpoint, false),
	ROW("IDENTITY_HEADER", identity_header, false),
	ROW("IMDS_ENDPOINT", arc_endpoint, false),
	ROW("AZURE_AUTHORITY_HOST", authority, false),
	ROW("AZURE_RESOURCE_MANAGER_ENDPOINT", arm, false),
	ROW("AZURE_TOKEN_AUDIENCE", audience, false),
	ROW("AZURE_IMDS_ENDPOINT", imds, false),
#undef ROW
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct reading { const char *(*get)(const char *name); bool allow_http; struct buf missing, bad; };

static char **member(struct azure_environment *e, const struct variable *v) { return (char **)(void *)((char *)e + v->offset); }

static str value_of(const struct reading *r, const char *name) { return str_trim(str_of(r->get(name))); }

static void complain(struct buf *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct buf *list, const char *fmt, ...)
{
	va_list ap;
	char text[160];
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(list, "%s%s", list->len ? "; " : "", text);
}

static void read_variables(struct azure_environment *e, struct reading *r)
{
	for (size_t i = 0; i < COUNT(VARIABLES); i++) {
		const struct variable *v = &VARIABLES[i];
		str value = value_of(r, v->name);
		if (value.len == 0 && v->required)
			buf_printf(&r->missing, "%s%s", r->missing.len ? ", " : "", v->name);
		if (value.len > VALUE_MAX)
			complain(&r->bad, "%s is longer than %d bytes", v->name, VALUE_MAX);
		for (size_t k = 0; k < value.len; k++)
			if ((unsigned char)value.data[k] < 0x20) {
				complain(&r->bad, "%s has control characters", v->name);
				value.len = 0;
			}
		*member(e, v) = mem_strndup(value.len ? value.data : "", value.len > VALUE_MAX ? 0 : value.len);
	}
}

/* --- endpoints --------------------------------------------------------------------------------------------------- */

static bool in_range(const char *host, const char *name)
{
	struct sockaddr_storage sa;
	const char *range = "";
	return address_parse(str_of(host), &sa) && address_classify((struct sockaddr *)&sa, &range) != ADDRESS_PUBLIC && strstr(range, name);
}

static bool is_loopback(const char *host) { return strcasecmp(host, "localhost") == 0 || in_range(host, "loopback"); }

bool environment_is_loopback(const char *url)
{
	CLEANUP(mem_freep) char *host = NULL;
	return http_url_parts(url, NULL, &host) && host && is_loopback(host);
}

/* Plain http is for simulators on this machine and for the metadata service, whose address no router passes on. */
static void check_endpoint(struct reading *r, const char *name, const char *url, bool link_local)
{
	CLEANUP(mem_freep) char *scheme = NULL;
	CLEANUP(mem_freep) char *host = NULL;
	if (!http_url_parts(url, &scheme, &host) || !scheme || !host || strpbrk(url, "@?# "))
		complain(&r->bad, "%s is not an endpoint (https://host)", name);
	else if (strcmp(scheme, "http") == 0 && !r->allow_http && !is_loopback(host) && !(link_local && in_range(host, "link-local")))
		complain(&r->bad, "%s is plain http: use https (AZURE_ALLOW_HTTP=true allows it)", name);
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		complain(&r->bad, "%s is neither https nor http", name);
}

static const struct cloud_row *cloud_named(struct reading *r)
{
	str name = value_of(r, "AZURE_ENVIRONMENT");
	for (size_t i = 0; name.len && i < COUNT(CLOUDS); i++) {
		const char *const words[] = {CLOUDS[i].name, CLOUDS[i].alias};
		for (size_t k = 0; k < 2; k++)
			if (strlen(words[k]) == name.len && strncasecmp(words[k], name.data, name.len) == 0)
				return &CLOUDS[i];
	}
	if (name.len)
		complain(&r->bad, "AZURE_ENVIRONMENT '%.40s' is none of AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud", name.data);
	return NULL;
}

static bool same_host(const char *a, const char *b)
{
	CLEANUP(mem_freep) char *x = NULL;
	CLEANUP(mem_freep) char *y = NULL;
	return http_url_parts(a, NULL, &x) && http_url_parts(b, NULL, &y) && x && y && strcasecmp(x, y) == 0;
}

static const struct cloud_row *find_cloud(const struct azure_environment *e, struct reading *r)
{
	const struct cloud_row *named = cloud_named(r);
	for (size_t i = 0; !named && e->authority[0] && i < COUNT(CLOUDS); i++)
		if (same_host(e->authority, CLOUDS[i].authority))
			named = &CLOUDS[i];
	return named ? named : &CLOUDS[0];
}

static void set(char **member, char *value)
{
	free(*member);
	*member = value;
}

static void or_default(char **member, const char *value)
{
	if (!(*member)[0])
		set(member, mem_strdup(value));
}

static void end_with_slash(char **url, bool slash)
{
	size_t len = strlen(*url);
	while (len && (*url)[len - 1] == '/')
		len--;
	set(url, mem_printf("%.*s%s", (int)len, *url, slash ? "/" : ""));
}

static void read_endpoints(struct azure_environment *e, struct reading *r)
{
	const struct cloud_row *cloud = find_cloud(e, r);
	e->cloud = mem_strdup(cloud->name);
	or_default(&e->authority, cloud->authority);
	or_default(&e->arm, cloud->arm);
	or_default(&e->audience, cloud->audience);
	or_default(&e->imds, IMDS_DEFAULT);
	end_with_slash(&e->authority, true);
	end_with_slash(&e->arm, false);
	end_with_slash(&e->imds, false);
	end_with_slash(&e->arc_endpoint, false);
	check_endpoint(r, "AZURE_AUTHORITY_HOST", e->authority, false);
	check_endpoint(r, "AZURE_RESOURCE_MANAGER_ENDPOINT", e->arm, false);
	check_endpoint(r, "AZURE_IMDS_ENDPOINT", e->imds, true);
	if (e->identity_endpoint[0])
		check_endpoint(r, "IDENTITY_ENDPOINT", e->identity_endpoint, true);
	if (e->arc_endpoint[0])
		check_endpoint(r, "IMDS_ENDPOINT", e->arc_endpoint, true);
	e->plain_http = strncasecmp(e->arm, "http:", 5) == 0;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static void read_mode(struct azure_environment *e, struct reading *r)
{
	str mode = value_of(r, "DEPLOYMENT_MODE");
	e->managed = str_eqz(mode, "managed");
	if (mode.len && !e->managed && !str_eqz(mode, "self-hosted"))
		complain(&r->bad, "DEPLOYMENT_MODE '%.20s' is neither self-hosted nor managed", mode.data);
	if (e->managed)
		return;
	if (!e->client_id[0])
		buf_printf(&r->missing, "%sAZURE_CLIENT_ID", r->missing.len ? ", " : "");
	or_default(&e->federated_token_file, TOKEN_FILE_DEFAULT);
}

int environment_read(struct azure_environment *e, const char *(*get)(const char *name), struct err *err)
{
	struct reading r = {.get = get, .missing = {.max = 1024}, .bad = {.max = 4096}};
	struct azure_environment got = {0};
	r.allow_http = str_eqz(value_of(&r, "AZURE_ALLOW_HTTP"), "true");
	read_variables(&got, &r);
	read_endpoints(&got, &r);
	read_mode(&got, &r);
	int rc = 0;
	if (r.missing.len)
		rc = err_set(err, ERR_CONFIG, "set %s%s%s", r.missing.data, r.bad.len ? "; " : "", r.bad.len ? r.bad.data : "");
	else if (r.bad.len)
		rc = err_set(err, ERR_CONFIG, "%s", r.bad.data);
	buf_done(&r.missing);
	buf_done(&r.bad);
	if (rc < 0)
		environment_done(&got);
	else
		*e = got;
	return rc;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
}

void environment_done(struct azure_environment *e)
{
	wipe(e->client_secret);
	wipe(e->certificate_password);
	wipe(e->identity_header);
	for (size_t i = 0; i < COUNT(VARIABLES); i++)
		free(*member(e, &VARIABLES[i]));
	free(e->cloud);
	*e = (struct azure_environment){0};
}
