/* claim_view.c: see claim_view.h. A requirement key is a slot of the table below; the values of a slot are those of its first `In`
 * requirement, in order, that pass all other requirements of the slot. */
#include "cloud/claim_view.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include <string.h>
#include <strings.h>

enum slot { SLOT_TYPE, SLOT_ZONE, SLOT_CAPACITY, SLOT_OS, SLOT_ARCH, SLOT_PLACEMENT, SLOT_COUNT };
/* To understand another key: a row; the rows of a slot mean the same. */
static const struct { const char *key; enum slot slot; } KEYS[] = {
	{LABEL_INSTANCE_TYPE, SLOT_TYPE},
	{"beta.kubernetes.io/instance-type", SLOT_TYPE},
	{"karpenter.azure.com/sku-name", SLOT_TYPE},
	{LABEL_ZONE, SLOT_ZONE},
	{"failure-domain.beta.kubernetes.io/zone", SLOT_ZONE},
	{LABEL_CAPACITY_TYPE, SLOT_CAPACITY},
	{"kubernetes.io/os", SLOT_OS},
	{"beta.kubernetes.io/os", SLOT_OS},
	{"kubernetes.io/arch", SLOT_ARCH},
	{"beta.kubernetes.io/arch", SLOT_ARCH},
	{"karpenter.azure.com/placement-scope", SLOT_PLACEMENT},
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool slot_of(const char *key, enum slot *slot)
{
	for (size_t i = 0; i < COUNT(KEYS); i++)
		if (strcmp(KEYS[i].key, key) == 0)
			return *slot = KEYS[i].slot, true;
	return false;
}

/* --- operators -------------------------------------------------------------------------------------------------- */

static bool among(const json_t *values, const char *value)
{
	const json_t *v;
	size_t i;
	json_array_foreach(values, i, v)
		if (json_is_string(v) && strcasecmp(json_string_value(v), value) == 0)
			return true;
	return false;
}
/* -1, 0, 1 as value is below, at or above the bound; -2 when one of them is no number. */
static int against(const json_t *values, const char *value)
{
	const char *text = json_string_value(json_array_get(values, 0));
	int64_t bound, number;
	if (!text || !str_to_i64(str_of(text), &bound) || !str_to_i64(str_of(value), &number))
		return -2;
	return number < bound ? -1 : number > bound;
}
static bool in(const json_t *values, const char *value) { return among(values, value); }
static bool not_in(const json_t *values, const char *value) { return !among(values, value); }
static bool exists(const json_t *values, const char *value) { return (void)values, (void)value, true; }
static bool absent(const json_t *values, const char *value) { return (void)values, (void)value, false; }
static bool above(const json_t *values, const char *value) { return against(values, value) == 1; }
static bool below(const json_t *values, const char *value) { return against(values, value) == -1; }
static bool at_least(const json_t *values, const char *value) { return against(values, value) >= 0; }
static bool at_most(const json_t *values, const char *value) { int c = against(values, value); return c == -1 || c == 0; }

static const struct operator_row { const char *name; bool (*passes)(const json_t *values, const char *value); } OPERATORS[] = {
	{"In", in}, {"NotIn", not_in}, {"Exists", exists}, {"DoesNotExist", absent}, {"Gt", above}, {"Lt", below}, {"Gte", at_least}, {"Lte", at_most},
};

static const struct operator_row *operator_of(const json_t *requirement)
{
	const char *name = json_text_at(requirement, "", "operator", NULL);
	for (size_t i = 0; i < COUNT(OPERATORS); i++)
		if (strcmp(OPERATORS[i].name, name) == 0)
			return &OPERATORS[i];
	return NULL;
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

static const json_t *requirements_of(const json_t *claim) { return json_at(claim, "spec", "requirements", NULL); }

static const char *key_of(const json_t *requirement) { return json_text_at(requirement, "", "key", NULL); }

static bool is_of(const json_t *requirement, enum slot slot)
{
	enum slot found;
	return slot_of(key_of(requirement), &found) && found == slot;
}

static bool slot_allows(const json_t *claim, enum slot slot, const char *value)
{
	const json_t *r;
	size_t i;
	json_array_foreach(requirements_of(claim), i, r)
		if (is_of(r, slot) && !operator_of(r)->passes(json_object_get(r, "values"), value))
			return false;
	return true;
}

/* The first requirement of the slot (with that operator, unless NULL), or NULL. */
static const json_t *first_of(const json_t *claim, enum slot slot, const char *operator)
{
	const json_t *r;
	size_t i;
	json_array_foreach(requirements_of(claim), i, r)
		if (is_of(r, slot) && (!operator || strcmp(json_text_at(r, "", "operator", NULL), operator) == 0))
			return r;
	return NULL;
}

static int contradiction(const json_t *claim, enum slot slot, struct err *err)
{
	return err_set(err, ERR_INVALID, "the requirements on %.100s contradict each other: no value meets all of them", key_of(first_of(claim, slot, NULL)));
}

static bool listed(const char *const *list, size_t n, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i], value) == 0)
			return true;
	return false;
}

