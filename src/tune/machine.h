/* machine.h: memory and CPU load of this machine (or of its cgroup), for memory plans and for upstream's metrics JSON. */
#pragma once
#include <jansson.h>
#include <pthread.h>
#include <stdint.h>

int64_t machine_resident_bytes(void);
/* Memory that this process may use at most: the machine's, or its cgroup's limit. The same on every run, whatever else is running. */
int64_t machine_memory_bytes(void);

/* CPU time seen at the last question, so that the next one gives the load since. Guarded by `mu`. */
struct machine_load { pthread_mutex_t mu; uint64_t busy, total; };
void machine_load_init(struct machine_load *l);
void machine_load_done(struct machine_load *l);
/* {"cpu_info": {load_percentage, physical_cores, total_cores, memory: {used, total}}}: new reference. */
json_t *machine_info(struct machine_load *l);
