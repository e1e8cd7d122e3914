/* watch_reader.c: see watch_reader.h. */
#include "kube/watch_reader.h"

#include "base/limits.h"
#include "codec/json.h"
#include "kube/managed_fields.h"
#include "kube/meta.h"
#include "kube/status.h"

#define KEPT_BYTES 16384 /* of the line buffer between events */

static int take_event(struct watch_reader *r, const json_t *event, struct err *err)
{
	const char *type = json_text_at(event, "", "type", NULL);
	json_t *object = json_object_get(event, "object");
	if (!type[0] || !json_is_object(object))
		return err_set(err, ERR_PROTOCOL, "a watch sent a line that is not an event");
	if (strcmp(type, "ERROR") == 0)
		return kube_status_error((int)json_int_at(object, 500, "code", NULL), object, err);
	r->on_event(r->context, type, object);
	return 0;
}

static int take_line(struct watch_reader *r, str line, struct err *err)
{
	CLEANUP(json_decrefp) json_t *event = NULL;
	if (str_trim(line).len == 0)
		return 0;
	if (managed_fields_parse(&event, line, "watch event", err) < 0) {
		err->kind = ERR_PROTOCOL;
		return -1;
	}
	return take_event(r, event, err);
}

static int keep(struct watch_reader *r, str part, struct err *err)
{
	r->line.max = LIMIT_KUBE_OBJECT_BYTES;
	buf_put_str(&r->line, part);
	if (r->line.overflow)
		return err_set(err, ERR_LIMIT, "a watch sent a line that is larger than the limit of %zu bytes", r->line.max);
	return 0;
}

static void drop_line(struct watch_reader *r)
{
	buf_clear(&r->line);
	if (r->line.cap > KEPT_BYTES)
		buf_done(&r->line);
}

int watch_reader_feed(struct watch_reader *r, str data, struct err *err)
{
	for (size_t at = 0; at < data.len;) {
		size_t end = str_find(data, '\n', at);
		str part = str_sub(data, at, end);
		at = end + 1;
		if (end == data.len)
			return keep(r, part, err);
		if (r->line.len == 0) { /* the whole line is here: no copy */
			if (take_line(r, part, err) < 0)
				return -1;
			continue;
		}
		if (keep(r, part, err) < 0 || take_line(r, buf_str(&r->line), err) < 0)
			return -1;
		drop_line(r);
	}
	return 0;
}

void watch_reader_done(struct watch_reader *r) { buf_done(&r->line); }
