/* note.c: see note.h. */
#include "aws/note.h"

#include "base/limits.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

static const char *const PHASES[NOTE_PHASES] = {[NOTE_NONE] = "", [NOTE_CHOOSING] = "choosing", [NOTE_REQUESTED] = "requested", [NOTE_RUNNING] = "running"};

bool note_is_instance(const char *id)
{
	size_t n = strlen(id);
	return n > 2 && n <= NOTE_INSTANCE_MAX && strncmp(id, "i-", 2) == 0 && strspn(id + 2, "0123456789abcdef") == n - 2;
}

static int read_phase(struct note *n, const json_t *o, struct err *err)
{
	const char *phase = json_text_at(o, "", "phase", NULL);
	for (int i = NOTE_CHOOSING; i < NOTE_PHASES; i++)
		if (strcmp(PHASES[i], phase) == 0)
			return n->phase = (enum note_phase)i, 0;
	return err_set(err, ERR_INVALID, "memo.phase '%.30s' is unknown", phase);
}

static int check(const struct note *n, struct err *err)
{
	bool fleet = n->request && (strncmp(n->request, "Action=CreateFleet&", 19) == 0 || strncmp(n->request, "Action=RunInstances&", 20) == 0);
	if (n->phase == NOTE_REQUESTED && !fleet)
		return err_set(err, ERR_INVALID, "memo.request is no request for an instance");
	if (n->phase == NOTE_RUNNING && !note_is_instance(n->instance))
		return err_set(err, ERR_INVALID, "memo.instance is no instance id");
	return 0;
}

static int read_members(struct note *n, const json_t *o, struct err *err)
{
	const char *request = NULL, *instance = "", *incarnation = "";
	if (read_phase(n, o, err) < 0 || json_get_string(o, "request", "memo", &request, err) < 0 || json_get_string(o, "instance", "memo", &instance, err) < 0 ||
	    json_get_string(o, "incarnation", "memo", &incarnation, err) < 0 || json_get_bool(o, "spot", "memo", &n->spot, err) < 0 ||
	    json_get_int_in(o, "attempt", "memo", 0, INT32_MAX, &n->attempt, err) < 0 || json_get_int_in(o, "started", "memo", 0, INT64_MAX, &n->started_s, err) < 0)
		return -1;
	if (strlen(instance) > NOTE_INSTANCE_MAX || strlen(incarnation) > 16)
		return err_set(err, ERR_INVALID, "memo.instance or memo.incarnation is too long");
	snprintf(n->instance, sizeof n->instance, "%s", instance);
	snprintf(n->incarnation, sizeof n->incarnation, "%s", incarnation);
	n->request = request ? mem_strdup(request) : NULL;
	return check(n, err);
}

int note_read(struct note *n, const char *text, struct err *err)
{
	CLEANUP(json_decrefp) json_t *o = NULL;
	*n = (struct note){0};
	if (!text || !text[0])
		return 0;
	if (json_parse_with(&o, str_of(text), "memo", &(struct json_rules){.max_bytes = LIMIT_MEMO_BYTES, .max_depth = 4}, err) < 0)
		return -1;
	if (!json_is_object(o))
		return err_set(err, ERR_INVALID, "the memo is no object");
	if (read_members(n, o, err) == 0)
		return 0;
	note_done(n);
	return -1;
}

char *note_text(const struct note *n)
{
	CLEANUP(json_decrefp) json_t *o = json_pack("{s:s,s:I,s:I,s:s}", "phase", PHASES[n->phase], "attempt", (json_int_t)n->attempt, "started", (json_int_t)n->started_s,
						    "incarnation", n->incarnation);
	if (n->phase == NOTE_REQUESTED) {
		json_object_set_new(o, "request", json_string(n->request));
		json_object_set_new(o, "spot", json_boolean(n->spot));
	}
	if (n->phase == NOTE_RUNNING)
		json_object_set_new(o, "instance", json_string(n->instance));
	struct buf out = {0};
	json_print(o, JSON_PRINT_COMPACT, &out);
	return buf_take(&out);
}

void note_done(struct note *n)
{
	free(n->request);
	*n = (struct note){0};
}
