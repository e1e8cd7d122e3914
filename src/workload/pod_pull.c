/* pod_pull.c: an init container that unpacks /data of an OCI image into a volume, with what upstream's pods have for it: skopeo and a
 * shell. Its script (image_pull.sh) tries each pull secret and then no credentials, unpacks the layers in order, and says in the
 * termination message (contract/termination.h) why it failed, so that the Workspace's condition can tell. */
#include "workload/pod_spec.h"

#include "base/buf.h"
#include "workload/image_pull.h"
#include "workload/shell_word.h"
#include <string.h>

static void put_variable(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=", name);
	shell_word_put(out, str_of(value));
	buf_putc(out, '\n');
}

static bool is_text(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

static json_t *pull_container(const struct workload_plan *p, const struct pod_pull *pull, const char *credentials)
{
	struct buf script = {0};
	const char *const VARIABLES[][2] = {{"container", pull->container}, {"image", pull->image}, {"folder", pull->folder},
		{"mount", pull->mount_path}, {"credentials", credentials}, {"needs", pull->needs ? pull->needs : ""}};
	for (size_t i = 0; i < sizeof VARIABLES / sizeof VARIABLES[0]; i++)
		put_variable(&script, VARIABLES[i][0], VARIABLES[i][1]);
	shell_script_put(&script, (str){image_pull_sh, image_pull_sh_len});
	json_t *container = pod_container(pull->container, p->o->image_skopeo);
	json_object_set_new(container, "command", json_pack("[s, s]", "/bin/sh", "-c"));
	json_object_set_new(container, "args", json_pack("[s]", script.data));
	buf_done(&script);
	return container;
}

static void add_pull_secret(json_t *spec, const json_t *secret)
{
	const json_t *there;
	size_t i;
	json_array_foreach(json_object_get(spec, "imagePullSecrets"), i, there)
		if (json_equal(json_object_get(there, "name"), secret))
			return;
	pod_push(spec, "imagePullSecrets", json_pack("{s:O}", "name", secret));
}

int pod_add_pull(const struct workload_plan *p, const struct pod_pull *pull, json_t *spec, struct err *err)
{
	if (!is_text(pull->image) || !is_text(pull->folder))
		return err_set(err, ERR_INVALID, "image or folder of init container %s has control characters", pull->container);
	bool secrets = json_array_size(pull->secrets) > 0;
	char *path = mem_printf("/root/.docker/config.d/%s", pull->credentials);
	json_t *container = pull_container(p, pull, path);
	if (secrets) {
		char *volume = mem_printf("docker-config-%s", pull->credentials);
		pod_push(spec, "volumes", pod_volume_docker_configs(volume, pull->secrets));
		pod_push(container, "volumeMounts", pod_mount(pull->volume, pull->mount_path));
		pod_push(container, "volumeMounts", pod_mount(volume, path));
		free(volume);
	} else {
		pod_push(container, "volumeMounts", pod_mount(pull->volume, pull->mount_path));
	}
	const json_t *secret;
	size_t i;
	json_array_foreach((json_t *)pull->secrets, i, secret)
		if (json_is_string(secret))
			add_pull_secret(spec, secret);
	pod_push(spec, "initContainers", container);
	free(path);
	return 0;
}
