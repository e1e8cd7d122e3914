/* node_class.h: Karpenter's NodeClasses: what --karpenter-node-classes says ([{name, default, spec}], exactly one default), and making
 * them at start. */
#pragma once
#include "provision/provision.h"

/* The class that a Workspace asks for, or the default when `wanted` is "". ERR_CONFIG: the flag cannot be read; ERR_INVALID: no such
 * class. out at least 254 bytes. */
WARN_UNUSED int node_class_name(const struct node_options *o, const char *wanted, char *out, size_t size, struct err *err);
/* The CRDs are there; missing classes are made, existing ones left alone; returns when the default is Ready. */
WARN_UNUSED int node_class_start(const struct node_context *c, int64_t deadline_ms, struct err *err);