/* The slot's values in order. An `In` of which nothing is left is a contradiction. */
static int slot_values(const json_t *claim, enum slot slot, const char ***out, size_t *n, struct err *err)
{
	const json_t *source = first_of(claim, slot, "In"), *values = json_object_get(source, "values"), *v;
	size_t i;
	*out = mem_array(json_array_size(values) + 1, sizeof **out);
	json_array_foreach(values, i, v) {
		const char *text = json_string_value(v);
		if (text && text[0] && !listed(*out, *n, text) && slot_allows(claim, slot, text))
			(*out)[(*n)++] = text;
	}
	return source && *n == 0 ? contradiction(claim, slot, err) : 0;
}

/* The one value of a slot whose possible values are known: the first asked for, else the first of `all` that passes. */
static int slot_value(const json_t *claim, enum slot slot, const char *const *all, const char **out, struct err *err)
{
	const char **asked = NULL;
	size_t n = 0;
	int failed = slot_values(claim, slot, &asked, &n, err);
	*out = n > 0 ? asked[0] : NULL;
	free(asked);
	if (failed < 0)
		return -1;
	for (size_t i = 0; !*out && all[i]; i++)
		*out = slot_allows(claim, slot, all[i]) ? all[i] : NULL;
	return *out ? 0 : contradiction(claim, slot, err);
}

/* --- checks ----------------------------------------------------------------------------------------------------- */

static int check_requirements(const json_t *claim, struct err *err)
{
	const json_t *list = requirements_of(claim), *r;
	size_t i, values = 0;
	json_array_foreach(list, i, r) {
		if (key_of(r)[0] && !operator_of(r))
			return err_set(err, ERR_INVALID, "the requirement on %.100s has the operator '%.30s'; use In, NotIn, Exists, DoesNotExist, Gt or Lt", key_of(r),
				       json_text_at(r, "", "operator", NULL));
		values += json_array_size(json_object_get(r, "values"));
	}
	if (json_array_size(list) > LIMIT_CLAIM_REQUIREMENTS || values > LIMIT_CLAIM_VALUES)
		return err_set(err, ERR_LIMIT, "%zu requirements with %zu values; at most %d with %d", json_array_size(list), values, LIMIT_CLAIM_REQUIREMENTS,
			       LIMIT_CLAIM_VALUES);
	return 0;
}

/* Spot must be asked for by name, or be all that is left. */
static int read_capacity(struct claim_view *v, struct err *err)
{
	const json_t *asked = first_of(v->object, SLOT_CAPACITY, "In");
	v->on_demand = slot_allows(v->object, SLOT_CAPACITY, "on-demand");
	v->spot = slot_allows(v->object, SLOT_CAPACITY, "spot") && (asked || !v->on_demand);
	return v->spot || v->on_demand ? 0 : contradiction(v->object, SLOT_CAPACITY, err);
}

