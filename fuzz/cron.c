/* Maintenance windows: what is accepted as a schedule names minutes that exist, and asking for them ends. */
#include "base/mem.h"
#include "control/cron.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_freep) char *text = mem_strndup((const char *)data, size);
	struct cron c;
	struct err err = ERR_INIT;
	if (cron_parse(&c, text, &err) < 0)
		return 0;
	if (c.minutes >> 60 || c.hours >> 24 || c.days >> 32 || c.months >> 13 || c.weekdays >> 7)
		abort();
	(void)cron_window_open(&c, 3600, 1795507200);
	return 0;
}
