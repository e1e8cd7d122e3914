/* leader.h: leader election on a Lease (lease 15 s, renew deadline 10 s, retry 2 s, as client-go). */
#pragma once
#include "kube/client.h"

struct leader_options {
	const char *namespace_, *name;   /* of the Lease, "ef60f9b0.io" */
	const char *identity;            /* NULL: host name and a random part */
	int64_t lease_s, renew_s, retry_s; /* 0: the defaults above */
	const atomic_bool *cancel;       /* ends the wait for the lease */
	/* Kept up to date: until when this process leads unless it renews (clock_now_ms; a moment long past once the lease is lost). Clients
	 * with the same until_ms (http/client.h, kube/client.h) change nothing from then on. NULL: nobody asks. */
	atomic_int_fast64_t *until_ms;
};
struct leader;
struct leader *leader_new(struct kube_client *client, const struct leader_options *options);
/* Blocks until this process leads (0) or cancel (ERR_CANCELLED). Then a thread renews. */
WARN_UNUSED int leader_acquire(struct leader *l, struct err *err);
/* true until renewal failed past its deadline; then it never is again and the process should exit. */
bool leader_holds(struct leader *l);
/* Releases the Lease when held, so that the next one need not wait; two seconds at most, then it runs out by itself. */
void leader_free(struct leader *l);
