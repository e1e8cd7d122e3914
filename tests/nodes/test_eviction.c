/* test_eviction.c: what the API server's answer to one eviction means, and the pauses between tries. */
#include "check_main.h"
#include "ending.h"
#include "nodes/eviction.h"
#include "nodes/pace.h"

static double counted(struct nodes *n, const char *labels) { return metrics_value(n->op.metrics, NODES_EVICTIONS, labels); }

START_TEST(answers_have_their_meaning_and_are_counted)
{
	struct nodes *n = fixture_new();
	struct err why;
	CLEANUP(json_decrefp) json_t *pod = json_deep_copy(ending_pod("n", "p")), *guarded = json_deep_copy(ending_pod("n", "g"));
	meta_set_annotation(fake_object(&KUBE_PODS, "a", "g"), FAKE_REFUSES, "Cannot evict pod");
	ck_assert_int_eq(eviction_send(n, guarded, "r", &why), EVICTION_REFUSED);
	ck_assert_str_eq(why.message, "Cannot evict pod");
	ck_assert_int_eq(eviction_send(n, guarded, "r", &why), EVICTION_LATER);
	ck_assert_int_eq(eviction_send(n, pod, "r", &why), EVICTION_SENT);
	ck_assert_int_eq(eviction_send(n, pod, "r", &why), EVICTION_GONE);
	ending_pod("n", "p"); /* another one of that name must not suffer for it */
	ck_assert_int_eq(eviction_send(n, pod, "r", &why), EVICTION_GONE);
	ck_assert_int_eq(eviction_force(n, pod, 5, "r", &why), EVICTION_GONE);
	ck_assert_ptr_nonnull(fake_object(&KUBE_PODS, "a", "p"));
	ck_assert_double_eq(counted(n, "code=\"200\""), 1);
	ck_assert_double_eq(counted(n, "code=\"404\""), 1);
	ck_assert_double_eq(counted(n, "code=\"409\""), 1);
	ck_assert_double_eq(counted(n, "code=\"429\""), 1);
	ck_assert_double_eq(metrics_value(n->op.metrics, NODES_PODS_DRAINED, "reason=\"r\""), 1);
	fixture_free(n);
}
END_TEST

START_TEST(several_budgets_are_a_refusal)
{
	struct nodes *n = fixture_new();
	struct err why;
	json_t *pod = ending_pod("n", "p");
	meta_set_annotation(pod, FAKE_REFUSES, "This pod has more than one PodDisruptionBudget");
	ck_assert_int_eq(eviction_send(n, pod, "r", &why), EVICTION_REFUSED);
	ck_assert_double_eq(counted(n, "code=\"500\""), 1);
	fixture_free(n);
}
END_TEST

START_TEST(pauses_double_up_to_their_maximum)
{
	static struct pace p = PACE_INIT;
	static const int64_t PAUSES[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	int64_t now = 5000;
	ck_assert(pace_ready(&p, "a", now));
	for (size_t i = 0; i < sizeof PAUSES / sizeof PAUSES[0]; i++) {
		pace_back_off(&p, "a", now, 100, 10000);
		ck_assert(!pace_ready(&p, "a", now + PAUSES[i] - 1));
		now += PAUSES[i];
		ck_assert(pace_ready(&p, "a", now));
	}
	for (int i = 0; i < 100; i++)
		pace_back_off(&p, "a", now, 100, 10000);
	ck_assert(!pace_ready(&p, "a", now + 9999) && pace_ready(&p, "a", now + 10000));
	pace_forget(&p, "a");
	ck_assert(pace_ready(&p, "a", now));
	pace_back_off(&p, "a", now, 100, 10000);
	ck_assert(pace_ready(&p, "a", now + 100)); /* the first pause again */
}
END_TEST

START_TEST(a_taken_turn_comes_back)
{
	static struct pace p = PACE_INIT;
	ck_assert(pace_take(&p, "a", 1000, 50));
	ck_assert(!pace_take(&p, "a", 1049, 50));
	ck_assert(pace_take(&p, "b", 1049, 50));
	ck_assert(pace_take(&p, "a", 1050, 50));
	ck_assert(!pace_take(&p, "a", 1051, 50));
}
END_TEST

START_TEST(more_names_than_places_cost_a_try_too_early_at_most)
{
	static struct pace p = PACE_INIT;
	char name[16];
	for (int i = 0; i < PACE_PLACES * 4; i++) {
		snprintf(name, sizeof name, "n%d", i);
		pace_back_off(&p, name, 0, 100, 100);
		ck_assert(!pace_ready(&p, name, 99));
	}
	ck_assert(pace_ready(&p, "never seen", 0));
}
END_TEST

int main(void)
{
	CHECK_RUN("nodes/eviction", 20, answers_have_their_meaning_and_are_counted, several_budgets_are_a_refusal, pauses_double_up_to_their_maximum, a_taken_turn_comes_back,
		  more_names_than_places_cost_a_try_too_early_at_most);
}
