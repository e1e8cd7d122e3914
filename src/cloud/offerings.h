/* offerings.h: what was found to be unavailable for a while (instance type, zone, capacity type), so that the next claim tries the next
 * offering instead of spending a request on a known refusal. Kept in memory: a restart only costs one more try. Guarded by its own mutex. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offerings;
struct offerings *offerings_new(void);
void offerings_free(struct offerings *o);
/* instance_type "Standard_NC24ads_A100_v4" or a family prefixed "family:"; "" for any, as of zone and capacity_type. The longest cool-down
 * wins. */
void offerings_block(struct offerings *o, const char *instance_type, const char *zone, const char *capacity_type, int64_t for_s, const char *reason);
/* What the cloud said with a reason last, code first, for other claims that meet the block. */
void offerings_tell(struct offerings *o, const char *reason, const char *message);
void offerings_told(struct offerings *o, const char *reason, char *out, size_t size); /* "" when nothing was said; whole UTF-8 characters */
/* Whether the offering is blocked now, by an entry of itself, of any zone, or of its family. reason (may be NULL) gets why, ends_s when. */
bool offerings_blocked(struct offerings *o, const char *instance_type, const char *family, const char *zone, const char *capacity_type,
		       char reason[65], int64_t *ends_s);
