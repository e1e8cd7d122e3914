/* machine.c: see machine.h. */
#include "aws/machine.h"

#include "aws/note.h"
#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

/* To add a state: a row. */
static const struct { const char *name; enum instance_state state; } STATES[] = {
	{"pending", INSTANCE_CREATING}, {"running", INSTANCE_RUNNING}, {"stopping", INSTANCE_STOPPED}, {"stopped", INSTANCE_STOPPED},
	{"shutting-down", INSTANCE_DELETING}, {"terminated", INSTANCE_DELETING},
};

const char *machine_tag(const json_t *instance, const char *key)
{
	const json_t *tags = json_object_get(instance, "tagSet"), *tag;
	size_t i;
	json_array_foreach(tags, i, tag)
		if (strcmp(json_text_at(tag, "", "key", NULL), key) == 0)
			return json_text_at(tag, "", "value", NULL);
	return "";
}

bool machine_read(struct machine *m, const json_t *instance)
{
	const char *state = json_text_at(instance, "", "instanceState", "name", NULL);
	*m = (struct machine){
		.id = json_text_at(instance, "", "instanceId", NULL), .claim = machine_tag(instance, MACHINE_TAG_CLAIM), .claim_uid = machine_tag(instance, MACHINE_TAG_UID),
		.cluster = machine_tag(instance, MACHINE_TAG_CLUSTER), .type = json_text_at(instance, "", "instanceType", NULL),
		.zone = json_text_at(instance, "", "placement", "availabilityZone", NULL), .image = json_text_at(instance, "", "imageId", NULL),
		.reason = json_text_at(instance, "", "stateReason", "code", NULL), .reason_text = json_text_at(instance, "", "stateReason", "message", NULL),
		.spot = strcmp(json_text_at(instance, "", "instanceLifecycle", NULL), "spot") == 0, .terminated = strcmp(state, "terminated") == 0,
		.state = INSTANCE_CREATING, .created_s = claim_view_time(json_text_at(instance, NULL, "launchTime", NULL)),
	};
	for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++)
		if (strcmp(STATES[i].name, state) == 0)
			m->state = STATES[i].state;
	return note_is_instance(m->id);
}

char *machine_provider_id(const struct machine *m) { return mem_printf("aws:///%s/%s", m->zone, m->id); }

bool machine_of_provider_id(const char *provider_id, char out[41])
{
	const char *slash = provider_id && strncmp(provider_id, "aws://", 6) == 0 ? strrchr(provider_id, '/') : NULL;
	if (!slash || !note_is_instance(slash + 1))
		return false;
	snprintf(out, 41, "%s", slash + 1);
	return true;
}

void machine_each(const json_t *body, void (*fn)(void *context, json_t *instance), void *context)
{
	const json_t *reservation;
	json_t *instance;
	size_t i, k;
	json_array_foreach(json_object_get(body, "reservationSet"), i, reservation)
		json_array_foreach(json_object_get(reservation, "instancesSet"), k, instance)
			fn(context, instance);
}
