/* Machines of one pool: names and bodies, and one claim from its first step to its last with a fake ARM. */
#include "check_main.h"

#include "azure/aks_machine.h"
#include "azure/fulfilment.h"
#include "base/clock.h"
#include "codec/json.h"
#include "fulfilment_test.h"
#include "kube/meta.h"
#include "../provision/fake_kube.h"

#define HOLDER "kaitomach"
#define UNIT "kaitomach/ws1"
#define VM "/subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Compute/virtualMachines/aks-kaitomach-ws1-12345678-vm"

static struct scene s;

/* --- values ------------------------------------------------------------------------------------------------------ */

START_TEST(units_are_pools_or_machines)
{
	static const struct { const char *unit; bool valid; } ROWS[] = {
		{"ws1", true}, {"kaitomach/ws1", true}, {"kaitomach/ws1-a1b2c", true}, {"a/b", true}, {"", false}, {"/", false}, {"kaitomach/", false}, {"/ws1", false},
		{"kaitomach/1ws", false}, {"kaitomach/ws1-", false}, {"kaitomach/WS1", false}, {"kaitomach/a/b", false}, {"kaitomachine1/ws1", false},
		{"kaitomach/a234567890123456789012345678901234", true}, {"kaitomach/a2345678901234567890123456789012345", false}, {"Kaito/ws1", false}, {"kaitomach/ws.1", false},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
		ck_assert_msg(aks_machine_unit_valid(ROWS[i].unit) == ROWS[i].valid, "%s", ROWS[i].unit);
	ck_assert(!aks_machine_unit_valid(NULL));
}
END_TEST

START_TEST(a_machine_is_named_as_its_claim_or_by_a_hash)
{
	char unit[UNIT_NAME_MAX + 1], again[UNIT_NAME_MAX + 1];
	struct claim_view v = {.name = "default-ws-x7k2p"};
	aks_machine_unit(&v, HOLDER, unit);
	ck_assert_str_eq(unit, "kaitomach/default-ws-x7k2p");
	v.name = "a-claim.with-dots";
	aks_machine_unit(&v, HOLDER, unit);
	aks_machine_unit(&v, HOLDER, again);
	ck_assert(aks_machine_unit_valid(unit) && strncmp(unit, "kaitomach/k", 11) == 0);
	ck_assert_str_eq(unit, again);
	v.name = "a-claim.with-dotz";
	aks_machine_unit(&v, HOLDER, again);
	ck_assert_str_ne(unit, again);
}
END_TEST

START_TEST(the_vm_tells_the_unit)
{
	static const struct { const char *id, *unit; } ROWS[] = {
		{"azure://" VM, UNIT},
		{"azure:///subscriptions/s/resourceGroups/mc_g/providers/microsoft.compute/virtualmachines/AKS-kaitomach-default-ws-x7k2p-12345678-VM", "kaitomach/default-ws-x7k2p"},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/aks-ws1-12345678-vmss/virtualMachines/0", "ws1"},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/aks-ws1-12345678-0", "ws1"},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/aks-kaitomach-ws1-vm", NULL},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/aks-kaitomach--12345678-vm", NULL},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/aks--ws1-12345678-vm", NULL},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/-vm", NULL},
		{"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/karpenter-ws1-12345678-vm", NULL},
		{"azure://", NULL}, {"", NULL}, {NULL, NULL},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		char unit[UNIT_NAME_MAX + 1] = "untouched";
		ck_assert_msg(agent_pool_unit_of_provider_id(ROWS[i].id, unit) == (ROWS[i].unit != NULL), "%s", ROWS[i].id);
		ck_assert_str_eq(unit, ROWS[i].unit ? ROWS[i].unit : "untouched");
	}
}
END_TEST

static json_t *parsed(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(value);
	return value;
}

