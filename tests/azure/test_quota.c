/* test_quota.c: counters of Microsoft.Compute usages: pages, families, verdicts, what was asked for since, ages. */
#include "azure/quota.h"
#include "base/limits.h"
#include "catalog/sku.h"
#include "check_main.h"
#include "codec/json.h"
#include <pthread.h>
#include <stdatomic.h>

static struct quota *q;
static struct failure f;
static struct err err;

static json_t *usage(const char *name, int64_t used, int64_t limit)
{
	return json_pack("{s:s,s:I,s:I,s:{s:s,s:s}}", "unit", "Count", "currentValue", (json_int_t)used, "limit", (json_int_t)limit, "name", "value", name, "localizedValue", name);
}

/* One reading in one page; ends with a NULL name. */
struct row { const char *name; int64_t used, limit; };
static void read_at(int64_t now_ms, const struct row *rows)
{
	const char *next = "unset";
	CLEANUP(json_decrefp) json_t *page = json_pack("{s:[]}", "value");
	for (; rows->name; rows++)
		json_array_append_new(json_object_get(page, "value"), usage(rows->name, rows->used, rows->limit));
	ck_assert(quota_due(q, now_ms));
	ck_assert_int_eq(quota_feed(q, page, now_ms, &next, &err), 0);
	ck_assert_ptr_null(next);
}
#define READ(now_ms, ...) read_at(now_ms, (const struct row[]){__VA_ARGS__, {0}})

static void begin(void)
{
	q = quota_new();
	err = ERR_INIT;
}

START_TEST(a_shortage_is_told_as_azure_would)
{
	begin();
	READ(0, {"cores", 10, 100}, {"standardNCSv3Family", 0, 0});
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 1, &f), QUOTA_SHORT);
	ck_assert_msg(strncmp(f.message, "SubscriptionQuotaReached: standardNCSv3Family needs 6 vCPUs, 0 of 0 left in eastus; request more", 95) == 0, "%s", f.message);
	ck_assert_str_eq(f.row->reason, "SubscriptionQuotaReached");
	ck_assert_int_eq(f.row->scope, SCOPE_FAMILY);
	ck_assert_int_eq(f.row->handling, HANDLE_CREATE_ERROR);
	ck_assert_int_eq(f.cooldown_s, 3600);
	ck_assert_uint_le(strlen(f.message), 256);
	quota_free(q);
}
END_TEST

START_TEST(family_then_region_then_enough)
{
	begin();
	READ(0, {"cores", 90, 100}, {"Standard NCASv3_T4 Family", 4, 24}, {"StandardNCADSA100v4Family", 0, 48});
	ck_assert_int_eq(quota_check(q, "standard_nc4as_t4_v3", false, "eastus", 1, &f), QUOTA_ENOUGH);
	ck_assert_int_eq(quota_check(q, "Standard_NC64as_T4_v3", false, "eastus", 1, &f), QUOTA_SHORT);
	ck_assert(strstr(f.message, "needs 64 vCPUs, 20 of 24 left"));
	ck_assert_int_eq(f.cooldown_s, 600);
	ck_assert_int_eq(quota_check(q, "Standard_NC24ads_A100_v4", false, "eastus", 1, &f), QUOTA_SHORT);
	ck_assert(strstr(f.message, "SubscriptionQuotaReached: cores needs 24 vCPUs, 10 of 100 left"));
	ck_assert_int_eq(f.row->scope, SCOPE_REGION);
	ck_assert(f.row->insufficient);
	quota_free(q);
}
END_TEST

START_TEST(spot_has_a_counter_of_its_own)
{
	begin();
	READ(0, {"cores", 100, 100}, {"standardNCSv3Family", 0, 0}, {"lowPriorityCores", 0, 6});
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", true, "eastus", 1, &f), QUOTA_ENOUGH);
	ck_assert_int_eq(quota_check(q, "Standard_NC12s_v3", true, "eastus", 1, &f), QUOTA_SHORT);
	ck_assert_int_eq(f.row->scope, SCOPE_SPOT);
	ck_assert(strstr(f.message, "lowPriorityCores needs 12 vCPUs, 6 of 6 left"));
	quota_free(q);
}
END_TEST

START_TEST(what_is_not_known_is_no_obstacle)
{
	begin();
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 0, &f), QUOTA_UNKNOWN); /* nothing read */
	READ(0, {"cores", 10, 100}, {"standardDSv3Family", 0, 0});
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 1, &f), QUOTA_UNKNOWN); /* family not counted */
	ck_assert_int_eq(quota_check(q, "Standard_XX6s_v9", false, "eastus", 1, &f), QUOTA_UNKNOWN); /* machine unknown */
	ck_assert_int_eq(quota_check(q, "", false, "eastus", 1, &f), QUOTA_UNKNOWN);
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", true, "eastus", 1, &f), QUOTA_UNKNOWN);
	quota_take(q, "Standard_XX6s_v9", false);
	quota_free(q);
	begin();
	READ(0, {"cores", 10, -1}, {"standardNCSv3Family", 700, -1}); /* no limit */
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 1, &f), QUOTA_ENOUGH);
	quota_free(q);
}
END_TEST

