/* leader.h: leader election on a Lease (lease 15 s, renew deadline 10 s, retry 2 s, as client-go). */
#pragma once
#include "kube/client.h"

struct leader_options {
	const char *namespace_, *name;   /* of the Lease, "ef60f9b0.io" */
	const char *identity;            /* NULL: host name and a random part */
	int64_t lease_s, renew_s, retry_s; /* 0: the defaults above */
	const atomic_bool *cancel;
};
struct leader;
struct leader *leader_new(struct kube_client *client, const struct leader_options *options);
/* Blocks until this process leads (0) or cancel (ERR_CANCELLED). Then a thread renews. */
WARN_UNUSED int leader_acquire(struct leader *l, struct err *err);
/* true until renewal failed past its deadline; then it never is again and the process should exit. */
bool leader_holds(struct leader *l);
void leader_free(struct leader *l); /* releases the Lease when held, so that the next one need not wait */