START_TEST(a_body_says_the_same_in_other_places)
{
	struct err err = ERR_INIT;
	CLEANUP(json_decrefp) json_t *pool = parsed("{\"properties\":{\"count\":1,\"vmSize\":\"Standard_NC6s_v3\",\"osDiskSizeGB\":200,\"osSKU\":\"Ubuntu\",\"nodeLabels\":{\"a\":\"b\"},"
		"\"nodeTaints\":[\"sku=gpu:NoSchedule\"],\"scaleSetPriority\":\"Spot\",\"scaleSetEvictionPolicy\":\"Delete\",\"spotMaxPrice\":-1.0,\"availabilityZones\":[\"2\"],"
		"\"gpuProfile\":{\"driver\":\"None\"},\"type\":\"VirtualMachineScaleSets\",\"mode\":\"User\",\"tags\":{\"t\":\"u\"},\"vnetSubnetID\":\"/s\"}}");
	CLEANUP(json_decrefp) json_t *wanted = parsed("{\"zones\":[\"2\"],\"properties\":{\"hardware\":{\"vmSize\":\"Standard_NC6s_v3\",\"gpuProfile\":{\"driver\":\"None\"}},"
		"\"operatingSystem\":{\"osDiskSizeGB\":200,\"osSKU\":\"Ubuntu\"},\"kubernetes\":{\"nodeLabels\":{\"a\":\"b\"},\"nodeTaints\":[\"sku=gpu:NoSchedule\"]},"
		"\"priority\":\"Spot\",\"evictionPolicy\":\"Delete\",\"mode\":\"User\",\"tags\":{\"t\":\"u\"},\"network\":{\"vnetSubnetID\":\"/s\"}}}");
	CLEANUP(json_decrefp) json_t *body = NULL;
	ck_assert_msg(aks_machine_body(pool, &body, &err) == 0, "%s", err.message);
	ck_assert(json_equal(body, wanted));
	json_object_set_new(body, "name", json_string("ws1"));
	CLEANUP(json_decrefp) json_t *back = aks_machine_as_pool(body, HOLDER);
	struct agent_pool p;
	ck_assert(agent_pool_read(&p, back) && p.machine && p.spot);
	ck_assert_str_eq(p.name, UNIT);
	ck_assert_str_eq(p.vm_size, "Standard_NC6s_v3");
	json_object_set_new(json_object_get(pool, "properties"), "proximityPlacementGroupID", json_string("/p"));
	CLEANUP(json_decrefp) json_t *none = NULL;
	ck_assert_int_lt(aks_machine_body(pool, &none, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "proximityPlacementGroupID"));
}
END_TEST

START_TEST(what_is_no_machine_is_none)
{
	static const char *const ROWS[] = {"{}", "[]", "{\"name\":\"ws1\"}", "{\"name\":\".x\",\"properties\":{}}", "{\"name\":\"\",\"properties\":{}}", "{\"name\":\"ws1\",\"properties\":[]}"};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		CLEANUP(json_decrefp) json_t *machine = parsed(ROWS[i]);
		ck_assert_msg(!aks_machine_as_pool(machine, HOLDER), "%s", ROWS[i]);
	}
	ck_assert(!aks_machine_as_pool(NULL, HOLDER));
}
END_TEST

/* --- one claim --------------------------------------------------------------------------------------------------- */

static void open_machines(void)
{
	s.machines = true;
	scene_open(&s);
	scene_claim(&s, SKU_A " " SKU_B);
}

/* Steps until ARM has the pool of machines, whose making ends well; then until the machine is being made. */
static void until_creating(void)
{
	for (int i = 0; i < 1000; i++, clock_sleep_ms(5)) {
		ck_assert_msg(scene_launch_step(&s) == 0, "%s", s.err.message);
		CLEANUP(json_decrefp) json_t *holder = fake_arm_pool(HOLDER), *machine = fake_arm_pool(UNIT);
		if (strcmp(json_text_at(holder, "", "properties", "provisioningState", NULL), "Creating") == 0)
			fake_arm_finish(HOLDER, NULL, NULL);
		if (machine && strcmp(scene_phase(&s), "running") == 0)
			return;
	}
	ck_abort_msg("no machine: %s", s.launched.message);
}

static void until_launched(void)
{
	for (int i = 0; i < 1000 && s.launched.step != STEP_DONE; i++, clock_sleep_ms(5))
		ck_assert_msg(scene_launch_step(&s) == 0, "%s", s.err.message);
	ck_assert_int_eq(s.launched.step, STEP_DONE);
}

static void until_gone(void)
{
	for (int i = 0; i < 1000 && s.terminated.step != STEP_DONE; i++, clock_sleep_ms(5)) {
		ck_assert_msg(scene_terminate_step(&s) == 0, "%s", s.err.message);
		CLEANUP(json_decrefp) json_t *machine = fake_arm_pool(UNIT);
		if (strcmp(json_text_at(machine, "", "properties", "provisioningState", NULL), "Deleting") == 0)
			fake_arm_finish(UNIT, NULL, NULL);
	}
	ck_assert_int_eq(s.terminated.step, STEP_DONE);
}

