/* Fuzz target: the memo of a claim on AWS, which anybody who may write claims can write. What is read is what would be written. */
#include "aws/fleet_request.h"
#include "aws/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void each(void *context, const char *type, const char *zone)
{
	size_t *n = context;
	must(type && zone);
	(*n)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_freep) char *text = mem_strndup((const char *)data, size);
	struct note n, again;
	struct err err = ERR_INIT;
	size_t overrides = 0;
	if (note_read(&n, text, &err) < 0) {
		must(err.kind != ERR_NONE && !n.request);
		return 0;
	}
	if (n.request)
		fleet_request_each(n.request, each, &overrides);
	if (n.phase != NOTE_NONE) {
		CLEANUP(mem_freep) char *written = note_text(&n);
		must(note_read(&again, written, &err) == 0 && again.phase == n.phase && again.attempt == n.attempt && strcmp(again.incarnation, n.incarnation) == 0);
		note_done(&again);
	}
	note_done(&n);
	return 0;
}
