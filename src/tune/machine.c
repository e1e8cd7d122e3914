/* machine.c: reads /proc and the cgroup v2 files. A file that is missing or odd counts as "unknown", never as an error. */
#include "tune/machine.h"

#include "base/fd.h"
#include <stdio.h>
#include <sys/sysinfo.h>

static bool read_text(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;
	if (f)
		fclose(f);
	out[n] = 0;
	return n > 0;
}

int64_t machine_resident_bytes(void)
{
	char text[128];
	long long size = 0, resident = 0;
	if (!read_text("/proc/self/statm", text, sizeof text) || sscanf(text, "%lld %lld", &size, &resident) != 2)
		return 0;
	return resident * sysconf(_SC_PAGESIZE);
}

int64_t machine_memory_bytes(void)
{
	static const char *const LIMITS[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
	struct sysinfo info;
	int64_t bytes = sysinfo(&info) == 0 ? (int64_t)info.totalram * (int64_t)info.mem_unit : INT64_MAX;
	for (int i = 0; i < 2; i++) {
		char text[64];
		long long limit;
		if (read_text(LIMITS[i], text, sizeof text) && sscanf(text, "%lld", &limit) == 1 && limit > 0 && limit < bytes)
			bytes = limit;
	}
	return bytes;
}

/* Value in KiB of a /proc/meminfo line. */
static int64_t meminfo(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	return p ? strtoll(p + strlen(key), NULL, 10) : 0;
}

static int physical_cores(void)
{
	char path[96], text[64];
	int cores = 0;
	/* A core counts once: at the first of its threads. */
	for (int cpu = 0; cpu < get_nprocs_conf(); cpu++) {
		snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
		int64_t first;
		if (read_text(path, text, sizeof text) && str_to_i64((str){text, strspn(text, "0123456789")}, &first) && first == cpu)
			cores++;
	}
	return cores ? cores : get_nprocs();
}

static double load_percent(struct machine_load *l)
{
	char text[512];
	unsigned long long v[8] = {0};
	if (!read_text("/proc/stat", text, sizeof text) ||
	    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) < 4)
		return 0;
	uint64_t total = 0, idle = v[3] + v[4];
	for (int i = 0; i < 8; i++)
		total += v[i];
	pthread_mutex_lock(&l->mu);
	uint64_t span = total - l->total, busy = total - idle - l->busy;
	l->total = total;
	l->busy = total - idle;
	pthread_mutex_unlock(&l->mu);
	return span ? 100.0 * (double)busy / (double)span : 0;
}

void machine_load_init(struct machine_load *l)
{
	*l = (struct machine_load){0};
	pthread_mutex_init(&l->mu, NULL);
	load_percent(l);
}

void machine_load_done(struct machine_load *l) { pthread_mutex_destroy(&l->mu); }

json_t *machine_info(struct machine_load *l)
{
	char text[4096], used[32], total[32];
	read_text("/proc/meminfo", text, sizeof text);
	int64_t all = meminfo(text, "MemTotal:"), available = meminfo(text, "MemAvailable:");
	snprintf(used, sizeof used, "%.2f GB", (double)(all - available) / (1 << 20));
	snprintf(total, sizeof total, "%.2f GB", (double)all / (1 << 20));
	return json_pack("{s:{s:f, s:i, s:i, s:{s:s, s:s}}}", "cpu_info", "load_percentage", load_percent(l), "physical_cores", physical_cores(),
			 "total_cores", get_nprocs(), "memory", "used", used, "total", total);
}
