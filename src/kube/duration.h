/* duration.h: Go's durations as flags and API fields write them: "4h", "1h30m", "1.5s", "100ms", "-5s", "0". */
#pragma once
#include <stdbool.h>

bool duration_parse(const char *text, double *seconds);
