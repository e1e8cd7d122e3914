/* aws_scene.c: see aws_scene.h. */
#include "aws_scene.h"

#include "../cloud/scripted_claim.h"
#include "../provision/fake_kube.h"
#include "base/clock.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <check.h>
#include <stdlib.h>

#define PATIENCE_MS 10000
#define QUIET_MS 150 /* several rounds of lists without a change */
#define LONG_MS 2500 /* waits from here on are ends for the tests */

/* --- environment ------------------------------------------------------------------------------------------------------- */

static struct { char name[48], value[512]; } variables[40];

void aws_scene_set(const char *name, const char *value)
{
	size_t i = 0;
	while (i < 39 && variables[i].name[0] && strcmp(variables[i].name, name) != 0)
		i++;
	snprintf(variables[i].name, sizeof variables[i].name, "%s", name);
	snprintf(variables[i].value, sizeof variables[i].value, "%s", value ? value : "");
}

const char *aws_scene_get(const char *name)
{
	for (size_t i = 0; i < 40; i++)
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value[0] ? variables[i].value : NULL;
	return NULL;
}

void aws_scene_environment(int port)
{
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
	memset(variables, 0, sizeof variables);
	aws_scene_set("AWS_REGION", "us-east-1");
	aws_scene_set("CLUSTER_NAME", "c1");
	aws_scene_set("CLUSTER_ENDPOINT", "https://cluster.example");
	aws_scene_set("CLUSTER_CA", "Q0E=");
	aws_scene_set("CLUSTER_SERVICE_CIDR", "10.100.0.0/16");
	aws_scene_set("AWS_NODE_INSTANCE_PROFILE", "nodes");
	aws_scene_set("AWS_ENDPOINT_URL", url);
	aws_scene_set("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
	aws_scene_set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
	aws_scene_set("AWS_SECRET_ACCESS_KEY", "hush-hush");
}

/* The API server's version, which the fake API server does not have. */
int kube_get_text(struct kube_client *c, const char *path, size_t max, struct buf *out, struct err *err)
{
	(void)c, (void)path, (void)max, (void)err;
	buf_puts(out, "{\"major\":\"1\",\"minor\":\"33+\"}");
	return 0;
}

/* --- the cloud ----------------------------------------------------------------------------------------------------------- */

static void changed(void *context, const char *claim)
{
	struct aws_scene *s = context;
	(void)claim;
	atomic_fetch_add(&s->changes, 1);
}

static void start(struct aws_scene *s)
{
	s->cloud = aws_new(&(struct aws_options){.settings = &s->settings, .kube = fake_client(), .user_agent = "test", .hooks = {.changed = changed, .context = s}, .list_ms = 10, .settle_ms = 50});
}

void aws_scene_open(struct aws_scene *s)
{
	*s = (struct aws_scene){0};
	fake_reset();
	aws_scene_environment(fake_ec2_start());
	ck_assert_msg(aws_settings_read(&s->settings, aws_scene_get, &s->err) == 0, "%s", s->err.message);
	start(s);
}

void aws_scene_close(struct aws_scene *s)
{
	s->cloud->ops->free(s->cloud);
	aws_settings_done(&s->settings);
	launch_result_done(&s->launched);
	terminate_result_done(&s->terminated);
	json_decref(s->claim);
	free(s->older_memo);
	fake_ec2_stop();
	fake_reset();
}

void aws_scene_require(struct aws_scene *s, const char *key, const char *operator, const char *values)
{
	scripted_claim_require(s->claim, key, operator, values);
}

void aws_scene_claim(struct aws_scene *s, const char *instance_types)
{
	char created[32];
	clock_rfc3339(clock_wall_s() + 1, created); /* after the cloud was started, whose clock has seconds too */
	json_decref(s->claim);
	s->claim = json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:{s:s}},s:{s:[],s:{s:{s:s}},s:[{s:s,s:s,s:s}]},s:{}}", "apiVersion", "karpenter.sh/v1", "kind", "NodeClaim", "metadata", "name", "ws1", "uid",
			     "11111111-2222-3333-4444-555555555555", "creationTimestamp", created, "labels", "kaito.sh/workspace", "w", "spec", "requirements", "resources", "requests", "storage",
			     "120Gi", "taints", "key", "sku", "value", "gpu", "effect", "NoSchedule", "status");
	aws_scene_require(s, LABEL_INSTANCE_TYPE, "In", instance_types);
}

const char *aws_scene_memo(const struct aws_scene *s) { return scripted_claim_memo(s->claim); }

static void store(struct aws_scene *s, const char *memo) { scripted_claim_store(s->claim, &s->older_memo, memo); }

void aws_scene_restart(struct aws_scene *s, bool forgets)
{
	s->cloud->ops->free(s->cloud);
	if (forgets) {
		CLEANUP(mem_freep) char *older = s->older_memo;
		s->older_memo = NULL;
		store(s, older);
	}
	start(s);
}

int aws_scene_launch_step(struct aws_scene *s)
{
	struct claim_view v;
	launch_result_done(&s->launched);
	ck_assert_msg(claim_view_init(&v, s->claim, &s->err) == 0, "%s", s->err.message);
	int result = s->cloud->ops->launch(s->cloud, &v, &s->launched, &s->err);
	claim_view_done(&v);
	if (result == 0 && s->launched.step == STEP_PERSIST)
		store(s, s->launched.memo);
	if (result == 0 && s->launched.step == STEP_DONE) {
		store(s, NULL);
		json_object_set_new(json_object_get(s->claim, "status"), "providerID", json_string(s->launched.provider_id));
	}
	return result;
}

int aws_scene_terminate_step(struct aws_scene *s)
{
	struct claim_view v;
	terminate_result_done(&s->terminated);
	ck_assert_msg(claim_view_init(&v, s->claim, &s->err) == 0, "%s", s->err.message);
	int result = s->cloud->ops->terminate(s->cloud, &v, &s->terminated, &s->err);
	claim_view_done(&v);
	if (result == 0 && s->terminated.step == STEP_PERSIST)
		store(s, s->terminated.memo);
	return result;
}

/* What the controller does: again at once, after a change, or after the time that was asked for. */
static void drive(struct aws_scene *s, int (*one)(struct aws_scene *s), const enum step *step, const int64_t *retry_ms)
{
	int64_t ends = clock_now_ms() + PATIENCE_MS;
	for (;;) {
		int seen = atomic_load(&s->changes);
		if (one(s) < 0 || *step == STEP_DONE || *step == STEP_FAILED)
			return;
		ck_assert_msg(clock_now_ms() < ends, "no end in sight: %.200s", aws_scene_memo(s));
		int64_t until = *step == STEP_PERSIST ? 0 : clock_now_ms() + (*retry_ms < LONG_MS ? *retry_ms : QUIET_MS);
		while (atomic_load(&s->changes) == seen && clock_now_ms() < until)
			clock_sleep_ms(1);
		if (*step == STEP_WAIT && *retry_ms >= LONG_MS && atomic_load(&s->changes) == seen)
			return;
	}
}

void aws_scene_launch(struct aws_scene *s) { drive(s, aws_scene_launch_step, &s->launched.step, &s->launched.retry_ms); }
void aws_scene_terminate(struct aws_scene *s) { drive(s, aws_scene_terminate_step, &s->terminated.step, &s->terminated.retry_ms); }
