/* aws_settings.c: see aws_settings.h. */
#include "aws/aws_settings.h"

#include "base/buf.h"
#include <ctype.h>
#include <stddef.h>

/* To add a variable: a member and a row. Of rows of one member the first that is set counts. */
static const struct variable { const char *name; size_t offset; bool required; const char *fallback; /* %s: the region */ } VARIABLES[] = {
#define ROW(name, member, required, fallback) {name, offsetof(struct aws_settings, member), required, fallback}
	ROW("AWS_REGION", region, false, NULL),
	ROW("AWS_DEFAULT_REGION", region, true, NULL),
	ROW("CLUSTER_NAME", cluster, true, NULL),
	ROW("CLUSTER_ENDPOINT", cluster_endpoint, false, NULL),
	ROW("CLUSTER_CA", cluster_ca, false, NULL),
	ROW("CLUSTER_SERVICE_CIDR", service_cidr, false, NULL),
	ROW("CLUSTER_VERSION", cluster_version, false, NULL),
	ROW("AWS_NODE_INSTANCE_PROFILE", instance_profile, false, NULL),
	ROW("AWS_ENDPOINT_URL_EC2", ec2, false, NULL),
	ROW("AWS_ENDPOINT_URL", ec2, false, "https://ec2.%s.amazonaws.com"),
	ROW("AWS_ENDPOINT_URL_STS", sts, false, NULL),
	ROW("AWS_ENDPOINT_URL", sts, false, "https://sts.%s.amazonaws.com"),
	ROW("AWS_ENDPOINT_URL_SSM", ssm, false, NULL),
	ROW("AWS_ENDPOINT_URL", ssm, false, "https://ssm.%s.amazonaws.com"),
	ROW("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds, false, "http://169.254.169.254"),
	ROW("AWS_ACCESS_KEY_ID", access_key_id, false, NULL),
	ROW("AWS_SECRET_ACCESS_KEY", secret_access_key, false, NULL),
	ROW("AWS_SESSION_TOKEN", session_token, false, NULL),
	ROW("AWS_WEB_IDENTITY_TOKEN_FILE", web_identity_file, false, NULL),
	ROW("AWS_ROLE_ARN", role_arn, false, NULL),
	ROW("AWS_ROLE_SESSION_NAME", role_session, false, "kaito-provisioner"),
	ROW("AWS_CONTAINER_CREDENTIALS_FULL_URI", container_uri, false, NULL),
	ROW("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", container_token_file, false, NULL),
	ROW("AWS_CONTAINER_AUTHORIZATION_TOKEN", container_token, false, NULL),
#undef ROW
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define CHINA ".cn"

static char **member(struct aws_settings *s, const struct variable *v) { return (char **)(void *)((char *)s + v->offset); }

static str host_of(const char *url)
{
	const char *at = strstr(url, "://");
	str rest = str_of(at ? at + 3 : "");
	if (rest.len && rest.data[0] == '[')
		return str_sub(rest, 0, str_find(rest, ']', 0) + (str_find(rest, ']', 0) < rest.len));
	size_t n = 0;
	while (n < rest.len && !strchr(":/?#", rest.data[n]))
		n++;
	return str_sub(rest, 0, n);
}

bool aws_settings_is_local(const char *url)
{
	str host = host_of(url);
	return str_eqz(host, "localhost") || str_eqz(host, "[::1]") || str_starts(host, STR("127."));
}

/* Without encryption only what does not leave the machine: itself, and the link-local addresses of AWS's own agents. */
static bool url_allowed(const char *url)
{
	static const char *const LINK_LOCAL[] = {"169.254.169.254", "[fd00:ec2::254]", "169.254.170.23", "[fd00:ec2::23]", "169.254.170.2"};
	str host = host_of(url);
	if (strchr(url, '@') || !host.len)
		return false;
	if (strncmp(url, "https://", 8) == 0)
		return true;
	bool local = aws_settings_is_local(url);
	for (size_t i = 0; i < COUNT(LINK_LOCAL); i++)
		local = local || str_eqz(host, LINK_LOCAL[i]);
	return local && strncmp(url, "http://", 7) == 0;
}

static void complain(struct buf *list, const char *name, const char *why) { buf_printf(list, "%s%s %s", list->len ? ", " : "", name, why); }

static void read_plain(struct aws_settings *s, const char *(*get)(const char *name), struct buf *wrong)
{
	for (size_t i = 0; i < COUNT(VARIABLES); i++) {
		char **to = member(s, &VARIABLES[i]);
		str value = str_trim(str_of(get(VARIABLES[i].name)));
		if (*to && (*to)[0])
			continue;
		free(*to);
		*to = mem_strndup(value.data ? value.data : "", value.len);
		if (VARIABLES[i].required && !value.len)
			complain(wrong, VARIABLES[i].name, "is missing");
	}
}

/* AWS's own addresses, where none is given. */
static void fill_in(struct aws_settings *s)
{
	bool china = strncmp(s->region, "cn-", 3) == 0;
	for (size_t i = 0; i < COUNT(VARIABLES); i++) {
		char **to = member(s, &VARIABLES[i]);
		const char *fallback = VARIABLES[i].fallback, *hole = fallback ? strstr(fallback, "%s") : NULL;
		if (!fallback || (*to)[0])
			continue;
		free(*to);
		*to = hole ? mem_printf("%.*s%s%s%s", (int)(hole - fallback), fallback, s->region, hole + 2, china ? CHINA : "") : mem_strdup(fallback);
	}
}

static void check_url(char *url, const char *name, struct buf *wrong)
{
	size_t n = strlen(url);
	if (n > 0 && url[n - 1] == '/')
		url[n - 1] = 0;
	if (url[0] && !url_allowed(url))
		complain(wrong, name, "must be https:// (http:// only for this machine)");
}

/* What goes into host names, tags and documents. */
static void check_name(const char *value, const char *name, struct buf *wrong)
{
	size_t n = strlen(value);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)value[i]) && !strchr("-_", value[i])) {
			complain(wrong, name, "has characters other than letters, digits, - and _");
			return;
		}
	if (n > 100)
		complain(wrong, name, "is longer than 100 characters");
}


