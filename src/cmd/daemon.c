/* daemon.c: see daemon.h. */
#include "cmd/daemon.h"

#include "base/log.h"
#include "codec/json_pool.h"
#include <malloc.h>
#include <pthread.h>
#include <string.h>

atomic_bool daemon_stop;

static void on_signal(int signo)
{
	(void)signo;
	atomic_store(&daemon_stop, true);
}

void daemon_catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void daemon_block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int daemon_wait(const sigset_t *set)
{
	int number = 0;
	sigwait(set, &number);
	pthread_sigmask(SIG_UNBLOCK, set, NULL);
	return number;
}

int daemon_setup_log(const char *flag, const char *level, bool json, struct err *err)
{
	static const struct { const char *name; enum log_level level; } LEVELS[] = {
		{"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARNING}, {"warning", LOG_WARNING}, {"error", LOG_ERROR}, {"panic", LOG_ERROR},
	};
	for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
		if (strcmp(level, LEVELS[i].name) == 0) {
			log_setup(LEVELS[i].level, json);
			return 0;
		}
	return err_set(err, ERR_USAGE, "unknown --%s '%s'; use debug, info, warn or error", flag, level);
}

/* A controller is many small, short-lived trees: one heap for all threads keeps it small, and freed memory goes back. */
void daemon_tune_memory(void)
{
	json_pool_use();
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MXFAST, 0); /* every large request would merge all fast chunks, which the next small ones split again */
	mallopt(M_TRIM_THRESHOLD, 512 << 10);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
}
