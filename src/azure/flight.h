/* flight.h: what this process remembers of a claim between two steps besides its memo (cloud/claim_slots.h): tries, waits, the last refusal. */
#pragma once
#include "cloud/cloud.h"

struct flight {
	bool put_unsure;            /* a PUT was sent and its effect is not in a stored memo: look before the next */
	bool ending;                /* the claim is being deleted */
	bool looked;                /* what another process left behind was looked for */
	bool abort_sent;
	bool while_made;            /* its deletion was refused while it was being made: then the end of that is waited for */
	bool alone;                 /* its machine is not deleted together with others */
	bool tell;                  /* the last refusal has not been told by an event yet */
	int64_t look_ms;            /* what was known before this says nothing (clock_now_ms) */
	int64_t poll_ms;            /* when the operation was asked last */
	int64_t wait_ms;            /* no request of this claim before this */
	int attempts;               /* requests without a clear answer, in a row */
	int failures;               /* refusals in a row */
	uint64_t refused;           /* hash of the request that ARM called wrong */
	bool insufficient;          /* of the last refusal */
	int64_t hold_ms;            /* after the last refusal: no PUT before this; INT64_MAX: never the same request */
	char reason[CLOUD_REASON_MAX + 1], message[CLOUD_MESSAGE_MAX + 1]; /* of the last refusal, "" none */
};