static void check(struct aws_settings *s, struct buf *wrong)
{
	check_name(s->region, "AWS_REGION", wrong);
	check_name(s->cluster, "CLUSTER_NAME", wrong);
	check_url(s->ec2, "AWS_ENDPOINT_URL_EC2", wrong);
	check_url(s->sts, "AWS_ENDPOINT_URL_STS", wrong);
	check_url(s->ssm, "AWS_ENDPOINT_URL_SSM", wrong);
	check_url(s->imds, "AWS_EC2_METADATA_SERVICE_ENDPOINT", wrong);
	if (s->container_uri[0] && !url_allowed(s->container_uri))
		complain(wrong, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "must be https:// (http:// only for this machine and its agents)");
}

int aws_settings_read(struct aws_settings *s, const char *(*get)(const char *name), struct err *err)
{
	CLEANUP(buf_done) struct buf wrong = {0};
	*s = (struct aws_settings){0};
	read_plain(s, get, &wrong);
	fill_in(s);
	check(s, &wrong);
	const char *disabled = get("AWS_EC2_METADATA_DISABLED");
	s->imds_disabled = disabled && strcmp(disabled, "true") == 0;
	if (wrong.len == 0)
		return 0;
	aws_settings_done(s);
	return err_set(err, ERR_CONFIG, "AWS: %.*s", STR_FMT(buf_str(&wrong)));
}

void aws_settings_done(struct aws_settings *s)
{
	for (size_t i = 0; i < COUNT(VARIABLES); i++) {
		free(*member(s, &VARIABLES[i]));
		*member(s, &VARIABLES[i]) = NULL;
	}
}
