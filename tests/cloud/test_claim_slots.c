/* One thread at a time holds what is remembered of a claim, and it lasts until the claim ends. */
#include "check_main.h"

#include "cloud/claim_slots.h"
#include <pthread.h>
#include <sched.h>

struct remembered { long steps; };

START_TEST(a_slot_is_held_once_and_remembered_until_the_end)
{
	struct claim_slots *slots = claim_slots_new(sizeof(struct remembered));
	struct remembered *r = claim_slots_take(slots, "u1"), *other = claim_slots_take(slots, "u2");
	ck_assert_int_eq(r->steps, 0);
	ck_assert_ptr_nonnull(other);
	ck_assert_ptr_null(claim_slots_take(slots, "u1"));
	r->steps = 3;
	claim_slots_give(slots, "u1", false);
	r = claim_slots_take(slots, "u1");
	ck_assert_int_eq(r->steps, 3);
	claim_slots_give(slots, "u1", true);
	r = claim_slots_take(slots, "u1");
	ck_assert_int_eq(r->steps, 0);
	claim_slots_give(slots, "unknown", true);
	claim_slots_free(slots);
	claim_slots_free(NULL);
}
END_TEST

static void *step(void *context)
{
	for (int done = 0; done < 200;) {
		struct remembered *r = claim_slots_take(context, "u1");
		if (!r) {
			sched_yield();
			continue;
		}
		r->steps++; /* unguarded: the slot is ours */
		claim_slots_give(context, "u1", false);
		done++;
	}
	return NULL;
}

START_TEST(threads_take_turns)
{
	pthread_t threads[4];
	struct claim_slots *slots = claim_slots_new(sizeof(struct remembered));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, step, slots), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	const struct remembered *r = claim_slots_take(slots, "u1");
	ck_assert_int_eq(r->steps, 800);
	claim_slots_free(slots);
}
END_TEST

int main(void)
{
	CHECK_RUN("claim_slots", 30, a_slot_is_held_once_and_remembered_until_the_end, threads_take_turns);
}
