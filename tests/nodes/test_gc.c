/* test_gc.c: garbage collection in both directions: what is collected, and above all what is not. */
#include "check_main.h"
#include "ending.h"

static struct nodes *n;
static struct err err;

/* A claim whose instance and Node have vanished; everything else in the tests is a reason to leave it. */
static void start(void)
{
	n = fixture_new();
	n->options.claim_gc_ms = 120000;
	n->options.instance_gc_ms = 120000;
	n->options.instance_gc_age_ms = 30000;
	n->started_ms = clock_now_ms() - 3600000;
	ending_claim(&DIALECT_NODE_CLAIM, "gone");
	fake_remove(&KUBE_NODES, NULL, "gone-0");
	fake_cloud_remove("gone");
	ending_claim(&DIALECT_NODE_CLAIM, "well");
	fake_log_clear();
}

static void finish(void) { fixture_free(n); }

static int round_of(const struct operator_controller *c)
{
	err = ERR_INIT;
	fake_log_clear();
	return c->tick(n, &err);
}

static bool deleting(const struct dialect *d, const char *name) { return meta_deleting(fixture_get_claim(d, name)); }
static bool spared(void) { return round_of(&NODES_CLAIM_GC) == 0 && !deleting(&DIALECT_NODE_CLAIM, "gone"); }
static json_t *gone(void) { return fixture_get_claim(&DIALECT_NODE_CLAIM, "gone"); }

/* --- claims --------------------------------------------------------------------------------------------------------- */

START_TEST(a_claim_without_instance_is_deleted)
{
	start();
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), 0);
	ck_assert(deleting(&DIALECT_NODE_CLAIM, "gone"));
	ck_assert(!deleting(&DIALECT_NODE_CLAIM, "well"));
	ck_assert_double_eq(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"garbage_collected\",nodepool=\"kaito\",capacity_type=\"\""), 1);
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), 0);
	ck_assert_uint_eq(fixture_writes("delete"), 0); /* once */
	finish();
}
END_TEST

START_TEST(a_machine_without_instance_is_deleted)
{
	start();
	ending_claim(&DIALECT_MACHINE, "old");
	fake_remove(&KUBE_NODES, NULL, "old-0");
	fake_cloud_remove("old");
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), 0);
	ck_assert(deleting(&DIALECT_MACHINE, "old"));
	finish();
}
END_TEST

START_TEST(a_node_that_is_not_ready_does_not_save_its_claim)
{
	start();
	json_t *node = fixture_node("gone-0", "gone", false);
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), 0);
	ck_assert(deleting(&DIALECT_NODE_CLAIM, "gone"));
	ck_assert_ptr_nonnull(node);
	finish();
}
END_TEST

START_TEST(a_ready_node_saves_its_claim)
{
	start();
	fixture_node("gone-0", "gone", true);
	ck_assert(spared());
	finish();
}
END_TEST

START_TEST(a_claim_that_was_never_registered_is_left)
{
	start();
	fake_set_condition(gone(), "Registered", "Unknown", "NodeNotFound", "");
	ck_assert(spared());
	finish();
}
END_TEST

START_TEST(a_claim_without_provider_id_is_left)
{
	start();
	json_object_del(json_object_get(gone(), "status"), "providerID");
	ck_assert(spared());
	finish();
}
END_TEST

START_TEST(a_young_claim_is_left_until_its_time)
{
	start();
	json_object_set_new(json_object_get(gone(), "metadata"), "creationTimestamp", json_string(ending_time(-28)));
	ck_assert(spared());
	json_object_set_new(json_object_get(gone(), "metadata"), "creationTimestamp", json_string(ending_time(-30)));
	ck_assert(!spared());
	finish();
}
END_TEST

/* az aks stop: the pools are listed, their machines have no Nodes and, while they sleep, no providerID. */
START_TEST(a_stopped_cluster_loses_nothing)
{
	start();
	fake_cloud_put("gone", _i ? "" : "fake:///gone", INSTANCE_STOPPED, 1);
	for (int i = 0; i < 3; i++)
		ck_assert(spared());
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert(fake_cloud_has("gone"));
	finish();
}
END_TEST

START_TEST(ids_are_compared_whatever_their_case)
{
	start();
	fake_cloud_put("other-name", "FAKE:///Gone", INSTANCE_RUNNING, 1);
	ck_assert(spared());
	finish();
}
END_TEST

START_TEST(a_list_that_fails_decides_nothing)
{
	start();
	fake_cloud_break(ERR_NETWORK);
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), -1);
	ck_assert(!deleting(&DIALECT_NODE_CLAIM, "gone"));
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), -1);
	ck_assert_uint_eq(fixture_writes("delete"), 0);
	finish();
}
END_TEST

