/* daemon.h: what the long-running commands share: signals, the log, and an allocator set for many small, short-lived trees. */
#pragma once
#include "base/err.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool daemon_stop;     /* true after SIGTERM or SIGINT */
void daemon_catch_signals(void);    /* SIGPIPE is ignored */
/* Instead, where the main thread only waits: *set is SIGTERM and SIGINT, blocked. Before any other thread: they inherit it. */
void daemon_block_signals(sigset_t *set);
int daemon_wait(const sigset_t *set); /* for one of them; which. A second one ends the process at once */
/* level: debug, info, warn, error, panic; flag: the option's name for the message. */
WARN_UNUSED int daemon_setup_log(const char *flag, const char *level, bool json, struct err *err);
void daemon_tune_memory(void);
