/* volumes.c: see volumes.h. VolumeAttachments have no field selector, so all are listed, and only after the pods have gone; claims of
 * volumes are asked for only where the Node has attachments and pods that stay. */
#include "nodes/volumes.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

struct attached { const char *node; json_t *volumes; }; /* names of persistent volumes; null: an inline one */

static void pick(void *context, json_t *attachment)
{
	struct attached *a = context;
	if (strcmp(json_text_at(attachment, "", "spec", "nodeName", NULL), a->node) == 0)
		json_array_append_new(a->volumes, json_string(json_text_at(attachment, "", "spec", "source", "persistentVolumeName", NULL)));
	json_decref(attachment);
}

static void start_again(void *context)
{
	struct attached *a = context;
	json_array_clear(a->volumes);
}

/* The PersistentVolumeClaim behind a pod's volume, or NULL; caller frees. */
static char *claim_name(const json_t *pod, const json_t *volume)
{
	const char *named = json_text_at(volume, "", "persistentVolumeClaim", "claimName", NULL);
	if (named[0])
		return mem_strdup(named);
	return json_object_get(volume, "ephemeral") ? mem_printf("%s-%s", meta_name(pod), json_text_at(volume, "", "name", NULL)) : NULL;
}

static int volume_of(struct nodes *n, const char *namespace_, const char *claim, json_t *names, struct err *err)
{
	CLEANUP(json_decrefp) json_t *object = NULL;
	struct err why = ERR_INIT;
	if (kube_get(n->op.kube, &KUBE_PVCS, namespace_, claim, &object, &why) == 0) {
		const char *volume = json_text_at(object, "", "spec", "volumeName", NULL);
		if (volume[0])
			json_object_set_new(names, volume, json_true());
		return 0;
	}
	if (why.kind == ERR_NOT_FOUND)
		return 0;
	*err = why;
	return err_wrap(err, "read the volume claim %s/%s", namespace_, claim);
}

/* The persistent volumes of these pods, as members of `names`. */
static int volumes_of(struct nodes *n, const json_t *pods, json_t *names, struct err *err)
{
	const json_t *pod, *volume;
	size_t i, j;
	json_array_foreach(pods, i, pod)
		json_array_foreach(json_at(pod, "spec", "volumes", NULL), j, volume) {
			CLEANUP(mem_freep) char *claim = claim_name(pod, volume);
			if (claim && volume_of(n, meta_namespace(pod), claim, names, err) < 0)
				return -1;
		}
	return 0;
}

int volumes_attached(struct nodes *n, const char *node, const json_t *staying, size_t *count, struct err *err)
{
	CLEANUP(json_decrefp) json_t *volumes = json_array(), *kept = json_object();
	struct attached a = {node, volumes};
	const json_t *volume;
	size_t i, left = 0;
	if (kube_list(n->op.kube, &KUBE_VOLUME_ATTACHMENTS, NULL, &(struct kube_list_options){0}, pick, start_again, &a, NULL, err) < 0)
		return err_wrap(err, "list the volumes of node %s", node);
	if (json_array_size(volumes) && volumes_of(n, staying, kept, err) < 0)
		return -1;
	json_array_foreach(volumes, i, volume)
		left += !json_object_get(kept, json_string_value(volume));
	*count = left;
	return 0;
}
