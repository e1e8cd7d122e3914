/* What would be sent and why, without sending it; and the memo's text. */
#include "check_main.h"

#include "azure/memo.h"
#include "base/clock.h"
#include "fulfilment_test.h"
#include "kube/meta.h"

static struct scene s;
static struct buf out;

static int explain(void)
{
	struct claim_view v;
	buf_clear(&out);
	ck_assert_int_eq(claim_view_init(&v, s.claim, &s.err), 0);
	v.node_class = s.node_class;
	int result = s.cloud->ops->explain(s.cloud, &v, &out, &s.err);
	claim_view_done(&v);
	return result;
}

static void check_says(const char *text) { ck_assert_msg(strstr(out.data, text) != NULL, "'%s' is not in:\n%s", text, out.data); }

static void finish(void)
{
	ck_assert_uint_eq(fake_arm_count("GET", "") + fake_arm_count("PUT", "") + fake_arm_count("POST", ""), 0);
	buf_done(&out);
	scene_close(&s);
}

START_TEST(the_request_and_the_choice_are_shown)
{
	scene_open(&s);
	scene_claim(&s, SKU_A " " SKU_B);
	scene_require(&s, LABEL_CAPACITY_TYPE, "In", "spot on-demand");
	scene_require(&s, LABEL_ZONE, "In", "eastus-2");
	meta_set_label(s.claim, "kubernetes.azure.com/mode", "x");
	ck_assert_int_eq(explain(), 0);
	check_says("/agentPools/ws1?api-version=2024-01-01\nIf-None-Match: *\n");
	check_says("\"vmSize\": \"" SKU_A "\"");
	check_says("agent pool: ws1, as the claim");
	check_says("disk: 120 GiB");
	check_says("labels left out");
	check_says("kubernetes.azure.com/mode");
	check_says("- " SKU_A ", spot, zone eastus-2: chosen\n");
	check_says("- " SKU_A ", on-demand, zone eastus-2: if the ones before it fail\n");
	check_says("- " SKU_B ", on-demand, zone eastus-2: if");
	check_says("quota: not known here");
	finish();
}
END_TEST

START_TEST(a_long_name_is_mapped)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	json_object_set_new(json_object_get(s.claim, "metadata"), "name", json_string("a-claim-with-a-long-name"));
	ck_assert_int_eq(explain(), 0);
	check_says("a hash of the claim's name");
	check_says("\"kaito.sh/nodeclaim\": \"a-claim-with-a-long-name\"");
	finish();
}
END_TEST

START_TEST(excluded_zones_leave_the_others)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	scene_require(&s, LABEL_ZONE, "NotIn", "eastus-1");
	ck_assert_int_eq(explain(), 0);
	check_says("zone eastus-2: chosen");
	check_says("zone eastus-3: if");
	ck_assert_ptr_null(strstr(out.data, "zone eastus-1"));
	finish();
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	s.node_class = json_pack("{s:i}", "osDiskSizeGB", -1);
	ck_assert_int_eq(explain(), -1);
	ck_assert_ptr_nonnull(strstr(s.err.message, "osDiskSizeGB"));
	json_array_clear(json_at(s.claim, "spec", "requirements", NULL));
	ck_assert_int_eq(explain(), -1);
	ck_assert_ptr_nonnull(strstr(s.err.message, "instance type"));
	finish();
}
END_TEST

START_TEST(cooled_down_offerings_are_left_out)
{
	scene_open(&s);
	scene_claim(&s, SKU_A " " SKU_B);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 400, "SkuNotAvailable", "no");
	scene_launch(&s);
	ck_assert_int_eq(explain(), 0);
	check_says("- " SKU_A ", on-demand, any zone: left out until ");
	check_says("SKUNotAvailable");
	check_says("- " SKU_B ", on-demand, any zone: chosen");
	buf_done(&out);
	scene_close(&s);
}
END_TEST

START_TEST(a_memo_reads_back)
{
	struct memo m = {.pool = "ws1", .sku = SKU_A, .zone = "eastus-1", .spot = true, .attempt = 3}, back;
	struct err err;
	memo_advance(&m, MEMO_RUNNING, "0123456789abcdef", json_pack("{s:s}", "url", "u"));
	CLEANUP(mem_freep) char *text = memo_text(&m);
	ck_assert_msg(memo_read(&back, text, &err) == 0, "%s", err.message);
	ck_assert_int_eq(back.phase, MEMO_RUNNING);
	ck_assert_str_eq(back.pool, "ws1");
	ck_assert_str_eq(back.sku, SKU_A);
	ck_assert_str_eq(back.zone, "eastus-1");
	ck_assert(back.spot && back.attempt == 3 && back.started_s == m.started_s);
	ck_assert_str_eq(back.incarnation, "0123456789abcdef");
	ck_assert(json_equal(back.operation, m.operation));
	for (size_t n = 1; n < strlen(text); n++) { /* cut anywhere: refused, nothing leaks */
		char cut[1024];
		struct memo part;
		snprintf(cut, sizeof cut, "%.*s", (int)n, text);
		ck_assert_int_eq(memo_read(&part, cut, &err), -1);
	}
	memo_done(&back);
	memo_done(&m);
	ck_assert_int_eq(memo_read(&m, "", &err), 0);
	ck_assert_int_eq(m.phase, MEMO_NONE);
}
END_TEST

START_TEST(a_foreign_memo_is_refused)
{
	static const char *const TEXTS[] = {"[]", "{}", "{\"pool\":\"ws1\"}", "{\"pool\":\"ws1\",\"phase\":\"flying\"}", "{\"pool\":\"Not A Pool\",\"phase\":\"intent\"}",
					    "{\"pool\":\"ws1\",\"phase\":\"intent\",\"attempt\":-1}", "{\"pool\":\"ws1\",\"phase\":\"intent\",\"operation\":5}",
					    "{\"pool\":\"ws1\",\"phase\":\"intent\",\"incarnation\":\"01234567890123456\"}", "{\"pool\":\"ws1\",\"phase\":7}"};
	struct memo m;
	struct err err;
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
		ck_assert_msg(memo_read(&m, TEXTS[i], &err) == -1, "%s", TEXTS[i]);
}
END_TEST

int main(void)
{
	CHECK_RUN("explain", 30, the_request_and_the_choice_are_shown, a_long_name_is_mapped, excluded_zones_leave_the_others, what_is_wrong_is_named,
		  cooled_down_offerings_are_left_out, a_memo_reads_back, a_foreign_memo_is_refused);
}
