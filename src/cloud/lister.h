/* lister.h: one list of what a cloud has, made by one thread for all who ask: a hundred claims that wait cost one request a round and not a
 * hundred. The thread is started by the first need, lists while somebody asks or the room has reasons of its own, and sleeps without a
 * time-out otherwise. Who asked is told once: when a list began late enough for it, or failed. Lists are a unit apart at least, failed ones
 * further and further; a closed request budget delays a list and is no failure.
 * The mutex guards the room's own data too: the room takes it for whatever its callbacks read or write. */
#pragma once
#include "cloud/cloud.h"
#include <stdatomic.h>

struct lister;
struct lister_source {
	const char *what; /* in messages: "the agent pools of my-cluster"; borrowed for the lister's life */
	void *context;
	/* Makes one list; no lock is held. 0: *list is take's; 1: the request budget is closed for *wait_ms; -1: err says why. */
	int (*make)(void *context, void **list, int64_t *wait_ms, struct err *err);
	/* Takes over what make gave, NULL: that attempt failed. The lock is held; lister_tell may be called. */
	void (*take)(void *context, void *list, int64_t started_ms);
	/* When a list is due while none has failed, -1: not at all. asked: somebody wants one; ended_ms: end of the last attempt, 0: none. The lock is
	 * held. NULL: when asked, a unit after the last. */
	int64_t (*due)(const void *context, bool asked, int64_t ended_ms, int64_t now_ms);
};

/* unit_ms: the least time between lists, 0: 1 s. Once *cancel is true nobody waits for a list any more; NULL: never. */
struct lister *lister_new(const struct lister_source *source, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel);
void lister_free(struct lister *l); /* joins the thread */
int64_t lister_unit_ms(const struct lister *l);
void lister_lock(struct lister *l);
void lister_unlock(struct lister *l);

/* With the lock held. */
void lister_need(struct lister *l);                    /* source.due has changed its mind */
void lister_tell(struct lister *l, const char *claim); /* from take: hooks->changed(claim), once for this list, after the lock is given back */
/* Is there a list that began at not_before_ms (clock_now_ms) or later? 0: yes; 2: not yet, -1: it was tried and failed, err says why; then a list is
 * asked for and hooks->changed(claim) comes. One claim waits under one key. */
WARN_UNUSED int lister_look(struct lister *l, const char *key, const char *claim, int64_t not_before_ms, struct err *err);
void lister_forget(struct lister *l, const char *key); /* it waits no more */
/* Waits, at most 30 s and without the lock, for a list no older than max_age_ms. */
WARN_UNUSED int lister_fresh(struct lister *l, int64_t max_age_ms, struct err *err);

/* Without the lock. */
int lister_ready(struct lister *l, struct err *err); /* 0: the last list was made; 1: it failed, or there was none yet (then one is asked for): err says which */
int64_t lister_age_ms(struct lister *l);             /* of the last list; -1: none yet */
