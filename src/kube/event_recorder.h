/* event_recorder.h: Kubernetes Events (core/v1), sent by a thread of its own so that a reconcile never waits for them. The same event
 * about the same object within 10 minutes raises its count instead of making another, or is dropped where that is wanted. Full queue:
 * the oldest are dropped and counted. */
#pragma once
#include "kube/client.h"

struct event_recorder;
/* component: who the events come from; a '*' in it stands for the involved object's kind. */
struct event_recorder *event_recorder_new(struct kube_client *client, const char *component);
/* The same event within so long after it was sent is not sent again at all (0: it is counted). Called before the first event. */
void event_recorder_set_quiet(struct event_recorder *r, int64_t quiet_ms);
/* Nothing is emitted any more; what is queued is sent within 2 s from now. Need not be called. */
void event_recorder_stop(struct event_recorder *r);
void event_recorder_free(struct event_recorder *r); /* stops it and waits for that */
uint64_t event_recorder_dropped(struct event_recorder *r); /* the queue was full, or the API server would not have them */
/* type "Normal" or "Warning"; involved needs apiVersion, kind and metadata. Cluster-scoped objects: namespace "default". */
void event_emit(struct event_recorder *r, const json_t *involved, const char *type, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