static int read_zones(struct claim_view *v, struct err *err)
{
	const json_t *scope = first_of(v->object, SLOT_PLACEMENT, "In");
	v->regional = (scope && !among(json_object_get(scope, "values"), "zonal")) || first_of(v->object, SLOT_ZONE, "DoesNotExist");
	if (!v->regional)
		return slot_values(v->object, SLOT_ZONE, &v->zones, &v->n_zones, err);
	if (first_of(v->object, SLOT_ZONE, "DoesNotExist") && first_of(v->object, SLOT_ZONE, "In"))
		return contradiction(v->object, SLOT_ZONE, err);
	return 0;
}

static int read_storage(struct claim_view *v, struct err *err)
{
	const json_t *storage = json_at(v->object, "spec", "resources", "requests", "storage", NULL);
	double bytes = 0;
	if (json_is_number(storage))
		bytes = json_number_value(storage);
	else if (json_is_string(storage) && quantity_parse(json_string_value(storage), &bytes, err) < 0)
		return err_wrap(err, "spec.resources.requests.storage");
	v->storage_bytes = bytes >= 9e18 ? INT64_MAX : (int64_t)bytes;
	return 0;
}

static int read_requirements(struct claim_view *v, struct err *err)
{
	static const char *const OSES[] = {"linux", "windows", NULL}, *const ARCHES[] = {"amd64", "arm64", NULL};
	if (check_requirements(v->object, err) < 0)
		return -1;
	if (first_of(v->object, SLOT_TYPE, "DoesNotExist"))
		return contradiction(v->object, SLOT_TYPE, err);
	if (slot_values(v->object, SLOT_TYPE, &v->instance_types, &v->n_instance_types, err) < 0 || read_zones(v, err) < 0 || read_capacity(v, err) < 0)
		return -1;
	if (slot_value(v->object, SLOT_OS, OSES, &v->os, err) < 0 || slot_value(v->object, SLOT_ARCH, ARCHES, &v->arch, err) < 0)
		return -1;
	return read_storage(v, err);
}

/* --- the view --------------------------------------------------------------------------------------------------- */

int64_t claim_view_time(const char *rfc3339)
{
	int64_t then = rfc3339 ? clock_of_rfc3339(rfc3339) : -1;
	return then > 0 ? then : 0;
}

static void read_class(struct claim_view *v, const json_t *spec)
{
	const json_t *reference = json_object_get(spec, v->dialect == &DIALECT_MACHINE ? "machineTemplateRef" : "nodeClassRef");
	v->class_group = json_text_at(reference, "", "group", NULL);
	v->class_kind = json_text_at(reference, "", "kind", NULL);
	v->class_name = json_text_at(reference, "", "name", NULL);
}

static const char *annotation_or(const json_t *claim, const char *key, const char *fallback)
{
	const char *value = meta_annotation(claim, key);
	return value ? value : fallback;
}

int claim_view_init(struct claim_view *v, const json_t *claim, struct err *err)
{
	*v = (struct claim_view){.dialect = dialect_of(claim), .object = claim, .name = meta_name(claim), .uid = meta_uid(claim)};
	if (!v->dialect)
		return err_set(err, ERR_INVALID, "'%.60s' %.60s is neither a karpenter.sh/v1 NodeClaim nor a karpenter.sh/v1alpha5 Machine",
			       json_text_at(claim, "", "apiVersion", NULL), json_text_at(claim, "", "kind", NULL));
	if (!v->name[0])
		return err_set(err, ERR_INVALID, "a %s without a name", v->dialect->claims->kind);
	const json_t *spec = json_object_get(claim, "spec");
	v->created_s = claim_view_time(json_text_at(claim, "", "metadata", "creationTimestamp", NULL));
	v->image_family = annotation_or(claim, ANNOTATION_IMAGE_FAMILY, "");
	v->memo = meta_annotation(claim, ANNOTATION_OPERATION);
	v->labels = json_at(claim, "metadata", "labels", NULL);
	v->annotations = json_at(claim, "metadata", "annotations", NULL);
	v->taints = json_object_get(spec, "taints");
	v->startup_taints = json_object_get(spec, "startupTaints");
	read_class(v, spec);
	if (read_requirements(v, err) < 0) {
		claim_view_done(v);
		return -1;
	}
	return 0;
}

