/* progress.c: see progress.h. */
#include "tune/progress.h"

#include "base/clock.h"
#include <math.h>
#include <stdarg.h>
#include <unistd.h>

enum { BAR_WIDTH = 28, REDRAW_MS = 100 };

void progress_init(struct progress *p, FILE *out, bool wanted)
{
	*p = (struct progress){.out = out, .bar = wanted && isatty(fileno(out)) == 1};
}

void progress_duration(double seconds, char out[24])
{
	if (!isfinite(seconds) || seconds < 0 || seconds > 1e8) {
		snprintf(out, 24, "?");
		return;
	}
	int64_t s = (int64_t)(seconds + 0.5);
	if (s >= 3600)
		snprintf(out, 24, "%lldh%02lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
	else if (s >= 60)
		snprintf(out, 24, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(out, 24, "%llds", (long long)s);
}

static void draw(struct progress *p, const struct progress_step *s)
{
	char eta[24];
	int filled = (int)((double)BAR_WIDTH * (double)s->step / (double)s->total);
	progress_duration(s->eta_seconds, eta);
	fprintf(p->out, "\r\033[K[");
	for (int i = 0; i < BAR_WIDTH; i++)
		fputs(i < filled ? "█" : "·", p->out);
	fprintf(p->out, "] %lld/%lld  loss %.4f  %.0f tok/s  eta %s", (long long)s->step, (long long)s->total, s->loss, s->tokens_per_second, eta);
	fflush(p->out);
	p->on_screen = true;
}

void progress_update(struct progress *p, const struct progress_step *s)
{
	int64_t now = clock_now_ms();
	if (!p->bar || (now - p->drawn_ms < REDRAW_MS && s->step < s->total))
		return;
	p->drawn_ms = now;
	draw(p, s);
}

void progress_log(struct progress *p, const struct progress_step *s)
{
	char eta[24];
	if (p->bar)
		return;
	progress_duration(s->eta_seconds, eta);
	fprintf(p->out, "step %lld/%lld  epoch %.2f  loss %.4f  grad_norm %.3f  lr %.3g  %.0f tok/s  eta %s\n", (long long)s->step, (long long)s->total,
		s->epoch, s->loss, s->grad_norm, s->learning_rate, s->tokens_per_second, eta);
	fflush(p->out);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	va_list ap;
	if (p->on_screen)
		fputs("\r\033[K", p->out);
	p->on_screen = false;
	va_start(ap, fmt);
	vfprintf(p->out, fmt, ap);
	va_end(ap);
	fputc('\n', p->out);
	fflush(p->out);
}

void progress_end(struct progress *p)
{
	if (p->on_screen)
		fputc('\n', p->out);
	p->on_screen = false;
}
