/* memo.c: see memo.h. The annotation can be edited by anyone who may edit claims, so what is read is bounded and checked; that a pool
 * is this claim's is never believed from here but read from the pool's own tags. */
#include "azure/memo.h"

#include "azure/aks_machine.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include <string.h>

static const char *const PHASES[MEMO_PHASES] = {"", "intent", "running", "clearing", "aborting", "deleting", "made"};

static int copy_text(char *out, size_t size, const json_t *object, const char *key, struct err *err)
{
	const char *text = "";
	if (json_get_string(object, key, "memo", &text, err) < 0)
		return -1;
	if (strlen(text) >= size)
		return err_set(err, ERR_INVALID, "memo.%s has %zu bytes, at most %zu", key, strlen(text), size - 1);
	snprintf(out, size, "%s", text);
	return 0;
}

static int read_phase(struct memo *m, const json_t *object, struct err *err)
{
	const char *phase = "";
	if (json_get_string(object, "phase", "memo", &phase, err) < 0)
		return -1;
	for (int i = MEMO_INTENT; i < MEMO_PHASES; i++)
		if (strcmp(PHASES[i], phase) == 0)
			return m->phase = (enum memo_phase)i, 0;
	return err_set(err, ERR_INVALID, "memo.phase '%.30s' is unknown", phase);
}

static int read_members(struct memo *m, const json_t *object, struct err *err)
{
	const json_t *operation = NULL;
	if (read_phase(m, object, err) < 0 || copy_text(m->pool, sizeof m->pool, object, "pool", err) < 0 ||
	    copy_text(m->sku, sizeof m->sku, object, "sku", err) < 0 || copy_text(m->zone, sizeof m->zone, object, "zone", err) < 0 ||
	    copy_text(m->incarnation, sizeof m->incarnation, object, "incarnation", err) < 0 || json_get_bool(object, "spot", "memo", &m->spot, err) < 0 ||
	    json_get_int_in(object, "attempt", "memo", 0, INT32_MAX, &m->attempt, err) < 0 ||
	    json_get_int_in(object, "started", "memo", 0, INT64_MAX, &m->started_s, err) < 0 ||
	    json_get_object(object, "operation", "memo", &operation, err) < 0)
		return -1;
	if (!aks_machine_unit_valid(m->pool))
		return err_set(err, ERR_INVALID, "memo.pool is no name of an agent pool or machine");
	m->operation = json_incref((json_t *)(uintptr_t)operation);
	return 0;
}

int memo_read(struct memo *m, const char *text, struct err *err)
{
	*m = (struct memo){0};
	if (!text || !text[0])
		return 0;
	CLEANUP(json_decrefp) json_t *object = NULL;
	if (json_parse_with(&object, str_of(text), "memo", &(struct json_rules){.max_bytes = LIMIT_MEMO_BYTES, .max_depth = 8}, err) < 0)
		return -1;
	if (!json_is_object(object))
		return err_set(err, ERR_INVALID, "the memo is no object");
	if (read_members(m, object, err) < 0) {
		*m = (struct memo){0};
		return -1;
	}
	return 0;
}

char *memo_text(const struct memo *m)
{
	CLEANUP(json_decrefp) json_t *object =
		json_pack("{s:s,s:s,s:s,s:s,s:b,s:I,s:s,s:I}", "pool", m->pool, "phase", PHASES[m->phase], "sku", m->sku, "zone", m->zone, "spot", (int)m->spot,
			  "attempt", (json_int_t)m->attempt, "incarnation", m->incarnation, "started", (json_int_t)m->started_s);
	if (m->operation)
		json_object_set(object, "operation", m->operation);
	struct buf out = {0};
	json_print(object, JSON_PRINT_COMPACT, &out);
	return buf_take(&out);
}

void memo_done(struct memo *m)
{
	json_decref(m->operation);
	*m = (struct memo){0};
}

void memo_advance(struct memo *m, enum memo_phase phase, const char *incarnation, json_t *operation)
{
	json_decref(m->operation);
	m->operation = operation;
	m->phase = phase;
	m->started_s = clock_wall_s();
	snprintf(m->incarnation, sizeof m->incarnation, "%s", incarnation);
}
