/* session.c: see session.h; also the small public functions of oci.h. */
#include "oci/session.h"

#include "base/fd.h"
#include <stdio.h>

char *oci_default_store(void)
{
	const char *own = getenv("KAITO_STORE"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	if (own && own[0])
		return mem_strdup(own);
	if (data && data[0])
		return mem_printf("%s/kaito/images", data);
	return mem_printf("%s/.local/share/kaito/images", home && home[0] ? home : "/root");
}

bool oci_is_reference(const char *word)
{
	struct reference ref = {0};
	if (word[0] == '.' || word[0] == '/' || fd_exists(word) || reference_parse(str_of(word), &ref, NULL) < 0)
		return false;
	reference_done(&ref);
	return true;
}

int session_open(struct session *s, const char *image, const struct oci_options *options, const char *store, struct err *err)
{
	static const struct oci_options DEFAULTS;
	*s = (struct session){.options = options ? options : &DEFAULTS};
	if (reference_parse(str_of(image), &s->ref, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *fallback = oci_default_store();
	if (!store)
		store = s->options->store ? s->options->store : fallback;
	if (layout_open(&s->store, store, LAYOUT_SHARED, err) < 0) {
		reference_done(&s->ref);
		return -1;
	}
	s->name = reference_format(&s->ref);
	pthread_mutex_init(&s->mu, NULL);
	return 0;
}

int session_connect(struct session *s, const char *mount_from, struct err *err)
{
	struct oci_options options = *s->options;
	options.mount_from = mount_from;
	if (registry_open(&s->registry, &s->ref, &options, err) < 0)
		return -1;
	s->has_registry = true;
	return 0;
}

void session_close(struct session *s)
{
	if (s->has_registry)
		registry_close(&s->registry);
	layout_close(&s->store);
	reference_done(&s->ref);
	free(s->name);
	pthread_mutex_destroy(&s->mu);
}

unsigned session_threads(const struct session *s) { return s->options->parallel ? s->options->parallel : 4; }

void session_report(struct session *s, const char *item, const char *state, uint64_t done, uint64_t total)
{
	if (!s->options->progress)
		return;
	pthread_mutex_lock(&s->mu);
	s->options->progress(s->options->progress_context, item, state, done, total);
	pthread_mutex_unlock(&s->mu);
}

void session_item_progress(void *context, uint64_t done, uint64_t total)
{
	const struct session_item *i = context;
	session_report(i->session, i->item, i->state, done, total);
}

void session_item_name(const struct descriptor *blob, char out[64])
{
	if (blob->title)
		snprintf(out, 64, "%s", blob->title);
	else
		snprintf(out, 64, "%.12s", digest_hex(blob->digest));
}
