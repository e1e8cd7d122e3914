/* fake_cloud.h: a cloud inside the test's process. Steps that a test has scripted come first; without any, it makes an instance in two
 * steps (a memo, then the machine) and deletes it in one. Every call but get and list is a line of the log. The cloud's own
 * functions may be called by several threads, the test's by one while none of those runs, but for fake_cloud_launches. */
#pragma once
#include "cloud/cloud.h"

struct fake_step { /* one answer of launch or terminate; borrowed */
	enum step step;
	const char *memo;
	int64_t retry_ms;
	bool insufficient;
	const char *reason, *message, *event, *provider_id, *image_id;
	const char *labels, *annotations, *capacity, *allocatable; /* JSON text, NULL: none */
	enum err_kind error;         /* not ERR_NONE: the call fails with it and `message` */
};
void fake_cloud_reset(void);
struct cloud *fake_cloud(void);
void fake_cloud_on_launch(const struct fake_step *s);    /* the next unscripted launch answers this, once */
void fake_cloud_on_terminate(const struct fake_step *s);
/* Unscripted, it takes steps as ARM does, each with a memo: the intent, "put NAME" in the log and the operation, the machine with a label
 * from=cloud; and in the end the deletion, then nothing. */
void fake_cloud_in_steps(bool on);
/* Instances: name is the claim's. provider_id of one that the fake made: "fake:///NAME". */
void fake_cloud_put(const char *name, const char *provider_id, enum instance_state state, int64_t created_s);
void fake_cloud_set_owner(const char *name, const char *claim_uid); /* of an instance that is there; "" until then */
void fake_cloud_remove(const char *name);
bool fake_cloud_has(const char *name);
size_t fake_cloud_size(void);
void fake_cloud_break(enum err_kind kind);               /* get, list and reap fail with it; ERR_NONE: they work */
const char *fake_cloud_log(void);                        /* "launch NAME MEMO", "terminate NAME MEMO", "reap NAME"; MEMO "-": none */
void fake_cloud_log_clear(void);
size_t fake_cloud_launches(void);                        /* calls of launch since the reset */