static struct cloud_ops broken_get;
static struct cloud half_broken = {&broken_get};

static int fail_get(struct cloud *c, const char *id, void (*fn)(void *context, const struct instance *i), void *context, struct err *e)
{
	(void)c, (void)id, (void)fn, (void)context;
	return err_set(e, ERR_TIMEOUT, "no answer");
}

START_TEST(absence_that_is_not_confirmed_decides_nothing)
{
	start();
	broken_get = *fake_cloud()->ops;
	broken_get.get = fail_get;
	n->cloud = &half_broken;
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), -1);
	ck_assert(!deleting(&DIALECT_NODE_CLAIM, "gone"));
	finish();
}
END_TEST

static int hold_get(struct cloud *c, const char *id, void (*fn)(void *context, const struct instance *i), void *context, struct err *e)
{
	(void)c, (void)e;
	const struct instance i = {.name = "gone", .claim = "gone", .claim_uid = "", .provider_id = id, .image_id = "", .state = INSTANCE_RUNNING};
	fn(context, &i);
	return 0;
}

START_TEST(an_incomplete_list_decides_nothing)
{
	start();
	broken_get = *fake_cloud()->ops;
	broken_get.get = hold_get; /* not listed, but there */
	n->cloud = &half_broken;
	ck_assert(spared());
	finish();
}
END_TEST

START_TEST(an_empty_list_decides_nothing_in_the_first_round)
{
	start();
	fake_cloud_remove("well");
	fake_remove(&KUBE_NODES, NULL, "well-0");
	n->started_ms = clock_now_ms();
	ck_assert(spared());
	n->started_ms = clock_now_ms() - 119000;
	ck_assert(spared());
	n->started_ms = clock_now_ms() - 120000;
	ck_assert(!spared());
	ck_assert(deleting(&DIALECT_NODE_CLAIM, "well"));
	finish();
}
END_TEST

START_TEST(a_round_deletes_twenty_claims_at_most)
{
	start();
	for (int i = 0; i < 24; i++) {
		char name[32], node[40];
		snprintf(name, sizeof name, "many%02d", i);
		snprintf(node, sizeof node, "%s-0", name);
		ending_claim(&DIALECT_NODE_CLAIM, name);
		fake_remove(&KUBE_NODES, NULL, node);
		fake_cloud_remove(name);
	}
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), 0);
	ck_assert_uint_eq(fixture_writes("delete nodeclaims"), 20);
	ck_assert_int_eq(round_of(&NODES_CLAIM_GC), 0);
	ck_assert_uint_eq(fixture_writes("delete nodeclaims"), 5);
	finish();
}
END_TEST

/* --- instances ------------------------------------------------------------------------------------------------------ */

static void leak(const char *name, enum instance_state state, int64_t age_s)
{
	CLEANUP(mem_freep) char *id = mem_printf("fake:///%s", name);
	fake_cloud_put(name, id, state, age_s < 0 ? 0 : clock_wall_s() - age_s);
}

START_TEST(an_instance_without_claim_is_deleted_with_its_node)
{
	start();
	leak("leak", INSTANCE_RUNNING, 31);
	fixture_node("leak-0", "leak", true);
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "reap leak\n");
	ck_assert_ptr_nonnull(strstr(fake_log(), "delete nodes leak-0\n"));
	ck_assert_ptr_nonnull(strstr(fake_log(), "event Warning InstanceWithoutClaim leak: Instance leak has no claim: it is deleted"));
	ck_assert(fake_cloud_has("well"));
	ck_assert_ptr_nonnull(fake_object(&KUBE_NODES, NULL, "well-0"));
	finish();
}
END_TEST

START_TEST(young_and_dying_instances_are_left)
{
	start();
	leak("young", INSTANCE_CREATING, 28);
	leak("dying", INSTANCE_DELETING, 3600);
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	leak("young", INSTANCE_CREATING, 30);
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "reap young\n");
	finish();
}
END_TEST

START_TEST(an_instance_of_unknown_age_is_as_old_as_this_process)
{
	start();
	leak("ageless", INSTANCE_RUNNING, -1);
	n->started_ms = clock_now_ms() - 29000;
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	n->started_ms = clock_now_ms() - 30000;
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "reap ageless\n");
	finish();
}
END_TEST

START_TEST(a_claim_that_the_cache_does_not_know_yet_owns_its_instance)
{
	const struct dialect *d = _i ? &DIALECT_MACHINE : &DIALECT_NODE_CLAIM;
	start();
	fake_freeze(true);
	ending_claim(d, "fresh");
	leak("fresh", INSTANCE_RUNNING, 3600);
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	fake_freeze(false);
	finish();
}
END_TEST

