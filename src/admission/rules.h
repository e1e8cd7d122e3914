/* rules.h: what the files of rules share: the object under admission, the lookups, and where errors and warnings go. Each file of
 * rules is one topic; to add a rule: a line there, a row in docs/admission-rules.md and a case in tests/golden/validation. */
#pragma once
#include "admission/field_errors.h"
#include "admission/validate.h"
#include "crd/names.h"
#include "crd/workspace_view.h"
#include "kube/meta.h"

/* Owner: one thread, for one call of validate_object. */
struct admission {
	const struct control_options *o;
	const struct validate_lookup *lookup; /* never NULL */
	const json_t *object, *old;           /* old NULL: CREATE */
	bool v1alpha1;
	const char *namespace_;
	struct workspace_view w;              /* Workspace only */
	struct field_errors errors;
	struct validate_errors *out;
	const struct catalog_model *model;    /* of the preset, when known */
	bool model_failed;                    /* an error about the model is told already */
};

void admission_warn(struct admission *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A rule that could not be checked, in words. */
void admission_unchecked(struct admission *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

enum admission_found { ADMISSION_FOUND, ADMISSION_ABSENT, ADMISSION_FAILED, ADMISSION_UNCHECKED };
/* Asks the cluster for one object; *out is a new reference when it was found. FAILED: err says why. */
enum admission_found admission_get(struct admission *a, const char *kind, const char *namespace_, const char *name, json_t **out, struct err *err);

/* A member that a Go pointer would call set: there and not null. */
const json_t *admission_member(const json_t *object, const char *key);
/* The string there, or "". */
const char *admission_text(const json_t *object, const char *key);
/* Own nodes: node auto-provisioning is off. */
bool admission_own_nodes(const struct admission *a);
/* kubectl's spelling of the annotation's value, NULL when absent. */
static inline const char *admission_annotation(const struct admission *a, const char *key) { return meta_annotation(a->object, key); }

/* --- names (name_rules.c) --- */
/* A name of a workload: DNS-1123 label, as upstream says it. */
void name_rules_check(struct admission *a);
bool name_is_label(const char *name);
bool name_is_subdomain(const char *name);
/* apimachinery's words for what is wrong with a DNS-1123 subdomain. */
extern const char NAME_SUBDOMAIN_WORDS[];
/* Appends the placeholders of an example that text still has ("ACR_REPO_HERE", "<your-registry>"), joined by commas. */
void name_placeholders(str text, struct buf *out);

/* --- topics --- */
void workspace_rules_create(struct admission *a);        /* one of inference and tuning, instance type, annotations */
void workspace_rules_node_class(struct admission *a);    /* create and update */
void workspace_rules_streaming(struct admission *a);
void inference_rules_create(struct admission *a);
void adapter_rules_create(struct admission *a);
void adapter_rules_update(struct admission *a, const json_t *old_adapters);
void resource_rules_inference(struct admission *a);
void resource_rules_tuning(struct admission *a);
/* An instance type against the SKU table; path for the error. true: it may be used. */
bool resource_rules_instance(struct admission *a, const char *path, const char *instance_type);
void partition_rules_create(struct admission *a);
void tuning_rules_create(struct admission *a);
void config_rules_inference(struct admission *a);
void config_rules_tuning(struct admission *a);
void update_rules_workspace(struct admission *a);
void warning_rules_workspace(struct admission *a);
void inference_set_rules(struct admission *a);
void multi_role_rules(struct admission *a);
void model_mirror_rules(struct admission *a);
void rag_engine_rules(struct admission *a);
/* The rules of a Workspace's CREATE, for a child that a set would make; errors get the prefix. */
void validate_workspace_create(struct admission *a);

/* --- values --- */
/* Docker's grammar for image references: NULL when fine, else its words (static or in buffer of at least 512 bytes). */
const char *image_rule_check(const char *image, char *buffer, size_t size);
/* NULL when the URL may be fetched, else upstream's words. */
const char *url_rule_check(const char *url);
/* Whether Go's url.ParseRequestURI would read it. */
bool url_rule_parses(const char *url);
/* Five cron fields or a descriptor; why gets the Go library's words. */
bool cron_rule_check(const char *schedule, char *why, size_t size);
/* It names a time zone other than UTC. */
bool cron_rule_is_zoned(const char *schedule);
/* The model of a preset: catalogue, then hub. Fills a->model or reports. path: of the error. */
void model_rules_resolve(struct admission *a, const char *preset, const char *secret, const char *path);
bool model_rules_name_ok(const char *preset);
