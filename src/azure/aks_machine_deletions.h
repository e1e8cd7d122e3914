/* aks_machine_deletions.h: machines are deleted together: those whose claims ask within half a second share one deleteMachines, as the
 * service's budget counts requests and not machines. Nobody waits for the others with a thread: a claim comes again, and the first that comes
 * when the time is over sends for all. What is collected is lost with the process and asked for again, as nothing says it was sent.
 * Guarded by its own mutex. */
#pragma once
#include "azure/agent_pool.h"
#include "azure/flight.h"
#include "azure/taxonomy.h"

struct azure;
struct aks_machine_deletions;
struct aks_machine_deletions *aks_machine_deletions_new(void);
void aks_machine_deletions_free(struct aks_machine_deletions *d);
/* Deletes one machine (in the shape of a pool) now; as azure_delete_pool. */
WARN_UNUSED int azure_delete_machine(struct azure *a, const json_t *machine, int *attempts, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err);
/* The same with others; 4: collected, come again in *wait_ms. A batch that is refused is repeated one by one (flight->alone), so that one
 * machine does not hold up a hundred. */
WARN_UNUSED int azure_delete_machine_batched(struct azure *a, const json_t *machine, struct flight *f, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err);