START_TEST(what_was_asked_for_counts_until_the_next_reading)
{
	begin();
	READ(0, {"cores", 0, 1000}, {"standardNCSv3Family", 0, 12}, {"lowPriorityCores", 0, 6});
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 1, &f), QUOTA_ENOUGH);
		quota_take(q, "Standard_NC6s_v3", false);
	}
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 1, &f), QUOTA_SHORT);
	quota_take(q, "Standard_NC6s_v3", true);
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", true, "eastus", 1, &f), QUOTA_SHORT);
	READ(QUOTA_AGE_MS, {"cores", 0, 1000}, {"standardNCSv3Family", 6, 12}, {"lowPriorityCores", 0, 6});
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", QUOTA_AGE_MS, &f), QUOTA_ENOUGH);
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", true, "eastus", QUOTA_AGE_MS, &f), QUOTA_ENOUGH);
	quota_free(q);
}
END_TEST

START_TEST(counters_are_read_when_due_by_one_at_a_time)
{
	begin();
	ck_assert(quota_due(q, 5));
	ck_assert(!quota_due(q, 6));
	ck_assert(!quota_due(q, 4 + QUOTA_READING_MS));
	ck_assert(quota_due(q, 5 + QUOTA_READING_MS)); /* the first reader was lost */
	quota_failed(q, 6 + QUOTA_READING_MS);
	ck_assert(!quota_due(q, 5 + 2 * QUOTA_READING_MS));
	int64_t now = 10 * QUOTA_READING_MS;
	READ(now, {"cores", 0, 100}, {"standardNCSv3Family", 0, 12});
	ck_assert(!quota_due(q, now + QUOTA_AGE_MS - 1));
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", now + QUOTA_AGE_MS - 1, &f), QUOTA_ENOUGH);
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", now + QUOTA_AGE_MS, &f), QUOTA_UNKNOWN);
	ck_assert(quota_due(q, now + QUOTA_AGE_MS));
	quota_free(q);
}
END_TEST

START_TEST(a_shortage_is_looked_at_again_sooner)
{
	begin();
	READ(0, {"cores", 0, 100}, {"standardNCSv3Family", 0, 0});
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 1, &f), QUOTA_SHORT);
	ck_assert(!quota_due(q, QUOTA_SHORT_AGE_MS - 1));
	READ(QUOTA_SHORT_AGE_MS, {"cores", 0, 100}, {"standardNCSv3Family", 0, 6});
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", QUOTA_SHORT_AGE_MS, &f), QUOTA_ENOUGH);
	ck_assert(!quota_due(q, 3 * QUOTA_SHORT_AGE_MS));
	quota_free(q);
}
END_TEST

START_TEST(pages_count_when_the_last_has_come)
{
	begin();
	const char *next = NULL;
	CLEANUP(json_decrefp) json_t *first = json_pack("{s:[o],s:s}", "value", usage("cores", 0, 100), "nextLink", "https://management.azure.com/next");
	CLEANUP(json_decrefp) json_t *second = json_pack("{s:[o],s:n}", "value", usage("standardNCSv3Family", 0, 6), "nextLink");
	ck_assert(quota_due(q, 0));
	ck_assert_int_eq(quota_feed(q, first, 0, &next, &err), 0);
	ck_assert_str_eq(next, "https://management.azure.com/next");
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 0, &f), QUOTA_UNKNOWN);
	ck_assert_int_eq(quota_feed(q, second, 0, &next, &err), 0);
	ck_assert_ptr_null(next);
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 0, &f), QUOTA_ENOUGH);
	quota_free(q);
}
END_TEST

START_TEST(odd_pages_are_refused_and_odd_counters_passed_over)
{
	static const char *const ODD[] = {"{}", "[]", "{\"value\":{}}", "{\"value\":null}", "7"};
	const char *next = NULL;
	begin();
	for (size_t i = 0; i < sizeof ODD / sizeof ODD[0]; i++) {
		CLEANUP(json_decrefp) json_t *page = NULL;
		ck_assert_int_eq(json_parse(&page, str_of(ODD[i]), "page", &err), 0);
		ck_assert_int_eq(quota_feed(q, page, 0, &next, &err), -1);
		ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	}
	CLEANUP(json_decrefp) json_t *page = NULL;
	ck_assert_int_eq(json_parse(&page, STR("{\"value\":[null,7,{},{\"name\":\"cores\",\"limit\":1,\"currentValue\":1},{\"name\":{\"value\":\"cores\"},\"limit\":\"1\",\"currentValue\":1},"
		"{\"name\":{\"value\":\"cores\"},\"limit\":9223372036854775807,\"currentValue\":1},{\"name\":{\"value\":\"cores\"},\"limit\":5,\"currentValue\":-9223372036854775808},"
		"{\"name\":{\"value\":\"standardNCSv3Family\"},\"limit\":100,\"currentValue\":0}]}"), "page", &err), 0);
	ck_assert_int_eq(quota_feed(q, page, 0, &next, &err), 0);
	ck_assert_int_eq(quota_check(q, "Standard_NC6s_v3", false, "eastus", 0, &f), QUOTA_UNKNOWN); /* no counter of cores was one */
	quota_free(q);
}
END_TEST

