/* fake_kube.h: an API server and informers inside one test process, with the functions of kube/client.h, informer.h and event_recorder.h.
 *
 * A test program that is linked with fake_kube.c gets these instead of the real ones. Objects live in one list; informers show it
 * through their transforms, at once, or as it was when fake_freeze was called (a stale cache), plus what was learnt since. Every write is
 * a line of the log: "create nodeclaims ws0123 -> ok". Owner: one thread. */
#pragma once
#include "kube/client.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"
#include <stdbool.h>

void fake_reset(void);                       /* empty store, empty log, nothing frozen */
struct kube_client *fake_client(void);
struct event_recorder *fake_events(void);
void fake_freeze(bool frozen);               /* false: caches are fresh again */
void fake_forbid(const char *plural);        /* creations of that resource are denied; NULL: allowed again */
void fake_deny_reads(const char *plural);    /* reads of one object of that resource are denied; NULL: allowed again */
void fake_no_crd(const char *plural);        /* the resource does not exist; NULL: it does */
void fake_stale_lists(const char *plural);   /* lists of that resource are empty; NULL: they tell the truth */
/* The process dies at the nth patch or deletion from now, before or after it is carried out: that one and all later ones fail. 0: none does. */
void fake_crash(int nth, bool after);
int fake_requests(void);                     /* reads and writes so far */
const char *fake_log(void);                  /* writes since the last fake_log_clear; "event TYPE REASON NAME: message" for events */
void fake_log_clear(void);
/* Annotation of a pod whose eviction is refused with this text (429; 500 when it says "more than one"). A pod with a finalizer, once evicted
 * or deleted, stays as terminating. */
#define FAKE_REFUSES "fake/refuses"
/* Puts an object as it is (status included). Takes the reference. */
void fake_put(const struct kube_resource *r, json_t *object);
json_t *fake_object(const struct kube_resource *r, const char *namespace_, const char *name); /* borrowed, live; NULL */
size_t fake_count(const struct kube_resource *r);
json_t *fake_nth(const struct kube_resource *r, size_t n);                                    /* borrowed, live */
void fake_remove(const struct kube_resource *r, const char *namespace_, const char *name);    /* gone at once, finalizers or not */
void fake_set_condition(json_t *object, const char *type, const char *status, const char *reason, const char *message);
