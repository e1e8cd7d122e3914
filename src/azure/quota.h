/* quota.h: whether the subscription's vCPUs in the region suffice for one more node, known before the PUT is sent. What Azure answered
 * (Microsoft.Compute usages, some 150 counters) is kept for five minutes; what was asked for since is counted on top. Whoever finds it due
 * reads it (arm_send of quota_path, then of each nextLink) and feeds the pages; nothing here sends a request. It only ever spares a PUT that
 * would fail: what is not known is no obstacle. Guarded by its own mutex. */
#pragma once
#include "azure/environment.h"
#include "azure/taxonomy.h"

#define QUOTA_API_VERSION "2023-07-01"
#define QUOTA_AGE_MS 300000       /* counters are used this long */
#define QUOTA_SHORT_AGE_MS 30000  /* a shortage is looked at again sooner: somebody may have freed or raised something */
#define QUOTA_READING_MS 60000    /* one reading at a time; one that never ends counts as failed after this */

struct quota;
struct quota *quota_new(void);
void quota_free(struct quota *q);
/* "/subscriptions/…/providers/Microsoft.Compute/locations/eastus/usages"; caller frees. */
char *quota_path(const struct azure_environment *e);
/* Whether the counters should be read now; then the caller has undertaken to do so: others get false meanwhile. */
bool quota_due(struct quota *q, int64_t now_ms);
/* One page of the answer. *next is its nextLink (borrowed) or NULL: the last page, from which on the counters count. ERR_PROTOCOL for what is no
 * page, ERR_LIMIT past LIMIT_QUOTA_COUNTERS and LIMIT_QUOTA_PAGES; then, as when a request fails, call quota_failed. */
WARN_UNUSED int quota_feed(struct quota *q, const json_t *page, int64_t now_ms, const char **next, struct err *err);
/* The reading came to nothing: the old counters serve on to their age, and it is due again after QUOTA_READING_MS. */
void quota_failed(struct quota *q, int64_t now_ms);

enum quota_verdict { QUOTA_UNKNOWN /* no counters, or of an unknown machine or family */, QUOTA_ENOUGH, QUOTA_SHORT };
/* SHORT fills *out as taxonomy_classify would for ARM's own refusal: "SubscriptionQuotaReached: standardNCSv3Family needs 6 vCPUs, 0 of 0 left in
 * eastus; request …". location is for that text. */
enum quota_verdict quota_check(struct quota *q, const char *instance_type, bool spot, const char *location, int64_t now_ms, struct failure *out);
/* A node of that type has been asked for: its vCPUs are taken until the next reading shows them. */
void quota_take(struct quota *q, const char *instance_type, bool spot);

/* Counter of the instance type's family ("standardNCSv3Family", without the blanks that some have), any case; NULL: unknown. Also the name of
 * the family for offerings.h. */
const char *quota_family(const char *instance_type);