START_TEST(counters_have_a_limit)
{
	begin();
	const char *next = NULL;
	for (int n = LIMIT_QUOTA_COUNTERS; n <= LIMIT_QUOTA_COUNTERS + 1; n++) {
		CLEANUP(json_decrefp) json_t *page = json_pack("{s:[]}", "value");
		for (int i = 0; i < n; i++) {
			CLEANUP(mem_freep) char *name = mem_printf("family%d", i);
			json_array_append_new(json_object_get(page, "value"), usage(name, 0, 1));
		}
		ck_assert_int_eq(quota_feed(q, page, 0, &next, &err), n == LIMIT_QUOTA_COUNTERS ? 0 : -1);
	}
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	CLEANUP(json_decrefp) json_t *page = json_pack("{s:[],s:s}", "value", "nextLink", "https://management.azure.com/itself");
	ck_assert(quota_due(q, QUOTA_AGE_MS));
	for (int n = 1; n <= LIMIT_QUOTA_PAGES + 1; n++)
		ck_assert_int_eq(quota_feed(q, page, QUOTA_AGE_MS, &next, &err), n <= LIMIT_QUOTA_PAGES ? 0 : -1);
	quota_free(q);
}
END_TEST

START_TEST(every_azure_machine_of_the_catalogue_has_a_family)
{
	for (size_t i = 0; i < SKU_COUNT; i++)
		if (strcmp(SKUS[i].cloud, "azure") == 0)
			ck_assert_msg(quota_family(SKUS[i].name) != NULL, "%s", SKUS[i].name);
	ck_assert_str_eq(quota_family("STANDARD_ND96ISR_H100_V5"), "standardNDSH100v5Family");
	ck_assert_ptr_null(quota_family("Standard_NCs_v3"));
	ck_assert_ptr_null(quota_family("Standard_NC6s_v3x"));
	ck_assert_ptr_null(quota_family(""));
}
END_TEST

START_TEST(the_path_is_of_the_region)
{
	struct azure_environment e = {.subscription = (char *)"0-1", .location = (char *)"east us/2"};
	CLEANUP(mem_freep) char *path = quota_path(&e);
	ck_assert_str_eq(path, "/subscriptions/0-1/providers/Microsoft.Compute/locations/east%20us%2F2/usages");
}
END_TEST

#define THREADS 4
#define ROUNDS 500
static atomic_int readers;

static void *work(void *page)
{
	atomic_fetch_add(&readers, quota_due(q, 0));
	for (int64_t now = 1; now <= ROUNDS; now++) {
		struct failure mine;
		const char *next;
		struct err e = ERR_INIT;
		if (quota_due(q, now * QUOTA_AGE_MS)) {
			ck_assert_int_eq(quota_feed(q, page, now * QUOTA_AGE_MS, &next, &e), 0);
		}
		if (quota_check(q, "Standard_NC6s_v3", false, "eastus", now * QUOTA_AGE_MS, &mine) == QUOTA_SHORT)
			ck_assert(strncmp(mine.message, "SubscriptionQuotaReached: ", 26) == 0);
		quota_take(q, "Standard_NC6s_v3", false);
	}
	return NULL;
}

START_TEST(threads_share_one_reading)
{
	begin();
	pthread_t threads[THREADS];
	CLEANUP(json_decrefp) json_t *page = json_pack("{s:[o,o]}", "value", usage("cores", 0, 100), usage("standardNCSv3Family", 0, 60));
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, page), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(atomic_load(&readers), 1); /* of the first round, which none ended */
	quota_free(q);
}
END_TEST

int main(void)
{
	CHECK_RUN("quota", 20, a_shortage_is_told_as_azure_would, family_then_region_then_enough, spot_has_a_counter_of_its_own, what_is_not_known_is_no_obstacle,
		  what_was_asked_for_counts_until_the_next_reading, counters_are_read_when_due_by_one_at_a_time, a_shortage_is_looked_at_again_sooner,
		  pages_count_when_the_last_has_come, odd_pages_are_refused_and_odd_counters_passed_over, counters_have_a_limit,
		  every_azure_machine_of_the_catalogue_has_a_family, the_path_is_of_the_region, threads_share_one_reading);
}
