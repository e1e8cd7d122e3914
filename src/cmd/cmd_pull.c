/* cmd_pull.c: `kaito pull`: images, model hub repositories and plain URLs into a folder. */
#include "cmd/command.h"
#include "cmd/transfer.h"

#include "base/mem.h"
#include "contract/termination.h"
#include <stdio.h>

#define SOURCES_MAX 256

struct pull { struct transfer transfer; const char *folder; bool no_store, if_missing; };

static int pull_image(struct pull *p, const char *image, struct err *err)
{
	struct oci_options *o = &p->transfer.oci;
	char digest[OCI_DIGEST_MAX];
	o->no_store = p->no_store;
	o->if_missing = p->if_missing;
	if (p->folder) {
		if (oci_pull(image, p->folder, o, digest, err) < 0)
			return -1;
		transfer_end();
		printf("%s %s -> %s\n", image, digest, p->folder);
		return 0;
	}
	CLEANUP(mem_freep) char *folder = NULL;
	if (oci_pull_cached(image, o, &folder, err) < 0)
		return -1;
	transfer_end();
	printf("%s -> %s\n", image, folder);
	return 0;
}

static int pull_one(struct pull *p, const char *source, struct err *err)
{
	CLEANUP(mem_freep) char *detail = NULL;
	if (!hub_is_source(source) && !url_is_source(source))
		return pull_image(p, source, err);
	if (!p->folder)
		return err_set(err, ERR_USAGE, "--output DIR is required to pull from a hub or a URL");
	if (hub_is_source(source)) {
		if (hub_pull(source, p->folder, &p->transfer.hub, &detail, err) < 0)
			return -1;
		transfer_end();
		printf("%s %s -> %s\n", source, detail, p->folder);
		return 0;
	}
	if (url_pull(source, p->folder, &p->transfer.hub, &detail, err) < 0)
		return -1;
	transfer_end();
	printf("-> %s\n", detail); /* the URL may hold a signature */
	return 0;
}

int cmd_pull(int argc, char **argv, struct err *err)
{
	struct pull p = {0};
	const struct flag flags[] = {
		{"output", "DIR", FLAG_STRING, &p.folder, "folder for the files (an image without it: a folder in the store, which is printed)"},
		{"if-missing", NULL, FLAG_BOOL, &p.if_missing, "do not ask the registry when the store has the image"},
		{"no-store", NULL, FLAG_BOOL, &p.no_store, "keep no copy of the image in the store"},
		TRANSFER_FLAGS(p.transfer),
	};
	const char *sources[SOURCES_MAX];
	size_t n = 0;
	int rc = flags_parse("pull SOURCE... --output DIR [flags]\n  SOURCE: an image, hf://[datasets/]ORG/NAME[@REVISION][/FILE], https://...", flags,
			     sizeof flags / sizeof flags[0], argc, argv, sources, SOURCES_MAX, &n, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (n == 0)
		return err_set(err, ERR_USAGE, "what is to be pulled? usage: kaito pull SOURCE... --output DIR");
	if (p.no_store && !p.folder)
		return err_set(err, ERR_USAGE, "--no-store needs --output DIR");
	transfer_begin(&p.transfer);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = pull_one(&p, sources[i], err);
	transfer_end();
	if (rc < 0)
		termination_failure(err); /* an init container's: what was wrong with the data or the weights */
	return rc;
}
