/* log.c: formats a line into one buffer and writes it with one write(2), so lines never interleave. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include <stdio.h>
#include <unistd.h>

static enum log_level lowest = LOG_INFO; /* set once at start-up, before threads */
static int as_json;
static const char *const NAMES[] = {"debug", "info", "warning", "error"};

void log_setup(enum log_level level, int json)
{
	lowest = level;
	as_json = json;
}

static void put_json_text(struct buf *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else if (*p < 0x20)
			buf_printf(out, "\\u%04x", *p);
		else
			buf_putc(out, (char)*p);
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	if (level < lowest)
		return;
	char text[2048], stamp[32];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	clock_rfc3339(clock_wall_s(), stamp);
	struct buf out = {0};
	if (as_json) {
		buf_printf(&out, "{\"ts\":\"%s\",\"level\":\"%s\",\"msg\":\"", stamp, NAMES[level]);
		put_json_text(&out, text);
		buf_puts(&out, "\"}\n");
	} else {
		buf_printf(&out, "%s %s %s\n", stamp, NAMES[level], text);
	}
	if (write(STDERR_FILENO, out.data, out.len) < 0) {
		/* nowhere left to report to */
	}
	buf_done(&out);
}