START_TEST(a_claim_that_is_not_ours_owns_its_instance_too)
{
	start();
	ending_claim(&DIALECT_NODE_CLAIM, "foreign");
	json_object_clear(json_at(fixture_get_claim(&DIALECT_NODE_CLAIM, "foreign"), "metadata", "labels", NULL));
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	finish();
}
END_TEST

START_TEST(a_later_claim_of_the_name_does_not_own_it)
{
	start();
	fake_cloud_set_owner("well", meta_uid(fixture_get_claim(&DIALECT_NODE_CLAIM, "well")));
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	leak("well", INSTANCE_RUNNING, 3600);
	fake_cloud_set_owner("well", "uid-of-an-earlier-claim");
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "reap well\n");
	ck_assert(!deleting(&DIALECT_NODE_CLAIM, "well"));
	finish();
}
END_TEST

START_TEST(an_api_server_that_cannot_tell_saves_the_instance)
{
	start();
	leak("leak", INSTANCE_RUNNING, 3600);
	fake_deny_reads("machines");
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), -1);
	ck_assert_str_eq(fake_cloud_log(), "");
	fake_deny_reads(NULL);
	fake_no_crd("machines"); /* but a resource that does not exist has no objects */
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "reap leak\n");
	fake_no_crd(NULL);
	finish();
}
END_TEST

START_TEST(a_dry_run_only_tells)
{
	start();
	n->options.gc_dry_run = true;
	leak("leak", INSTANCE_RUNNING, 3600);
	fixture_node("leak-0", "leak", true);
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	ck_assert_uint_eq(fixture_writes("delete"), 0);
	ck_assert_ptr_nonnull(strstr(fake_log(), "event Warning InstanceWithoutClaim leak: Instance leak has no claim: it would be deleted, but this is a dry run"));
	finish();
}
END_TEST

START_TEST(nothing_is_collected_before_the_delay_is_over)
{
	start();
	leak("leak", INSTANCE_RUNNING, 3600);
	n->options.instance_gc_delay_ms = 60000;
	n->started_ms = clock_now_ms() - 59000;
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	n->started_ms = clock_now_ms() - 60000;
	ck_assert_int_eq(round_of(&NODES_INSTANCE_GC), 0);
	ck_assert_str_eq(fake_cloud_log(), "reap leak\n");
	finish();
}
END_TEST

START_TEST(both_collections_can_be_switched_off)
{
	start();
	ck_assert(NODES_CLAIM_GC.enabled(n) && NODES_INSTANCE_GC.enabled(n));
	ck_assert_int_eq(NODES_CLAIM_GC.period_ms(n), 120000);
	n->options.claim_gc_ms = n->options.instance_gc_ms = 0;
	ck_assert(!NODES_CLAIM_GC.enabled(n) && !NODES_INSTANCE_GC.enabled(n));
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nodes/gc");
	TCase *t = tcase_create("gc");
	tcase_add_test(t, a_claim_without_instance_is_deleted);
	tcase_add_test(t, a_machine_without_instance_is_deleted);
	tcase_add_test(t, a_node_that_is_not_ready_does_not_save_its_claim);
	tcase_add_test(t, a_ready_node_saves_its_claim);
	tcase_add_test(t, a_claim_that_was_never_registered_is_left);
	tcase_add_test(t, a_claim_without_provider_id_is_left);
	tcase_add_test(t, a_young_claim_is_left_until_its_time);
	tcase_add_loop_test(t, a_stopped_cluster_loses_nothing, 0, 2);
	tcase_add_test(t, ids_are_compared_whatever_their_case);
	tcase_add_test(t, a_list_that_fails_decides_nothing);
	tcase_add_test(t, absence_that_is_not_confirmed_decides_nothing);
	tcase_add_test(t, an_incomplete_list_decides_nothing);
	tcase_add_test(t, an_empty_list_decides_nothing_in_the_first_round);
	tcase_add_test(t, a_round_deletes_twenty_claims_at_most);
	tcase_add_test(t, an_instance_without_claim_is_deleted_with_its_node);
	tcase_add_test(t, young_and_dying_instances_are_left);
	tcase_add_test(t, an_instance_of_unknown_age_is_as_old_as_this_process);
	tcase_add_loop_test(t, a_claim_that_the_cache_does_not_know_yet_owns_its_instance, 0, 2);
	tcase_add_test(t, a_claim_that_is_not_ours_owns_its_instance_too);
	tcase_add_test(t, a_later_claim_of_the_name_does_not_own_it);
	tcase_add_test(t, an_api_server_that_cannot_tell_saves_the_instance);
	tcase_add_test(t, a_dry_run_only_tells);
	tcase_add_test(t, nothing_is_collected_before_the_delay_is_over);
	tcase_add_test(t, both_collections_can_be_switched_off);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
