/* failure.h: why a workload is not ready, from its pods. First match in the documented order (condition reasons of 3.8), messages at
 * most 256 bytes. A termination message of the pod contract (contract/termination.h) is preferred: its kind gives the reason. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct failure { char reason[64]; char message[257]; bool final; /* trying again cannot help: bad data, bad configuration */ };
/* pods: array. false: nothing wrong found. */
bool failure_of_pods(const json_t *pods, struct failure *out);
