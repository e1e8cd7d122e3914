/* scale_down.h: which replicas of an InferenceSet go first: those on an old base image, then those that are not ready, then the newest;
 * but a ready one only while as many ready ones as are wanted remain. Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct scale_down_child { const json_t *child; bool ready, old_image; };
/* Moves the `surplus` children that go to the front of the array, in the order in which they go. surplus at most n. */
void scale_down_order(struct scale_down_child *children, size_t n, size_t surplus);
/* The image of a workload's first container is KAITO's base image with another tag than `tag`. */
bool scale_down_old_image(const json_t *statefulset, const char *tag);
