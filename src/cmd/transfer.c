/* transfer.c: see transfer.h. On a terminal one line is rewritten; on a pipe there is one line per finished item. */
#include "cmd/transfer.h"

#include "base/clock.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_MS 100

static atomic_bool stop;      /* set by the signal handler */
static int64_t drawn_ms;      /* progress calls are serialised, so this needs no lock */
static bool line_open;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stop, true);
}

static const char *human(uint64_t bytes, char out[32])
{
	static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;
	while (value >= 1000 && unit < 4) {
		value /= 1000;
		unit++;
	}
	snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, UNITS[unit]);
	return out;
}

void transfer_end(void)
{
	if (line_open)
		fputs("\r\033[K", stderr);
	line_open = false;
}

static void draw(const char *item, const char *state, uint64_t done, uint64_t total)
{
	char a[32], b[32];
	int64_t now = clock_now_ms();
	if (now - drawn_ms < REDRAW_MS)
		return;
	drawn_ms = now;
	line_open = true;
	if (total)
		fprintf(stderr, "\r\033[K%s %.40s: %s of %s (%d%%)", state, item, human(done, a), human(total, b), (int)(done * 100 / total));
	else
		fprintf(stderr, "\r\033[K%s %.40s: %s", state, item, human(done, a));
	fflush(stderr);
}

static void on_progress(void *context, const char *item, const char *state, uint64_t done, uint64_t total)
{
	(void)context;
	char size[32];
	bool moving = strcmp(state, "pulling") == 0 || strcmp(state, "pushing") == 0;
	if (moving) {
		if (isatty(STDERR_FILENO))
			draw(item, state, done, total);
		return;
	}
	transfer_end();
	fprintf(stderr, "%s %s (%s)\n", state, item, human(total, size));
}

void transfer_begin(struct transfer *t)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error, not the end of the process */
	signal(SIGXFSZ, SIG_IGN); /* so is a file-size limit */
	t->oci = (struct oci_options){.store = t->store, .plain_http = t->plain_http, .allow_private = t->allow_private,
				      .parallel = (unsigned)t->parallel, .cancel = &stop, .progress = on_progress};
	t->hub = (struct hub_options){.allow_private = t->allow_private, .parallel = (unsigned)t->parallel, .cancel = &stop, .progress = on_progress};
}
