/* Replicas come to a new base image one at a time, in the window, in place or with one to spare. */
#include "check_main.h"

#include "base/clock.h"
#include "codec/json.h"
#include "world.h"
#include <stdio.h>

static struct world w;
static json_t *set;

static void workload(const char *name, const char *tag)
{
	char image[128];
	snprintf(image, sizeof image, "mcr.microsoft.com/aks/kaito/kaito-base:%s", tag);
	json_t *s = meta_new(&KUBE_STATEFULSETS, "ns", name);
	meta_own(s, &KUBE_WORKSPACES, fake_object(&KUBE_WORKSPACES, "ns", name));
	json_object_set_new(s, "spec", json_pack("{s:i,s:{s:{s:[{s:s}]}}}", "replicas", 1, "template", "spec", "containers", "image", image));
	json_object_set_new(s, "status", json_pack("{s:i,s:i}", "observedGeneration", 1, "updatedReplicas", 1));
	fake_put(&KUBE_STATEFULSETS, s);
}

static void ready(const char *name, const char *status) { fake_set_condition(fake_object(&KUBE_WORKSPACES, "ns", name), "WorkspaceSucceeded", status, "x", ""); }

static void open_with(const char *auto_upgrade)
{
	world_open(&w);
	struct err err = ERR_INIT;
	char text[512];
	snprintf(text, sizeof text, "{\"apiVersion\":\"kaito.sh/v1beta1\",\"kind\":\"InferenceSet\",\"metadata\":{\"name\":\"s\",\"namespace\":\"ns\"},\"spec\":{\"replicas\":2,"
		 "\"labelSelector\":{\"matchLabels\":{\"apps\":\"s\"}},\"template\":{\"inference\":{\"preset\":{\"name\":\"phi-4\"}}},\"autoUpgrade\":%s}}", auto_upgrade);
	ck_assert_int_eq(json_parse(&set, str_of(text), "set", &err), 0);
	fake_put(&KUBE_INFERENCE_SETS, set);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "s-b" : "s-a";
		json_t *ws = meta_new(&KUBE_WORKSPACES, "ns", name);
		meta_set_label(ws, LABEL_CREATED_BY_SET, "s");
		meta_own(ws, &KUBE_INFERENCE_SETS, set);
		fake_put(&KUBE_WORKSPACES, ws);
		workload(name, "0.4.0");
		ready(name, "True");
	}
}

static void tick(void)
{
	struct err err = ERR_INIT;
	ck_assert_msg(AUTO_UPGRADE_CONTROLLER.tick(&w.c, &err) == 0, "%s", err.message);
}

static bool marked(const char *name)
{
	const char *label = meta_label(fake_object(&KUBE_WORKSPACES, "ns", name), LABEL_UPGRADE_TO);
	return label && strcmp(label, "0.5.0") == 0;
}

START_TEST(in_place_is_one_at_a_time)
{
	open_with("{\"enabled\":true}");
	tick();
	ck_assert(marked("s-a") && !marked("s-b"));
	ck_assert_ptr_nonnull(meta_annotation(fake_object(&KUBE_WORKSPACES, "ns", "s-a"), ANNOTATION_UPGRADE_START));
	ck_assert_int_eq(json_int_at(set, 0, "status", "autoUpgrade", "numDriftedWorkspaces", NULL), 2);
	fake_log_clear();
	tick();
	ck_assert_str_eq(fake_log(), ""); /* the first is under way */
	workload("s-a", "0.5.0");
	ready("s-a", "False");
	tick();
	ck_assert(!marked("s-b")); /* one that does not come up stops the rest */
	ready("s-a", "True");
	json_t *rolling = json_object_get(fake_object(&KUBE_STATEFULSETS, "ns", "s-a"), "status");
	json_object_set_new(rolling, "updatedReplicas", json_integer(0));
	tick();
	ck_assert(!marked("s-b")); /* what is ready is the old pod */
	json_object_set_new(rolling, "updatedReplicas", json_integer(1));
	tick();
	ck_assert(marked("s-b"));
	ck_assert_ptr_nonnull(json_at(set, "status", "autoUpgrade", "lastSuccessfulUpgradeTime", NULL));
	workload("s-b", "0.5.0");
	tick();
	ck_assert_ptr_null(json_at(set, "status", "autoUpgrade", "numDriftedWorkspaces", NULL));
	fake_log_clear();
	tick();
	ck_assert_str_eq(fake_log(), "");
	world_close(&w);
}
END_TEST

START_TEST(outside_the_window_nothing_starts)
{
	int hour = (int)(clock_wall_s() / 3600 % 24);
	char window[128];
	snprintf(window, sizeof window, "{\"enabled\":true,\"maintenanceWindow\":{\"schedule\":\"0 %d * * *\",\"duration\":\"1h\"}}", (hour + 12) % 24);
	open_with(window);
	tick();
	ck_assert(!marked("s-a"));
	ck_assert_int_eq(json_int_at(set, 0, "status", "autoUpgrade", "numDriftedWorkspaces", NULL), 2);
	json_object_set_new(json_at(set, "spec", "autoUpgrade", "maintenanceWindow", NULL), "duration", json_string("24h"));
	tick();
	ck_assert(marked("s-a"));
	json_object_set_new(json_at(set, "spec", "autoUpgrade", "maintenanceWindow", NULL), "schedule", json_string("nonsense"));
	struct err err = ERR_INIT;
	ck_assert_int_lt(AUTO_UPGRADE_CONTROLLER.tick(&w.c, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "InferenceSet s"));
	world_close(&w);
}
END_TEST

START_TEST(a_set_that_does_not_ask_for_it_is_left_alone)
{
	open_with("{\"enabled\":false}");
	tick();
	ck_assert_str_eq(fake_log(), "");
	world_close(&w);
}
END_TEST

START_TEST(a_surge_adds_one_and_takes_an_old_one_when_it_is_ready)
{
	open_with("{\"enabled\":true,\"strategy\":\"Surge\"}");
	tick();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 3);
	CLEANUP(mem_freep) char *extra = mem_strdup(meta_name(fake_nth(&KUBE_WORKSPACES, 2)));
	ck_assert(marked(extra) && !marked("s-a"));
	tick();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 3);
	world_settle(&w, &INFERENCE_SET_CONTROLLER, "s");
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 3); /* not taken for a surplus */
	workload(extra, "0.5.0");
	ready(extra, "True");
	world_settle(&w, &INFERENCE_SET_CONTROLLER, "s");
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2);
	ck_assert_ptr_nonnull(fake_object(&KUBE_WORKSPACES, "ns", extra));
	tick(); /* and the next */
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 3);
	ck_assert_ptr_nonnull(json_at(set, "status", "autoUpgrade", "lastSuccessfulUpgradeTime", NULL));
	world_close(&w);
}
END_TEST

int main(void)
{
	CHECK_RUN("auto upgrade", 20, in_place_is_one_at_a_time, outside_the_window_nothing_starts, a_set_that_does_not_ask_for_it_is_left_alone,
		  a_surge_adds_one_and_takes_an_old_one_when_it_is_ready);
}
