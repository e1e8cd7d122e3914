/* challenge.h: the WWW-Authenticate header of a registry (RFC 9110 section 11.6.1), as far as the Bearer and Basic
 * schemes need it. When several challenges are offered, Bearer is taken before Basic. */
#pragma once
#include "base/str.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge { enum challenge_scheme scheme; char *realm, *service, *scope; }; /* strings may be NULL */

/* Any text is accepted: what cannot be understood gives CHALLENGE_NONE. challenge_done is the caller's. */
void challenge_parse(str header, struct challenge *out);
void challenge_done(struct challenge *c);
