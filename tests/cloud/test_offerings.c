/* Cooled-down offerings: what one entry covers, that the longest counts, and that they end. */
#include "check_main.h"

#include "base/clock.h"
#include "base/limits.h"
#include "cloud/offerings.h"

static bool blocked(struct offerings *o, const char *type, const char *family, const char *zone, const char *capacity)
{
	return offerings_blocked(o, type, family, zone, capacity, NULL, NULL);
}

START_TEST(an_entry_covers_its_zone_capacity_type_and_no_more)
{
	struct offerings *o = offerings_new();
	offerings_block(o, "Standard_A", "1", "spot", 60, "r");
	ck_assert(blocked(o, "standard_a", "F", "1", "spot"));
	ck_assert(!blocked(o, "Standard_A", "F", "2", "spot"));
	ck_assert(!blocked(o, "Standard_A", "F", "1", "on-demand"));
	ck_assert(!blocked(o, "Standard_B", "F", "1", "spot"));
	ck_assert(!blocked(o, "Standard_A", "F", "", "spot")); /* the cloud may choose another zone */
	offerings_free(o);
}
END_TEST

START_TEST(empty_means_any)
{
	struct offerings *o = offerings_new();
	offerings_block(o, "Standard_A", "", "", 60, "r");
	ck_assert(blocked(o, "Standard_A", "F", "3", "spot"));
	ck_assert(blocked(o, "Standard_A", "F", "", "on-demand"));
	offerings_block(o, "", "", "spot", 60, "r");
	ck_assert(blocked(o, "Standard_B", "F", "3", "spot") && !blocked(o, "Standard_B", "F", "3", "on-demand"));
	offerings_free(o);
}
END_TEST

START_TEST(a_family_covers_its_members)
{
	struct offerings *o = offerings_new();
	offerings_block(o, "family:NCADSA100v4", "", "on-demand", 60, "SubscriptionQuotaReached");
	ck_assert(blocked(o, "Standard_NC24ads_A100_v4", "ncadsa100v4", "1", "on-demand"));
	ck_assert(!blocked(o, "Standard_NC24ads_A100_v4", "NCADSA100v4", "1", "spot"));
	ck_assert(!blocked(o, "Standard_NC6s_v3", "NCSv3", "1", "on-demand"));
	ck_assert(!blocked(o, "Standard_NC6s_v3", "", "1", "on-demand"));
	offerings_free(o);
}
END_TEST

START_TEST(the_longest_cool_down_wins)
{
	struct offerings *o = offerings_new();
	char reason[65];
	int64_t ends = 0;
	offerings_block(o, "Standard_A", "1", "spot", 1000, "long");
	offerings_block(o, "Standard_A", "1", "spot", 10, "shorter");
	offerings_block(o, "Standard_A", "", "", 20, "other");
	ck_assert(offerings_blocked(o, "Standard_A", "", "1", "spot", reason, &ends));
	ck_assert_str_eq(reason, "long");
	ck_assert_int_ge(ends, clock_wall_s() + 990);
	ck_assert_int_le(ends, clock_wall_s() + 1001);
	offerings_free(o);
}
END_TEST

START_TEST(entries_end)
{
	struct offerings *o = offerings_new();
	offerings_block(o, "Standard_A", "", "", 0, "r");
	ck_assert(!blocked(o, "Standard_A", "", "", "spot"));
	offerings_free(o);
}
END_TEST

START_TEST(past_the_ceiling_the_first_to_end_makes_room)
{
	struct offerings *o = offerings_new();
	char type[32];
	for (int i = 0; i <= LIMIT_COOLED_OFFERINGS; i++) {
		snprintf(type, sizeof type, "Standard_%d", i);
		offerings_block(o, type, "", "", 100 + i, "r");
	}
	ck_assert(!blocked(o, "Standard_0", "", "", "spot"));
	ck_assert(blocked(o, "Standard_1", "", "", "spot"));
	ck_assert(blocked(o, type, "", "", "spot"));
	offerings_free(o);
}
END_TEST

START_TEST(what_was_said_is_kept_by_reason)
{
	struct offerings *o = offerings_new();
	char told[12] = "x";
	offerings_told(o, "Quota", told, sizeof told);
	ck_assert_str_eq(told, "");
	offerings_tell(o, "Quota", "first");
	offerings_tell(o, "Quota", "0123456789\xc3\xa9"); /* the last byte that fits would split a character */
	offerings_told(o, "Quota", told, sizeof told);
	ck_assert_str_eq(told, "0123456789");
	offerings_told(o, "Other", told, sizeof told);
	ck_assert_str_eq(told, "");
	offerings_free(o);
}
END_TEST

int main(void)
{
	CHECK_RUN("offerings", 20, an_entry_covers_its_zone_capacity_type_and_no_more, empty_means_any, a_family_covers_its_members,
		  the_longest_cool_down_wins, entries_end, past_the_ceiling_the_first_to_end_makes_room, what_was_said_is_kept_by_reason);
}
