/* cmd_push.c: `kaito push`: an adapter folder as an image, or model files as an artifact. */
#include "cmd/command.h"
#include "cmd/transfer.h"

#include "base/fd.h"
#include <stdio.h>

typedef int pusher(const char *path, const char *image, const struct oci_options *options, char digest[OCI_DIGEST_MAX], struct err *err);
/* To add a kind: a row. */
static const struct { const char *name; pusher *push; } KINDS[] = {{"adapter", oci_push_adapter}, {"model", oci_push_model}};
enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };

/* What the path looks like when --kind is not given. */
static const char *guess(const char *path)
{
	CLEANUP(mem_freep) char *config = fd_join(path, "adapter_config.json");
	return fd_exists(config) ? "adapter" : "model";
}

static pusher *find_kind(const char *name, struct err *err)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(KINDS[i].name, name) == 0)
			return KINDS[i].push;
	err_set(err, ERR_USAGE, "--kind is adapter or model, not '%s'", name);
	return NULL;
}

int cmd_push(int argc, char **argv, struct err *err)
{
	struct transfer transfer = {0};
	const char *kind = NULL, *model_name = NULL, *mount_from = NULL, *words[2];
	const struct flag flags[] = {
		{"kind", "KIND", FLAG_STRING, &kind, "adapter or model (adapter when there is an adapter_config.json)"},
		{"model-name", "NAME", FLAG_STRING, &model_name, "value of the annotation sh.kaito.model.name (an adapter's base model)"},
		{"mount-from", "REPOSITORY", FLAG_STRING, &mount_from, "repository of the same registry that may have the blobs (found in the store)"},
		TRANSFER_FLAGS(transfer),
	};
	size_t n = 0;
	int rc = flags_parse("push DIR|FILE IMAGE [flags]", flags, sizeof flags / sizeof flags[0], argc, argv, words, 2, &n, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (n != 2)
		return err_set(err, ERR_USAGE, "usage: kaito push DIR|FILE IMAGE");
	pusher *push = find_kind(kind ? kind : guess(words[0]), err);
	if (!push)
		return -1;
	transfer_begin(&transfer);
	transfer.oci.model_name = model_name;
	transfer.oci.mount_from = mount_from;
	char digest[OCI_DIGEST_MAX];
	rc = push(words[0], words[1], &transfer.oci, digest, err);
	transfer_end();
	if (rc == 0)
		printf("%s %s\n", words[1], digest);
	return rc;
}
