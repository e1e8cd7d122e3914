/* loss_curve.c: history_draw: training loss as a line, evaluation loss as a dotted one, axes with round numbers. */
#include "tune/history.h"

#include <math.h>

enum { WIDTH = 760, HEIGHT = 420, LEFT = 64, RIGHT = 24, TOP = 40, BOTTOM = 48, TICKS = 5 };

struct frame { double x_max, y_min, y_max; };

static double x_of(const struct frame *f, double step) { return LEFT + step / f->x_max * (WIDTH - LEFT - RIGHT); }
static double y_of(const struct frame *f, double loss) { return TOP + (f->y_max - loss) / (f->y_max - f->y_min) * (HEIGHT - TOP - BOTTOM); }

static const json_t *number(const json_t *entry, const char *key)
{
	const json_t *v = json_object_get(entry, key);
	return json_is_number(v) && isfinite(json_number_value(v)) ? v : NULL;
}

/* The largest of 1, 2, 5 times a power of ten that gives at least TICKS - 1 steps over the range. */
static double round_step(double range)
{
	double power = pow(10, floor(log10(range)));
	while (range / power < TICKS - 1) {
		if (range / (power / 2) >= TICKS - 1)
			return power / 2;
		if (range / (power / 5) >= TICKS - 1)
			return power / 5;
		power /= 10;
	}
	return power;
}

static struct frame measure(const json_t *log)
{
	struct frame f = {1, INFINITY, -INFINITY};
	for (size_t i = 0; i < json_array_size(log); i++) {
		const json_t *entry = json_array_get(log, i), *step = number(entry, "step");
		static const char *const KEYS[] = {"loss", "eval_loss"};
		for (int k = 0; k < 2; k++) {
			const json_t *v = number(entry, KEYS[k]);
			if (!v || !step)
				continue;
			f.y_min = fmin(f.y_min, json_number_value(v));
			f.y_max = fmax(f.y_max, json_number_value(v));
			f.x_max = fmax(f.x_max, json_number_value(step));
		}
	}
	if (!(f.y_min <= f.y_max))
		f.y_min = f.y_max = 0;
	double margin = fmax((f.y_max - f.y_min) * 0.06, fmax(fabs(f.y_max) * 1e-3, 1e-3));
	f.y_min -= margin;
	f.y_max += margin;
	return f;
}

static void draw_axes(const struct frame *f, struct buf *out)
{
	double step = round_step(f->y_max - f->y_min);
	for (double y = ceil(f->y_min / step) * step; y <= f->y_max; y += step)
		buf_printf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n", LEFT, y_of(f, y),
			   WIDTH - RIGHT, LEFT - 8, y_of(f, y) + 4, fabs(y) < step / 1e6 ? 0.0 : y);
	step = fmax(1, round_step(f->x_max));
	for (double x = 0; x <= f->x_max; x += step)
		buf_printf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.7g</text>\n", x_of(f, x), TOP,
			   HEIGHT - BOTTOM, x_of(f, x), HEIGHT - BOTTOM + 18, x);
	buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
}

/* The line of one key, and its last value for the legend (NaN: no points). */
static double draw_line(const json_t *log, const char *key, const struct frame *f, struct buf *out)
{
	double last = NAN;
	for (size_t i = 0; i < json_array_size(log); i++) {
		const json_t *entry = json_array_get(log, i), *v = number(entry, key), *step = number(entry, "step");
		if (!v || !step)
			continue;
		if (isnan(last))
			buf_printf(out, "<path class=\"%s\" d=\"M", key);
		buf_printf(out, "%.1f %.1f ", x_of(f, json_number_value(step)), y_of(f, json_number_value(v)));
		last = json_number_value(v);
	}
	if (!isnan(last))
		buf_puts(out, "\"/>\n");
	return last;
}

void history_draw(const json_t *log, struct buf *out)
{
	struct frame f = measure(log);
	buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
			"<style>text{fill:#444}.grid{stroke:#ddd}.loss,.eval_loss{fill:none;stroke-width:2;stroke-linejoin:round}"
			".loss{stroke:#1f6feb}.eval_loss{stroke:#d9480f;stroke-dasharray:6 3}</style>\n"
			"<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
	draw_axes(&f, out);
	double loss = draw_line(log, "loss", &f, out), eval_loss = draw_line(log, "eval_loss", &f, out);
	if (!isnan(loss))
		buf_printf(out, "<path class=\"loss\" d=\"M%d 22h24\"/><text x=\"%d\" y=\"26\">loss, last %.4f</text>\n", LEFT, LEFT + 30, loss);
	if (!isnan(eval_loss))
		buf_printf(out, "<path class=\"eval_loss\" d=\"M%d 22h24\"/><text x=\"%d\" y=\"26\">eval_loss, last %.4f (perplexity %.4g)</text>\n", LEFT + 190,
			   LEFT + 220, eval_loss, exp(eval_loss));
	buf_puts(out, "</svg>\n");
}
