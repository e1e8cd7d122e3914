/* cloud.c: see cloud.h: what results of steps own is given back here; and the key of a Node. */
#include "cloud/cloud.h"

#include "base/map.h"
#include "base/mem.h"
#include <ctype.h>
#include <inttypes.h>

void launch_result_done(struct launch_result *r)
{
	free(r->memo);
	free(r->provider_id);
	free(r->image_id);
	json_decref(r->labels);
	json_decref(r->annotations);
	json_decref(r->capacity);
	json_decref(r->allocatable);
	*r = (struct launch_result){0};
}

void terminate_result_done(struct terminate_result *r)
{
	free(r->memo);
	*r = (struct terminate_result){0};
}

/* A providerID is long and is kept four times, so its key is a hash of it. */
char *cloud_node_key(const char *provider_id)
{
	CLEANUP(mem_freep) char *lower = mem_strdup(provider_id);
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return mem_printf("%s%016" PRIx64, NODE_KEY_PROVIDER, map_hash(str_of(lower)));
}
