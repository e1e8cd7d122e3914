/* clock.h: monotonic and wall time; deadlines. Units are in the names. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

int64_t clock_now_ns(void);                /* CLOCK_MONOTONIC */
static inline int64_t clock_now_ms(void) { return clock_now_ns() / 1000000; }
int64_t clock_wall_s(void);                /* Unix time */
void clock_sleep_ms(int64_t ms);
/* "2026-11-24T08:00:00Z" into out (at least 21 bytes). */
void clock_rfc3339(int64_t unix_s, char out[32]);
int64_t clock_of_rfc3339(const char *text); /* with Z or an offset, fractions dropped; -1: no such time */
