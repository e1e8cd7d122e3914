/* arm_challenge.h: the claims challenge in a WWW-Authenticate header (continuous access evaluation): why a token that has not expired is
 * refused, and what a new one must be asked for with. */
#pragma once
#include "base/str.h"

/* The claims of the first Bearer challenge that has any, decoded: the text of a JSON object. NULL: none, or none that can be read. Caller frees. */
char *arm_challenge_claims(str header);
