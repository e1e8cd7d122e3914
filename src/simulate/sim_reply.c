/* sim_reply.c: an answer as a value: status, headers, body. It is built under the simulator's mutex and sent without it. */
#include "simulate/sim.h"

#include "codec/json.h"
#include <stdarg.h>
#include <stdio.h>

void sim_reply_header(struct sim_reply *r, const char *name, const char *fmt, ...)
{
	va_list ap;
	if (r->n_headers == sizeof r->headers / sizeof r->headers[0])
		return;
	char *value = NULL;
	va_start(ap, fmt);
	int len = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	snprintf(r->headers[r->n_headers].name, sizeof r->headers[0].name, "%s", name);
	r->headers[r->n_headers++].value = value;
}

void sim_reply_json(struct sim_reply *r, int status, json_t *value)
{
	buf_clear(&r->body);
	json_print(value, JSON_PRINT_COMPACT, &r->body);
	json_decref(value);
	r->status = status;
	r->type = "application/json; charset=utf-8";
}

void sim_reply_done(struct sim_reply *r)
{
	for (size_t i = 0; i < r->n_headers; i++)
		free(r->headers[i].value);
	buf_done(&r->body);
}
