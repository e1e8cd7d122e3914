/* sim_errors.c: refusals in the shapes that ARM and the AKS front end answer with: {"error":{…}}, the bare object of AKS, an empty body, a
 * proxy's HTML page; the header x-ms-error-code besides. */
#include "simulate/sim.h"

#include "codec/json.h"
#include <stdarg.h>
#include <stdio.h>

/* Names from a request stand in messages: what is no UTF-8 could not be printed as JSON. */
static void clean(char *text)
{
	size_t bad;
	while (!str_is_utf8(str_of(text), &bad))
		text[bad] = '?';
}

void sim_errors_set(struct sim_failure *f, int status, const char *code, const char *fmt, ...)
{
	va_list ap;
	f->status = status;
	snprintf(f->code, sizeof f->code, "%s", code);
	va_start(ap, fmt);
	vsnprintf(f->message, sizeof f->message, fmt, ap);
	va_end(ap);
	clean(f->message);
}

static void reply_arm(struct sim_reply *r, const struct sim_failure *f)
{
	json_t *e = json_pack("{s:s, s:s}", "code", f->code, "message", f->message);
	if (f->details)
		json_object_set(e, "details", f->details);
	sim_reply_json(r, f->status, json_pack("{s:o}", "error", e));
}

static void reply_bare(struct sim_reply *r, const struct sim_failure *f)
{
	json_t *details = f->details ? json_incref(f->details) : json_null();
	sim_reply_json(r, f->status, json_pack("{s:s, s:o, s:s, s:s}", "code", f->code, "details", details, "message", f->message, "subcode", ""));
}

static void reply_empty(struct sim_reply *r, const struct sim_failure *f)
{
	buf_clear(&r->body);
	r->status = f->status;
	r->type = NULL;
}

static void reply_html(struct sim_reply *r, const struct sim_failure *f)
{
	buf_clear(&r->body);
	buf_printf(&r->body, "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<h2>Our services aren't available right now</h2>\r\n</body>\r\n</html>\r\n",
		   f->status, f->code);
	r->status = f->status;
	r->type = "text/html; charset=utf-8";
}

/* To add a shape: a row here and its word in sim_settings.c. */
static const struct { const char *name; void (*reply)(struct sim_reply *r, const struct sim_failure *f); } SHAPES[] = {
	{"arm", reply_arm},
	{"bare", reply_bare},
	{"empty", reply_empty},
	{"html", reply_html},
};

void sim_errors_reply(struct simulator *s, struct sim_reply *r, const struct sim_failure *f)
{
	for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
		if (strcmp(SHAPES[i].name, s->settings.error_shape) == 0)
			SHAPES[i].reply(r, f);
	if (s->settings.error_header)
		sim_reply_header(r, "x-ms-error-code", "%s", f->code);
	s->calls.throttled += f->status == 429;
	s->calls.conflicts += f->status == 409 || f->status == 412;
}

void sim_errors_answer(struct simulator *s, struct sim_reply *r, int status, const char *code, const char *fmt, ...)
{
	struct sim_failure f = {0};
	va_list ap;
	sim_errors_set(&f, status, code, "%s", "");
	va_start(ap, fmt);
	vsnprintf(f.message, sizeof f.message, fmt, ap);
	va_end(ap);
	clean(f.message);
	sim_errors_reply(s, r, &f);
}
