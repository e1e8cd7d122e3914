/* transfer.h: what `pull` and `push` share: flags, progress for people, and stopping on a signal. */
#pragma once
#include "cmd/flags.h"
#include "hub/hub.h"
#include "oci/oci.h"

struct transfer {
	bool allow_private, plain_http;
	int64_t parallel;
	const char *store;
	struct oci_options oci;   /* filled by transfer_begin */
	struct hub_options hub;
};
/* The rows that both commands have; `t` is the struct above. */
#define TRANSFER_FLAGS(t) \
	{"store", "DIR", FLAG_STRING, &(t).store, "local image store (KAITO_STORE, else ~/.local/share/kaito/images)"}, \
	{"parallel", "N", FLAG_INT, &(t).parallel, "files moved at once (4)", .min = 1, .max = 64}, \
	{"allow-private", NULL, FLAG_BOOL, &(t).allow_private, "also connect to private and loopback addresses"}, \
	{"plain-http", NULL, FLAG_BOOL, &(t).plain_http, "speak http, not https, to the registry (loopback needs no flag)"}, \
	{"insecure-registry", NULL, FLAG_BOOL, &(t).plain_http, "the same as --plain-http"}

/* From the flags to options; SIGINT and SIGTERM then stop transfers, which clean up. */
void transfer_begin(struct transfer *t);
/* End the progress line on a terminal. */
void transfer_end(void);
