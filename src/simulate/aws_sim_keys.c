/* aws_sim_keys.c: who has which keys: those of the settings; temporary ones of STS for a service account's token, of the metadata service
 * (version 2) for a machine, of the pod identity agent for a pod. Their expiry is in real time, as clients read it from their own clock. */
#include "simulate/aws_sim.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <stdio.h>
#include <sys/random.h>

#define ROLE "kaito-nodes"
#define METADATA "/latest/meta-data/iam/security-credentials/"

const struct aws_sim_key *aws_sim_keys_find(const struct simulator *s, str id, struct aws_sim_key *room)
{
	if (str_eqz(id, s->settings.access_key_id)) {
		*room = (struct aws_sim_key){.source = "settings"};
		snprintf(room->secret, sizeof room->secret, "%.40s", s->settings.secret_access_key);
		return room;
	}
	return map_get(&s->aws->keys, id);
}

static void random_hex(char *out, size_t digits)
{
	unsigned char b[32] = {0};
	(void)!getrandom(b, sizeof b, 0);
	for (size_t i = 0; i < digits; i++)
		out[i] = "0123456789ABCDEF"[b[i / 2 % sizeof b] >> (i % 2 ? 4 : 0) & 15];
	out[digits] = 0;
}

/* The oldest go first. */
static void make_room(struct aws_sim *a)
{
	struct map_entry e;
	size_t i = 0;
	if (a->keys.count >= LIMIT_SIMULATOR_TOKENS && map_next(&a->keys, &i, &e))
		map_remove(&a->keys, e.key);
}

static const struct aws_sim_key *issue(struct simulator *s, const char *source)
{
	struct aws_sim_key *k = mem_alloc(sizeof *k);
	make_room(s->aws);
	memcpy(k->id, "ASIA", 4);
	random_hex(k->id + 4, 16);
	random_hex(k->secret, 40);
	random_hex(k->token, 64);
	k->source = source;
	k->expires_s = clock_wall_s() + s->settings.token_lifetime_s;
	map_put(&s->aws->keys, str_of(k->id), k);
	s->aws->issued++;
	return k;
}

void aws_sim_keys_revoke(struct simulator *s)
{
	map_done(&s->aws->keys);
	s->aws->keys.free_value = free;
	s->aws->session[0] = 0;
}

/* --- tokens of service accounts ---------------------------------------------------------------------------------------- */

/* Their signature is the business of an issuer that a simulator does not know. NULL: it is good; else what is wrong. */
static const char *wrong_with(const char *token, const char *audience, const char **code)
{
	CLEANUP(json_decrefp) json_t *claims = sim_assertion_claims(str_of(token));
	*code = "InvalidIdentityToken";
	if (!claims)
		return "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
	if (!sim_assertion_is_for(claims, audience))
		return "Incorrect token audience";
	if (json_int_at(claims, INT64_MAX, "exp", NULL) > clock_wall_s())
		return NULL;
	*code = "ExpiredTokenException";
	return "Token expired: current date/time must be before the expiration date/time";
}

static bool assume_allowed(struct simulator *s, struct aws_sim_call *c)
{
	const char *token = aws_sim_form_get(c->form, "WebIdentityToken"), *role = aws_sim_form_get(c->form, "RoleArn"), *session = aws_sim_form_get(c->form, "RoleSessionName"), *code;
	if (!token || !role || !session)
		return sim_errors_set(&c->f, 400, "ValidationError", "RoleArn, RoleSessionName and WebIdentityToken must not be null"), false;
	const char *wrong = wrong_with(token, "sts.amazonaws.com", &code);
	if (wrong)
		sim_errors_set(&c->f, 400, code, "%s", wrong);
	else if (!s->settings.identity_assigned || strcmp(role, s->settings.role_arn) != 0)
		sim_errors_set(&c->f, 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
	else
		return true;
	return false;
}

void aws_sim_keys_assume(struct simulator *s, struct aws_sim_call *c)
{
	if (!assume_allowed(s, c)) {
		s->aws->refused++;
		return;
	}
	const struct aws_sim_key *k = issue(s, "web-identity");
	buf_puts(&c->xml, "<AssumeRoleWithWebIdentityResult><Credentials>");
	aws_sim_answer_put(&c->xml, "AccessKeyId", k->id);
	aws_sim_answer_put(&c->xml, "SecretAccessKey", k->secret);
	aws_sim_answer_put(&c->xml, "SessionToken", k->token);
	aws_sim_answer_put_time(&c->xml, "Expiration", k->expires_s);
	buf_puts(&c->xml, "</Credentials><AssumedRoleUser>");
	aws_sim_answer_put(&c->xml, "Arn", s->settings.role_arn);
	buf_puts(&c->xml, "</AssumedRoleUser></AssumeRoleWithWebIdentityResult>");
}

/* --- the metadata service and the agent ---------------------------------------------------------------------------------- */

static void reply_text(struct sim_reply *r, int status, const char *text)
{
	r->status = status;
	r->type = "text/plain";
	buf_puts(&r->body, text);
}

static void give(struct simulator *s, const char *source, struct sim_reply *r)
{
	const struct aws_sim_key *k = issue(s, source);
	char until[32], now[32];
	clock_rfc3339(k->expires_s, until);
	clock_rfc3339(clock_wall_s(), now);
	sim_reply_json(r, 200, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Code", "Success", "LastUpdated", now, "Type", "AWS-HMAC", "AccessKeyId", k->id, "SecretAccessKey",
					 k->secret, "Token", k->token, "Expiration", until));
}

static void open_session(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *ttl = http_header(q->x, "X-aws-ec2-metadata-token-ttl-seconds");
	int64_t seconds = 0;
	if (!ttl || !str_to_i64(str_of(ttl), &seconds) || seconds < 1 || seconds > 21600) {
		reply_text(r, 400, "");
		return;
	}
	sim_routes_guid(s->aws->session);
	s->aws->session_until_ms = q->now_ms + seconds * 1000;
	reply_text(r, 200, s->aws->session);
}

static void metadata(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *token = http_header(q->x, "X-aws-ec2-metadata-token");
	str name = str_sub(q->path, sizeof METADATA - 1, q->path.len);
	if (!token || !s->aws->session[0] || strcmp(token, s->aws->session) != 0 || q->now_ms >= s->aws->session_until_ms)
		reply_text(r, 401, "");
	else if (!s->settings.identity_assigned || (name.len && !str_eqz(name, ROLE)))
		reply_text(r, 404, "");
	else if (name.len == 0)
		reply_text(r, 200, ROLE);
	else
		give(s, "instance-role", r);
}

static void pod_identity(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *token = http_header(q->x, "Authorization"), *code;
	if (!token || wrong_with(token, "pods.eks.amazonaws.com", &code))
		reply_text(r, 400, "the service account token is none, expired or for another audience");
	else if (!s->settings.identity_assigned)
		reply_text(r, 404, "ResourceNotFoundException: there is no pod identity association for this service account");
	else
		give(s, "pod-identity", r);
}

bool aws_sim_keys_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	bool get = str_eqz(q->method, "GET");
	if (str_eqz(q->method, "PUT") && str_eqz(q->path, "/latest/api/token"))
		open_session(s, q, r);
	else if (get && str_starts(q->path, STR(METADATA)))
		metadata(s, q, r);
	else if (get && str_eqz(q->path, "/v1/credentials"))
		pod_identity(s, q, r);
	else
		return false;
	s->aws->refused += r->status != 200;
	return true;
}