START_TEST(a_claim_becomes_a_machine_and_gives_it_back)
{
	open_machines();
	until_creating();
	CLEANUP(json_decrefp) json_t *holder = fake_arm_pool(HOLDER), *machine = fake_arm_pool(UNIT);
	ck_assert_str_eq(json_text_at(holder, "", "properties", "mode", NULL), "Machines");
	ck_assert_str_eq(json_text_at(machine, "", "properties", "tags", TAG_CLAIM_UID, NULL), "uid-1");
	ck_assert_str_eq(json_text_at(machine, "", "properties", "hardware", "vmSize", NULL), SKU_A);
	ck_assert_str_eq(fake_arm_last("PUT", "If-None-Match"), "*");
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 2);
	fake_arm_finish(UNIT, NULL, NULL);
	until_launched();
	ck_assert_str_eq(s.launched.provider_id, "azure://" VM);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_INSTANCE_TYPE, NULL), SKU_A);
	until_gone();
	ck_assert_uint_eq(fake_arm_count("POST", "/agentPools/kaitomach/deleteMachines"), 1);
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 0);
	CLEANUP(json_decrefp) json_t *left = fake_arm_pool(HOLDER);
	ck_assert_ptr_nonnull(left);
	scene_close(&s);
}
END_TEST

START_TEST(a_process_that_forgot_its_memo_makes_no_second_machine)
{
	open_machines();
	until_creating();
	scene_restart(&s, true);
	until_creating();
	ck_assert_uint_eq(fake_arm_count("PUT", "/machines/ws1"), 1);
	fake_arm_finish(UNIT, NULL, NULL);
	scene_restart(&s, false);
	until_launched();
	ck_assert_uint_eq(fake_arm_created(), 2); /* and the pool */
	scene_close(&s);
}
END_TEST

