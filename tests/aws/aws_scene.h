/* aws_scene.h: one claim, a controller that calls the cloud's steps for it as nodes/ does, and the fake EC2; for the tests of aws.c. */
#pragma once
#include "aws/aws.h"
#include "fake_ec2.h"

#define TYPE_A "g6.xlarge"
#define TYPE_B "g5.xlarge"

struct aws_scene {
	struct aws_settings settings;
	struct cloud *cloud;
	json_t *claim;
	char *older_memo;          /* before the last one; NULL: none */
	struct launch_result launched; /* of the last step; ended by the next */
	struct terminate_result terminated;
	struct err err;
	atomic_int changes;        /* calls of the hook */
};
void aws_scene_open(struct aws_scene *s);  /* cloud, fake EC2, no claim */
void aws_scene_close(struct aws_scene *s);
/* A NodeClaim ws1 of these instance types ("a b"), created now; more requirements may be added. */
void aws_scene_claim(struct aws_scene *s, const char *instance_types);
void aws_scene_require(struct aws_scene *s, const char *key, const char *operator, const char *values);
/* The process dies and another takes over; `forgets`: the last memo was not stored. */
void aws_scene_restart(struct aws_scene *s, bool forgets);
/* One step, its memo stored. -1: err. */
int aws_scene_launch_step(struct aws_scene *s);
int aws_scene_terminate_step(struct aws_scene *s);
/* Steps until an end, or until one fails, or waits for longer than the tests do. A successful launch clears the memo and sets the providerID. */
void aws_scene_launch(struct aws_scene *s);
void aws_scene_terminate(struct aws_scene *s);
const char *aws_scene_memo(const struct aws_scene *s); /* "" none */
const char *aws_scene_get(const char *name);           /* the made-up environment */
void aws_scene_set(const char *name, const char *value);
void aws_scene_environment(int port);                  /* resets it */
