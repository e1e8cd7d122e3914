/* last_call.h: a process that is to end does end. A thread waits for the others to be taken down; when the time is over it has its owner say
 * what is still at work, and leaves with _exit(1): what is left behind is a successor's or a restarted process's to find, as after a
 * crash. It is no way to end, only the bound of one. */
#pragma once
#include <stdint.h>

struct last_call;
/* tell is called on the thread, at the end of the process's life. NULL when there is no thread to be had. */
struct last_call *last_call_new(int64_t limit_ms, void (*tell)(void *context), void *context);
void last_call_free(struct last_call *l); /* all was taken down in time */
