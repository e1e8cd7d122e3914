/* Fuzz target: an image manifest or index. Every digest is well-formed and every title stays in its folder; what is
 * printed is read again. */
#include "base/mem.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct manifest *m)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *d = &m->layers[i];
		if (!digest_is_valid(str_of(d->digest)) || !d->media_type)
			abort();
		if (d->title && (d->title[0] == '/' || strcmp(d->title, "..") == 0 || strncmp(d->title, "../", 3) == 0 || strstr(d->title, "/../")))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest m = {0}, again = {0};
	char chosen[DIGEST_TEXT] = "";
	struct err err = ERR_INIT;
	int rc = manifest_parse((str){(const char *)data, size}, "amd64", &m, chosen, &err);
	if (rc == 1 && !digest_is_valid(str_of(chosen)))
		abort();
	if (rc != 0)
		return 0;
	check(&m);
	char *text = manifest_print(&m);
	if (manifest_parse(str_of(text), "amd64", &again, chosen, &err) != 0 || again.n_layers != m.n_layers)
		abort();
	free(text);
	manifest_done(&m);
	manifest_done(&again);
	return 0;
}
