/* class_field.h: what a node class may say about the nodes made for it: one row per field, from which the CRD's schema, the check of an
 * object and the request to the cloud are made. Rows are immutable. To add a field: a row in class_field.c; azure/agent_pool_body.c puts
 * it where `property` says. */
#pragma once
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum class_field_type {
	CLASS_TEXT,    /* one of `choices`, or matches `pattern` */
	CLASS_TEXTS,   /* list of such texts */
	CLASS_INTEGER, /* min..max */
	CLASS_BOOLEAN,
	CLASS_DECIMAL, /* a number written as text ("0.5", "-1"), since fractions are no safe API type */
	CLASS_MAP,     /* text to text, at most max_items */
};
enum { CLASS_KAITO = 1 /* kaito.sh KaitoNodeClass */, CLASS_AKS = 2 /* karpenter.azure.com AKSNodeClass */ };

struct class_field {
	const char *name;       /* in spec */
	enum class_field_type type;
	unsigned kinds;         /* of CLASS_KAITO, CLASS_AKS */
	int64_t min, max;       /* of an integer */
	uint32_t max_length;    /* of a text, of a value of a map; 0: none */
	uint32_t max_items;     /* of a list or map */
	const char *choices;    /* "Managed Ephemeral"; NULL: any text */
	const char *pattern;    /* of a text: an anchored expression that POSIX and RE2 read alike; NULL: any */
	const char *property;   /* member of an agent pool's properties: "osDiskType", "gpuProfile.driver" */
	const char *since;      /* first api-version of Microsoft.ContainerService that has it; NULL: every one in use */
	const char *help;       /* one sentence */
};
extern const struct class_field CLASS_FIELDS[];
extern const size_t CLASS_FIELD_COUNT;
/* The kind's bit: "KaitoNodeClass", "AKSNodeClass"; else CLASS_KAITO. */
unsigned class_field_kind(const char *kind);
/* ERR_INVALID "spec.maxPods must be 10 to 250, is 300"; NULL and null are no value and fine. */
WARN_UNUSED int class_field_check(const struct class_field *field, const json_t *value, struct err *err);
/* Every field of that kind in `spec` (NULL: none are set). Other members are none of ours and not looked at. */
WARN_UNUSED int class_field_check_all(const json_t *spec, unsigned kind, struct err *err);
