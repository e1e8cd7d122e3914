/* field_report.c: the text side of field.h: collected errors as one message or many lines, and the reference page. */
#include "codec/field.h"

static void put_error(struct buf *out, const struct field_error *e, const char *name)
{
	buf_printf(out, "'%s'", name);
	if (e->line)
		buf_printf(out, " line %u", e->line);
	buf_printf(out, ": %s: %s", e->path, e->why);
}

int field_report_check(const struct field_report *report, const char *name, struct err *err)
{
	if (report->n_errors == 0)
		return 0;
	CLEANUP(buf_done) struct buf text = {0};
	size_t more = report->n_errors - 1 + report->n_dropped;
	put_error(&text, &report->errors[0], name);
	if (more)
		buf_printf(&text, " (and %zu more)", more);
	return err_set(err, ERR_CONFIG, "%s", text.data);
}

void field_report_print(const struct field_report *report, const char *name, struct buf *out)
{
	for (size_t i = 0; i < report->n_errors; i++) {
		put_error(out, &report->errors[i], name);
		buf_putc(out, '\n');
	}
	if (report->n_dropped)
		buf_printf(out, "and %zu more\n", report->n_dropped);
}

void field_report_done(struct field_report *report)
{
	arena_done(&report->arena);
	*report = (struct field_report){0};
}

static void put_type(const struct field *f, struct buf *out)
{
	static const char *const NAMES[] = {
		[FIELD_BOOL] = "bool", [FIELD_OPT_BOOL] = "bool", [FIELD_INT] = "int", [FIELD_NUMBER] = "number", [FIELD_STRING] = "string",
		[FIELD_STRINGS] = "string or list", [FIELD_OBJECT] = "mapping", [FIELD_ANY] = "any",
	};
	buf_puts(out, NAMES[f->type]);
	if (f->min < f->max && f->max >= 1e300)
		buf_printf(out, ", at least %g", f->min);
	else if (f->min < f->max)
		buf_printf(out, ", %g to %g", f->min, f->max);
	for (const char *const *c = f->choices; c && *c; c++)
		buf_printf(out, "%s`%s`", c == f->choices ? ": " : ", ", *c);
}

void field_print_page(const struct field_section *sections, size_t n, struct buf *out)
{
	static const char *const USES[] = {[FIELD_USED] = "", [FIELD_NOT_HERE] = "*(no effect here)* ", [FIELD_REFUSED] = "*(not supported)* "};
	for (size_t s = 0; s < n; s++) {
		buf_printf(out, "\n## %s\n\n%s\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n", sections[s].name, sections[s].help);
		for (size_t i = 0; i < sections[s].n; i++) {
			const struct field *f = &sections[s].rows[i];
			buf_printf(out, "| `%s` | ", f->name);
			put_type(f, out);
			buf_printf(out, " | %s%s%s | %s%s |\n", f->fallback ? "`" : "", f->fallback ? f->fallback : "", f->fallback ? "`" : "",
				   USES[f->use], f->help);
		}
	}
}
