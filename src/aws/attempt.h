/* attempt.h: what this process remembers of a claim between two steps besides its memo (cloud/claim_slots.h). */
#pragma once
#include "cloud/cloud.h"

struct attempt {
	bool sent;                  /* the memo's request was sent by this process, and its outcome is not in a stored memo */
	bool tell;                  /* the last refusal has not been told by an event yet */
	int64_t sent_ms;            /* when it was sent last (clock_now_ms) */
	int64_t search_ms;          /* the request cannot be sent again: a list from then on tells what came of it; 0: it can */
	int64_t look_ms;            /* a list from before says nothing about the claim's instance */
	int64_t ended_ms;           /* when TerminateInstances was accepted last */
	int failures;               /* refusals in a row */
	bool insufficient;          /* of the last refusal */
	int64_t hold_ms;            /* no request before this */
	char reason[CLOUD_REASON_MAX + 1], message[CLOUD_MESSAGE_MAX + 1]; /* of the last refusal, "" none */
};
