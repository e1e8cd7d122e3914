/* adapters.c: see adapters.h. An adapter is an image, pulled by an init container of its own, or a volume, mounted as it is. */
#include "workload/adapters.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "kube/meta.h"
#include "workload/pod_spec.h"
#include <stdio.h>
#include <string.h>

#define FOLDER "/mnt/adapter"
enum { LABEL_MAX = 63, DIGEST_PART = 6 };

char *adapters_label(const char *prefix, const char *name, const char *suffix)
{
	size_t fixed = strlen(prefix) + strlen(suffix), len = strlen(name);
	if (!strchr(name, '.') && fixed + len <= LABEL_MAX)
		return mem_printf("%s%s%s", prefix, name, suffix);
	char digest[DIGEST_TEXT];
	digest_of(name, len, digest);
	size_t room = fixed + DIGEST_PART + 2 < LABEL_MAX ? LABEL_MAX - fixed - DIGEST_PART - 1 : 1;
	char *part = mem_strndup(name, len < room ? len : room);
	for (char *c = part; *c; c++)
		if (*c == '.')
			*c = '-';
	char *label = mem_printf("%s%s-%.*s%s", prefix, part, DIGEST_PART, digest_hex(digest), suffix);
	free(part);
	return label;
}

static int add_image(const struct workload_plan *p, const char *name, const json_t *source, json_t *spec, struct err *err)
{
	char *container = adapters_label("puller-", name, ""), *credentials = adapters_label("", name, "-inference-adapter");
	char *folder = mem_printf(FOLDER "/%s", name);
	struct pod_pull pull = {
		.container = container, .image = json_text_at(source, "", "image", NULL), .credentials = credentials,
		.secrets = json_object_get(source, "imagePullSecrets"), .folder = folder,
		.volume = "adapter-volume", .mount_path = FOLDER, .needs = "adapter_config.json",
	};
	int result = pod_add_pull(p, &pull, spec, err);
	free(container);
	free(credentials);
	free(folder);
	return result;
}

static void add_volume(const char *name, const json_t *source, json_t *spec, json_t *container)
{
	char *label = adapters_label("adapter-volume-", name, ""), *folder = mem_printf(FOLDER "/%s", name);
	json_t *volume = json_deep_copy(source);
	json_object_set_new(volume, "name", json_string(label));
	pod_push(spec, "volumes", volume);
	pod_push(container, "volumeMounts", pod_mount(label, folder));
	free(label);
	free(folder);
}

static int add_one(const struct workload_plan *p, const json_t *adapter, json_t *spec, json_t *container, struct err *err)
{
	const json_t *source = json_object_get(adapter, "source"), *volume = json_object_get(source, "volumeSource");
	const char *name = json_text_at(source, "", "name", NULL);
	if (!name[0] || strchr(name, '/'))
		return err_set(err, ERR_INVALID, "an adapter of workspace %s has no usable source.name", p->w->name);
	if (json_text_at(source, "", "image", NULL)[0])
		return add_image(p, name, source, spec, err);
	if (!json_is_object(volume))
		return err_set(err, ERR_INVALID, "adapter %s has neither source.image nor source.volumeSource", name);
	add_volume(name, volume, spec, container);
	return 0;
}

int adapters_add(const struct workload_plan *p, json_t *spec, json_t *container, struct err *err)
{
	if (json_array_size(p->w->adapters) == 0)
		return 0;
	pod_push(spec, "volumes", pod_volume_empty("adapter-volume"));
	pod_push(container, "volumeMounts", pod_mount("adapter-volume", FOLDER));
	const json_t *adapter;
	size_t i;
	json_array_foreach((json_t *)p->w->adapters, i, adapter)
		if (add_one(p, adapter, spec, container, err) < 0)
			return -1;
	return 0;
}

void adapters_add_env(const struct workload_plan *p, json_t *container)
{
	const json_t *adapter;
	size_t i;
	json_array_foreach((json_t *)p->w->adapters, i, adapter) {
		const char *strength = json_text_at(adapter, "", "strength", NULL), *name = json_text_at(adapter, "", "source", "name", NULL);
		if (strength[0] && name[0])
			pod_push(container, "env", pod_env(name, strength));
	}
}
