/* note.h: what a claim's annotation keeps of its fulfilment (cloud.h, memo). Before a request that makes an instance is sent, the request
 * itself is stored, so that whoever goes on sends the very same bytes: EC2 answers those by their ClientToken with the same instance. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum note_phase {
	NOTE_NONE,      /* nothing was ever sent */
	NOTE_CHOOSING,  /* nothing was sent for this claim; its launch template may be made */
	NOTE_REQUESTED, /* `request` may have been sent */
	NOTE_RUNNING,   /* EC2 named the instance */
	NOTE_PHASES
};
#define NOTE_INSTANCE_MAX 40
#define NOTE_WORD_MAX 63
struct note {
	enum note_phase phase;
	int64_t attempt;          /* requests with another outcome before this one */
	int64_t started_s;        /* when this phase began */
	char incarnation[17];     /* of the process that wrote it */
	char *request;            /* NOTE_REQUESTED: the form; owned */
	bool spot;                /* of the request */
	char instance[NOTE_INSTANCE_MAX + 1]; /* NOTE_RUNNING: "i-…" */
};
/* text NULL or "": NOTE_NONE. ERR_INVALID for what no process of ours wrote; then nothing is known about the claim. */
WARN_UNUSED int note_read(struct note *n, const char *text, struct err *err);
char *note_text(const struct note *n); /* caller frees */
void note_done(struct note *n);
bool note_is_instance(const char *id); /* "i-" and hexadecimal digits */