void claim_view_done(struct claim_view *v)
{
	free(v->instance_types);
	free(v->zones);
	v->instance_types = v->zones = NULL;
	v->n_instance_types = v->n_zones = 0;
}

bool claim_view_allows(const struct claim_view *v, const char *key, const char *value)
{
	enum slot slot;
	return !slot_of(key, &slot) || slot_allows(v->object, slot, value);
}

/* --- labels ----------------------------------------------------------------------------------------------------- */

static bool in_domain(const char *key, const char *domain)
{
	const char *slash = strchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) : 0, m = strlen(domain);
	return n >= m && strncmp(key + n - m, domain, m) == 0 && (n == m || key[n - m - 1] == '.');
}

/* Nodes may carry these domains of Kubernetes; all others of it, of Karpenter and of AKS are set by those themselves. */
static bool key_refused(const char *key)
{
	static const char *const KEPT[] = {"kops.k8s.io", "node-restriction.kubernetes.io"};
	static const char *const REFUSED[] = {"kubernetes.io", "k8s.io", "karpenter.sh", "kubernetes.azure.com"};
	enum slot slot;
	if (slot_of(key, &slot) && slot != SLOT_PLACEMENT && strncmp(key, "karpenter.azure.com/", 20) != 0)
		return true;
	for (size_t i = 0; i < COUNT(KEPT); i++)
		if (in_domain(key, KEPT[i]))
			return false;
	for (size_t i = 0; i < COUNT(REFUSED); i++)
		if (in_domain(key, REFUSED[i]))
			return true;
	return !key[0];
}

/* At most 63 letters, digits, '-', '_', '.', the first and last a letter or digit; or empty. */
static bool is_label_value(const char *value)
{
	static const char ALPHANUMERIC[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(value);
	return n <= 63 && strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == n &&
	       (n == 0 || (strchr(ALPHANUMERIC, value[0]) && strchr(ALPHANUMERIC, value[n - 1])));
}

json_t *claim_view_requirement_labels(const struct claim_view *v)
{
	json_t *labels = json_object();
	const json_t *r;
	size_t i;
	json_array_foreach(requirements_of(v->object), i, r) {
		const json_t *values = json_object_get(r, "values");
		const char *value = json_string_value(json_array_get(values, 0));
		if (strcmp(json_text_at(r, "", "operator", NULL), "In") == 0 && json_array_size(values) == 1 && value && is_label_value(value) && !key_refused(key_of(r)))
			json_object_set_new(labels, key_of(r), json_string(value));
	}
	return labels;
}

/* --- whose is it ------------------------------------------------------------------------------------------------ */

static bool kaito_label(const json_t *object) { return meta_label(object, LABEL_KAITO_WORKSPACE) || meta_label(object, LABEL_KAITO_RAG_ENGINE); }

bool claim_managed(const json_t *claim)
{
	const json_t *reference = json_at(claim, "spec", "nodeClassRef", NULL);
	return kaito_label(claim) || (strcmp(json_text_at(reference, "", "group", NULL), "kaito.sh") == 0 &&
				      strcmp(json_text_at(reference, "", "kind", NULL), "KaitoNodeClass") == 0);
}

bool claim_managed_node(const json_t *node) { return kaito_label(node) || meta_label(node, LABEL_NODE_CLASS); }