START_TEST(a_lost_answer_is_no_second_machine)
{
	open_machines();
	fake_arm_fail("PUT", "/machines/ws1", 1, FAKE_ARM_DROP_AFTER, 0, NULL, NULL);
	for (int i = 0; i < 1000 && strcmp(scene_phase(&s), "running") != 0; i++, clock_sleep_ms(5)) {
		(void)!scene_launch_step(&s); /* the lost answer is an error */
		fake_arm_finish(HOLDER, NULL, NULL);
	}
	ck_assert_str_eq(scene_phase(&s), "running");
	ck_assert_uint_eq(fake_arm_count("PUT", "/machines/ws1"), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_pool_of_somebody_else_is_not_used)
{
	open_machines();
	fake_arm_put(HOLDER, "Succeeded", NULL, NULL);
	for (int i = 0; i < 1000 && s.launched.step != STEP_FAILED; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	ck_assert_str_eq(s.launched.reason, "AgentPoolNameConflict");
	ck_assert_ptr_nonnull(strstr(s.launched.message, "--aks-machines-pool"));
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_machine_of_somebody_else_is_not_touched)
{
	open_machines();
	fake_arm_put(HOLDER, "Succeeded", NULL, json_pack("{s:s}", TAG_MACHINES, "true"));
	fake_arm_put(UNIT, "Succeeded", NULL, json_pack("{s:s,s:s}", TAG_CLAIM, "other", TAG_CLAIM_UID, "uid-2"));
	for (int i = 0; i < 1000 && s.launched.step != STEP_FAILED; i++, clock_sleep_ms(5))
		ck_assert_msg(scene_launch_step(&s) == 0, "%s", s.err.message);
	ck_assert_str_eq(s.launched.reason, "AgentPoolNameConflict");
	for (int i = 0; i < 1000 && s.terminated.step != STEP_DONE; i++, clock_sleep_ms(5))
		ck_assert_msg(scene_terminate_step(&s) == 0, "%s", s.err.message);
	ck_assert_int_eq(s.terminated.step, STEP_DONE);
	ck_assert_uint_eq(fake_arm_count("POST", "deleteMachines"), 0);
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_machine_tells_why_it_was_not_made_and_the_next_type_is_tried)
{
	open_machines();
	until_creating();
	fake_arm_finish(UNIT, "OperationNotAllowed", "exceeding approved standardNCSv3Family Cores quota");
	for (int i = 0; i < 1000; i++, clock_sleep_ms(5)) {
		ck_assert_msg(scene_launch_step(&s) == 0, "%s", s.err.message);
		CLEANUP(json_decrefp) json_t *machine = fake_arm_pool(UNIT);
		if (strcmp(json_text_at(machine, "", "properties", "provisioningState", NULL), "Deleting") == 0)
			fake_arm_finish(UNIT, NULL, NULL);
		if (strcmp(json_text_at(machine, "", "properties", "hardware", "vmSize", NULL), SKU_B) == 0 && strcmp(scene_phase(&s), "running") == 0)
			break;
	}
	CLEANUP(json_decrefp) json_t *second = fake_arm_pool(UNIT);
	ck_assert_str_eq(json_text_at(second, "", "properties", "hardware", "vmSize", NULL), SKU_B);
	ck_assert_uint_eq(fake_arm_count("GET", "/operations/"), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_deletion_that_is_refused_while_the_machine_is_made_comes_when_it_is_made)
{
	open_machines();
	until_creating();
	for (int i = 0; i < 1000 && fake_arm_count("POST", "deleteMachines") == 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_terminate_step(&s), 0);
	fake_arm_finish(UNIT, NULL, NULL);
	until_gone();
	ck_assert_uint_eq(fake_arm_count("POST", "/abort"), 0);
	scene_close(&s);
}
END_TEST

/* In the shape of a pool. */
static json_t *machine_named(const char *name)
{
	CLEANUP(json_decrefp) json_t *answer = json_pack("{s:s,s:{s:s}}", "name", name, "properties", "provisioningState", "Succeeded");
	return aks_machine_as_pool(answer, HOLDER);
}

/* Asks until there is a result. */
static int deleted(const char *name, struct flight *f, bool *collected)
{
	CLEANUP(json_decrefp) json_t *machine = machine_named(name), *operation = NULL;
	struct failure why;
	int64_t wait_ms = 0;
	int result = azure_delete_machine_batched((struct azure *)s.cloud, machine, f, &operation, &wait_ms, &why, &s.err);
	*collected = result == 4;
	return result;
}

START_TEST(those_who_ask_together_share_a_request_and_a_refused_one_is_repeated_one_by_one)
{
	struct flight a = {0}, b = {0}, c = {0};
	bool more_a = true, more_b = true, more_c = true;
	int result_a = 0, result_b = 0, result_c = 0;
	open_machines();
	fake_arm_put(HOLDER, "Succeeded", NULL, json_pack("{s:s}", TAG_MACHINES, "true"));
	fake_arm_put("kaitomach/a", "Succeeded", NULL, NULL);
	fake_arm_put("kaitomach/b", "Succeeded", NULL, NULL);
	ck_assert(deleted("a", &a, &more_a) == 4 && deleted("b", &b, &more_b) == 4 && deleted("gone", &c, &more_c) == 4);
	for (int i = 0; i < 1000 && (more_a || more_b || more_c); i++, clock_sleep_ms(5)) {
		result_a = more_a ? deleted("a", &a, &more_a) : result_a;
		result_b = more_b ? deleted("b", &b, &more_b) : result_b;
		result_c = more_c ? deleted("gone", &c, &more_c) : result_c;
	}
	ck_assert(result_a == 2 && result_b == 2 && result_c == 2 && a.alone && b.alone && c.alone);
	ck_assert_uint_eq(fake_arm_count("POST", "deleteMachines"), 1);
	ck_assert(deleted("a", &a, &more_a) == 0 && deleted("b", &b, &more_b) == 0 && deleted("gone", &c, &more_c) == 2);
	ck_assert_uint_eq(fake_arm_count("POST", "deleteMachines"), 4);
	CLEANUP(json_decrefp) json_t *left = fake_arm_pool("kaitomach/a");
	ck_assert_str_eq(json_text_at(left, "", "properties", "provisioningState", NULL), "Deleting");
	scene_close(&s);
}
END_TEST

struct listing { int n; bool machine, pool; };
static void note(void *context, const struct instance *i)
{
	struct listing *l = context;
	l->n++;
	l->machine = l->machine || (strcmp(i->name, UNIT) == 0 && strcmp(i->claim_uid, "uid-1") == 0 && strcmp(i->provider_id, "azure://" VM) == 0);
	l->pool = l->pool || strcmp(i->name, "older") == 0;
}

START_TEST(both_kinds_are_listed_page_by_page_and_reaped)
{
	struct listing l = {0};
	open_machines();
	until_creating();
	fake_arm_finish(UNIT, NULL, NULL);
	fake_arm_put("older", "Succeeded", NULL, json_pack("{s:s,s:s}", TAG_CLAIM, "older", TAG_CLAIM_UID, "uid-0"));
	fake_arm_put("kaitomach/theirs", "Succeeded", NULL, NULL);
	fake_arm_page(1);
	scene_restart(&s, false);
	ck_assert_msg(s.cloud->ops->list(s.cloud, 0, note, &l, &s.err) == 0, "%s", s.err.message);
	ck_assert_int_eq(l.n, 2);
	ck_assert(l.machine && l.pool);
	l = (struct listing){0};
	ck_assert_int_eq(s.cloud->ops->get(s.cloud, "azure://" VM, note, &l, &s.err), 0);
	ck_assert(l.n == 1 && l.machine);
	ck_assert_int_eq(s.cloud->ops->reap(s.cloud, &(struct instance){.name = UNIT, .claim = "ws1", .claim_uid = "uid-9"}, &s.err), -1);
	ck_assert_uint_eq(fake_arm_count("POST", "deleteMachines"), 0);
	ck_assert_msg(s.cloud->ops->reap(s.cloud, &(struct instance){.name = UNIT, .claim = "ws1", .claim_uid = "uid-1"}, &s.err) == 0, "%s", s.err.message);
	ck_assert_uint_eq(fake_arm_count("POST", "deleteMachines"), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_claim_keeps_what_it_has_when_the_way_changes)
{
	s.machines = false;
	scene_open(&s);
	scene_claim(&s, SKU_A);
	scene_launch(&s);
	fake_arm_finish(POOL, NULL, NULL);
	s.machines = true;
	json_object_del(json_at(s.claim, "metadata", NULL), "annotations"); /* as made by another program */
	scene_restart(&s, false);
	scene_node(&s, "node1", POOL);
	until_launched();
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
	s.machines = false;
	scene_restart(&s, false);
	for (int i = 0; i < 1000 && s.terminated.step != STEP_DONE; i++, clock_sleep_ms(5)) {
		ck_assert_int_eq(scene_terminate_step(&s), 0);
		if (fake_arm_count("DELETE", "/agentPools/ws1"))
			fake_arm_finish(POOL, NULL, NULL);
	}
	ck_assert_int_eq(s.terminated.step, STEP_DONE);
	ck_assert_uint_eq(fake_arm_pools(), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_machine_without_memo_is_found_in_the_other_way_too)
{
	open_machines();
	until_creating();
	fake_arm_finish(UNIT, NULL, NULL);
	s.machines = false;
	json_object_del(json_at(s.claim, "metadata", NULL), "annotations");
	scene_restart(&s, false);
	until_launched();
	ck_assert_str_eq(s.launched.provider_id, "azure://" VM);
	ck_assert_uint_eq(fake_arm_created(), 2);
	scene_close(&s);
}
END_TEST

int main(void)
{
	CHECK_RUN("aks_machine", 60, units_are_pools_or_machines, a_machine_is_named_as_its_claim_or_by_a_hash, the_vm_tells_the_unit, a_body_says_the_same_in_other_places, what_is_no_machine_is_none,
		  a_claim_becomes_a_machine_and_gives_it_back, a_process_that_forgot_its_memo_makes_no_second_machine, a_lost_answer_is_no_second_machine, a_pool_of_somebody_else_is_not_used,
		  a_machine_of_somebody_else_is_not_touched, a_machine_tells_why_it_was_not_made_and_the_next_type_is_tried,
		  a_deletion_that_is_refused_while_the_machine_is_made_comes_when_it_is_made, those_who_ask_together_share_a_request_and_a_refused_one_is_repeated_one_by_one, both_kinds_are_listed_page_by_page_and_reaped,
		  a_claim_keeps_what_it_has_when_the_way_changes, a_machine_without_memo_is_found_in_the_other_way_too);
}
