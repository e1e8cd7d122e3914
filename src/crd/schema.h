/* schema.h: how a kind's fields are described. A shape is an object with fields; a field may hold another shape, so that a type that
 * occurs in several places (a preset, a label selector) is written once. Schemas, defaults, checks and the reference page all read these
 * rows. Everything is static and immutable. To add a field: a row in its shape (fields_*.c). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crd_type {
	CRD_STRING, CRD_INTEGER, CRD_BOOLEAN,
	CRD_OBJECT, /* with a shape */
	CRD_OPEN,   /* an object whose members are not described here (a pod template, a volume): kept as they are */
	CRD_MAP,    /* string keys; values of the shape, or strings when there is none */
	CRD_QUANTITIES /* string keys; values are Kubernetes quantities, as text or whole numbers */
};
enum crd_version { CRD_V1ALPHA1 = 1, CRD_V1BETA1 = 2, CRD_ALL = 3 };

/* One rule in CEL, evaluated by the API server. A rule that names oldSelf holds for updates only; `create` rules see it as an optional. */
struct crd_rule {
	const char *rule;
	const char *message;        /* upstream's words; used too when message_cel fails */
	const char *message_cel;    /* an expression that gives them, or NULL */
	const char *at;             /* ".preset": the child that the answer names; NULL: this object */
	enum { CRD_INVALID, CRD_FORBIDDEN, CRD_REQUIRED } reason;
	uint8_t versions;           /* of enum crd_version; 0: all */
	bool create;                /* optionalOldSelf: `oldSelf.hasValue() ||` begins the rule */
};

struct crd_shape;
struct crd_field {
	const char *name;
	enum crd_type type;
	const char *help;               /* one sentence for the schema and the page */
	const struct crd_shape *shape;
	const char *fallback;           /* default, as JSON */
	const char *choices;            /* "public private" */
	const char *format, *pattern;
	const struct crd_rule *rules;   /* on this field; ends with a row without rule */
	int64_t minimum;                /* used when has_minimum */
	uint32_t max_length, min_length;/* of a string, of the items of a list of strings or of the values of a map; 0: none */
	uint32_t max_items, min_items;  /* of a list or of a map; 0: none */
	uint8_t versions;               /* 0: all */
	int64_t maximum;                /* 0: none */
	bool list, required, has_minimum, atomic /* list or map type that apply replaces as a whole */;
};
struct crd_shape {
	const struct crd_field *fields; /* ends with a row without name */
	const struct crd_rule *rules;   /* NULL: none */
	bool atomic;
};

struct crd_column { const char *name, *type, *path, *help; int priority; };
struct crd_definition {
	const char *kind, *plural, *singular;
	const char *short_names, *category; /* separated by blanks; NULL: none */
	uint8_t versions, storage, deprecated; /* of enum crd_version */
	bool namespaced, scale;
	const struct crd_shape *shape;      /* of the object, without apiVersion, kind, metadata */
	const struct crd_column *columns;
	const char *help;
	/* Of kinds outside kaito.sh, and of kinds with a single version of another name (versions and storage are CRD_V1ALPHA1 then). */
	const char *group, *version;        /* NULL: kaito.sh, v1alpha1 and v1beta1 */
	const char *count_path;             /* scale: where the present number stands; NULL: .status.replicas, with a selector */
};
extern const struct crd_definition CRD_DEFINITIONS[];             /* the controller's kinds */
extern const struct crd_definition CRD_PROVISIONER_DEFINITIONS[]; /* what the node provisioner serves: Karpenter's kinds and its node class */

/* Shapes used by several kinds (fields_shared.c). */
extern const struct crd_shape SHAPE_SELECTOR, SHAPE_CONDITION, SHAPE_PARTITION, SHAPE_INFERENCE, SHAPE_INFERENCE_ALPHA,
	SHAPE_PRESET, SHAPE_PRESET_ALPHA, SHAPE_PERFORMANCE, SHAPE_PERFORMANCE_ALPHA; /* ALPHA: an older version has fewer fields */
/* Shapes of whole objects, one file each. */
extern const struct crd_shape SHAPE_NODE_CLAIM, SHAPE_NODE_POOL, SHAPE_MACHINE, SHAPE_NODE_CLASS;
extern const struct crd_shape SHAPE_WORKSPACE, SHAPE_INFERENCE_SET, SHAPE_MULTI_ROLE, SHAPE_MODEL_MIRROR, SHAPE_RAG_ENGINE;
/* The requirements, taints and node class reference that claims and pools share (fields_node_claim.c). */
extern const struct crd_shape SHAPE_REQUIREMENT, SHAPE_TAINT, SHAPE_CLASS_REF;
extern const struct crd_rule RULES_REQUIREMENTS[], RULES_TERM[];
#define CRD_TIME_PATTERN "^([0-9]+(s|m|h))+$"
#define CRD_TIME_OR_NEVER "^(([0-9]+(s|m|h))+|Never)$"
/* A selector that can be used as a set of labels, with at least one that is not reserved. */
extern const struct crd_rule RULES_SELECTOR[];
extern const struct crd_rule RULES_PARTITION[];
/* Pieces of rules. The API server estimates costs from maxLength and maxItems, and loses sight of them behind orValue: hence the has(). */
#define CRD_TEXT(object, name) "(has(" object "." name ") ? " object "." name " : '')"
#define CRD_SAME_TEXT(name) CRD_TEXT("self", name) " == " CRD_TEXT("oldSelf", name)
#define CRD_SAME(name) "has(self." name ") == has(oldSelf." name ") && (!has(self." name ") || self." name " == oldSelf." name ")"
/* Rows for the object of a kind whose name becomes the name of Services: a DNS-1123 label. */
#define CRD_NAME_RULES \
	{"oldSelf.hasValue() || !self.metadata.name.contains('.')", "must not contain dots", .create = true}, \
	{"oldSelf.hasValue() || size(self.metadata.name) <= 63", "must be no more than 63 characters", .create = true}
extern const struct crd_rule RULES_NAME[];
extern const struct crd_rule RULES_URLS[]; /* on a list of URLs to download */

static inline bool crd_in_version(uint8_t versions, enum crd_version v) { return versions == 0 || (versions & v) != 0; }
/* The definition of a kind of either set and which of its versions; api_version "kaito.sh/v1beta1", or "v1beta1" for the group of the kind.
 * NULL: not ours. */
const struct crd_definition *crd_definition_find(const char *api_version, const char *kind, enum crd_version *v);
const char *crd_group(const struct crd_definition *d);
const char *crd_version_name(const struct crd_definition *d, enum crd_version v);
