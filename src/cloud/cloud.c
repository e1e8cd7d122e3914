/* cloud.c: what results of steps own is given back here. */
#include "cloud/cloud.h"

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
