/* test_manifest.c: the definitions made from the field tables: names, columns, defaults, and that the files printed from them are fresh. */
#include "check_main.h"

#include "base/fd.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "crd/crd.h"
#include "crd/reference.h"
#include "crd/schema.h"
#include "crd/yaml_text.h"
#include "kube/meta.h"
#include <string.h>

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &err) == 0, "%s", err.message);
	return out;
}

static const json_t *version_of(const json_t *manifest, const char *name)
{
	size_t i;
	const json_t *v;
	json_array_foreach(json_at(manifest, "spec", "versions", NULL), i, v)
		if (strcmp(json_text_at(v, "", "name", NULL), name) == 0)
			return v;
	ck_abort_msg("no version %s", name);
	return NULL;
}

static const json_t *properties_of(const json_t *manifest, const char *version)
{
	return json_at(version_of(manifest, version), "schema", "openAPIV3Schema", "properties", NULL);
}

START_TEST(every_kind_has_a_definition)
{
	static const char *const NAMES[] = {"workspaces.kaito.sh", "inferencesets.kaito.sh", "multiroleinferences.kaito.sh", "modelmirrors.kaito.sh", "ragengines.kaito.sh"};
	for (size_t i = 0; i < CRD_COUNT; i++) {
		json_t *m = crd_manifest(i);
		ck_assert_str_eq(meta_name(m), NAMES[i]);
		ck_assert_str_eq(json_text_at(m, "", "spec", "names", "kind", NULL), crd_kind(i));
		ck_assert_str_eq(meta_annotation(m, "helm.sh/resource-policy"), "keep");
		ck_assert_str_eq(json_text_at(m, "", "spec", "scope", NULL), i == 3 ? "Cluster" : "Namespaced");
		json_decref(m);
	}
	ck_assert_ptr_null(crd_manifest(CRD_COUNT));
	ck_assert_ptr_null(crd_kind(CRD_COUNT));
}
END_TEST

START_TEST(the_provisioners_kinds_have_karpenters_names)
{
	static const struct { const char *name, *group, *version; } KINDS[CRD_PROVISIONER_COUNT] = {
		{"nodeclaims.karpenter.sh", "karpenter.sh", "v1"}, {"nodepools.karpenter.sh", "karpenter.sh", "v1"},
		{"machines.karpenter.sh", "karpenter.sh", "v1alpha5"}, {"kaitonodeclasses.kaito.sh", "kaito.sh", "v1alpha1"},
	};
	for (size_t i = 0; i < CRD_PROVISIONER_COUNT; i++) {
		json_t *m = crd_provisioner_manifest(i);
		ck_assert_str_eq(meta_name(m), KINDS[i].name);
		ck_assert_str_eq(json_text_at(m, "", "spec", "group", NULL), KINDS[i].group);
		ck_assert_str_eq(json_text_at(m, "", "spec", "scope", NULL), "Cluster");
		ck_assert_str_eq(json_text_at(m, "", "spec", "names", "kind", NULL), crd_provisioner_kind(i));
		ck_assert(json_is_true(json_object_get(version_of(m, KINDS[i].version), "storage")));
		ck_assert_uint_eq(json_array_size(json_at(m, "spec", "versions", NULL)), 1);
		json_decref(m);
	}
	ck_assert_ptr_null(crd_provisioner_manifest(CRD_PROVISIONER_COUNT));
	ck_assert_ptr_null(crd_provisioner_kind(CRD_PROVISIONER_COUNT));
}
END_TEST

static void check_columns(const json_t *version, const char *shown, const char *wide)
{
	struct buf names[2] = {0};
	size_t i;
	const json_t *c;
	json_array_foreach(json_object_get(version, "additionalPrinterColumns"), i, c)
		buf_printf(&names[json_int_at(c, 0, "priority", NULL)], "%s ", json_text_at(c, "", "name", NULL));
	ck_assert_str_eq(buf_str(&names[0]).data, shown);
	ck_assert_str_eq(buf_str(&names[1]).data, wide);
	buf_done(&names[0]);
	buf_done(&names[1]);
}

START_TEST(workspace_columns_are_the_quick_starts_in_both_versions)
{
	json_t *m = crd_manifest(0);
	const char *const versions[] = {"v1alpha1", "v1beta1"};
	for (size_t i = 0; i < 2; i++)
		check_columns(version_of(m, versions[i]), "Instance ResourceReady InferenceReady WorkspaceReady Age ",
			      "JobStarted WorkspaceSucceeded TargetNodeCount State ");
	ck_assert(json_is_true(json_object_get(version_of(m, "v1beta1"), "storage")));
	ck_assert(json_is_false(json_object_get(version_of(m, "v1alpha1"), "storage")));
	json_decref(m);
}
END_TEST

START_TEST(claims_and_pools_look_as_karpenters)
{
	json_t *claim = crd_provisioner_manifest(0), *pool = crd_provisioner_manifest(1);
	const json_t *v = version_of(claim, "v1"), *spec = json_at(v, "schema", "openAPIV3Schema", "properties", "spec", NULL);
	check_columns(v, "Type Capacity Zone Node Ready Age ", "ImageID ID NodePool NodeClass Drifted ");
	ck_assert_str_eq(json_text_at(json_array_get(json_object_get(v, "additionalPrinterColumns"), 0), "", "jsonPath", NULL),
			 ".metadata.labels.node\\.kubernetes\\.io/instance-type");
	ck_assert_str_eq(json_text_at(json_array_get(json_object_get(spec, "x-kubernetes-validations"), 0), "", "rule", NULL), "self == oldSelf");
	ck_assert_str_eq(json_text_at(spec, "", "properties", "expireAfter", "default", NULL), "720h");
	ck_assert_int_eq(json_int_at(spec, 0, "properties", "requirements", "maxItems", NULL), 100);
	ck_assert(json_is_true(json_at(spec, "properties", "resources", "properties", "requests", "additionalProperties", "x-kubernetes-int-or-string", NULL)));
	v = version_of(pool, "v1");
	check_columns(v, "NodeClass Nodes Ready Age ", "Weight CPU Memory ");
	ck_assert_str_eq(json_text_at(v, "", "subresources", "scale", "statusReplicasPath", NULL), ".status.nodes");
	ck_assert_ptr_null(json_at(v, "subresources", "scale", "labelSelectorPath", NULL));
	ck_assert_int_eq(json_int_at(properties_of(pool, "v1"), 0, "spec", "properties", "weight", "maximum", NULL), 100);
	json_decref(claim);
	json_decref(pool);
}
END_TEST

START_TEST(versions_differ_where_upstreams_do)
{
	json_t *m = crd_manifest(0);
	const json_t *alpha = properties_of(m, "v1alpha1"), *beta = properties_of(m, "v1beta1");
	ck_assert_str_eq(json_text_at(alpha, "", "tuning", "properties", "afterSuccess", "default", NULL), "Serve");
	ck_assert_str_eq(json_text_at(beta, "", "tuning", "properties", "afterSuccess", "default", NULL), "Keep");
	ck_assert_str_eq(json_text_at(alpha, "", "resource", "properties", "instanceType", "default", NULL), "Standard_NC24ads_A100_v4");
	ck_assert_ptr_null(json_at(beta, "resource", "properties", "instanceType", "default", NULL));
	ck_assert_ptr_null(json_at(alpha, "resource", "properties", "partition", NULL));
	ck_assert_int_eq(json_int_at(beta, 0, "resource", "properties", "partition", "properties", "count", "minimum", NULL), 1);
	const char *const path[] = {"inference", "tuning"};
	for (size_t i = 0; i < 2; i++) {
		ck_assert_ptr_null(json_at(alpha, path[i], "properties", "preset", "properties", "presetOptions", "properties", "modelAccessSecret", NULL));
		ck_assert_ptr_nonnull(json_at(beta, path[i], "properties", "preset", "properties", "presetOptions", "properties", "modelAccessSecret", NULL));
	}
	ck_assert(json_is_true(json_at(beta, "inference", "properties", "template", "x-kubernetes-preserve-unknown-fields", NULL)));
	json_decref(m);
}
END_TEST

START_TEST(inference_set_can_be_scaled_and_old_rag_engines_warn)
{
	json_t *set = crd_manifest(1), *rag = crd_manifest(4);
	ck_assert_str_eq(json_text_at(version_of(set, "v1beta1"), "", "subresources", "scale", "labelSelectorPath", NULL), ".status.selector");
	ck_assert_int_eq(json_int_at(properties_of(set, "v1beta1"), -1, "spec", "properties", "replicas", "minimum", NULL), 0);
	ck_assert(json_is_true(json_object_get(version_of(rag, "v1alpha1"), "deprecated")));
	ck_assert_ptr_null(json_object_get(version_of(rag, "v1beta1"), "deprecated"));
	json_decref(set);
	json_decref(rag);
}
END_TEST

/* Each rule has a message of one line, names a version, and no rule asks for oldSelf in two ways. */
static void check_rules(const struct crd_rule *r)
{
	for (; r && r->rule; r++) {
		ck_assert_msg(r->message && r->message[0] && !strchr(r->message, '\n'), "%s", r->rule);
		ck_assert_msg(r->create == (strstr(r->rule, "oldSelf.hasValue()") != NULL), "%s", r->rule);
		ck_assert_msg(!strstr(r->rule, "{{"), "%s", r->rule); /* the chart's template language */
	}
}

static void check_shape(const struct crd_shape *s)
{
	check_rules(s->rules);
	for (const struct crd_field *f = s->fields; f->name; f++) {
		size_t len = strlen(f->help);
		ck_assert_msg(len > 1 && f->help[len - 1] == '.', "%s: help is a sentence", f->name);
		ck_assert_msg((f->type == CRD_OBJECT) == (f->shape != NULL) || f->type == CRD_MAP, "%s", f->name);
		check_rules(f->rules);
		if (f->shape)
			check_shape(f->shape);
	}
}

START_TEST(rows_are_complete)
{
	for (size_t i = 0; i < CRD_COUNT; i++)
		check_shape(CRD_DEFINITIONS[i].shape);
	for (size_t i = 0; i < CRD_PROVISIONER_COUNT; i++)
		check_shape(CRD_PROVISIONER_DEFINITIONS[i].shape);
}
END_TEST

START_TEST(printed_files_are_fresh)
{
	struct buf printed = {0}, stored = {0};
	struct err err = ERR_INIT;
	char *name = crd_page((size_t)_i, &printed);
	ck_assert_msg(fd_read_file(source_path(name), (size_t)1 << 20, &stored, &err) == 0, "%s", err.message);
	ck_assert_msg(str_eq(buf_str(&printed), buf_str(&stored)), "%s is stale: run kaito-crds SOURCE_ROOT", name);
	free(name);
	buf_done(&printed);
	buf_done(&stored);
}
END_TEST

START_TEST(printed_yaml_reads_back_as_the_same_manifest)
{
	json_t *m = _i < CRD_COUNT ? crd_manifest((size_t)_i) : crd_provisioner_manifest((size_t)_i - CRD_COUNT);
	struct buf text = {0};
	struct yaml_doc doc;
	struct err err = ERR_INIT;
	yaml_text(m, &text);
	ck_assert_msg(yaml_parse(&doc, buf_str(&text), meta_name(m), &err) == 0, "%s", err.message);
	ck_assert(json_equal(doc.root, m));
	yaml_doc_done(&doc);
	buf_done(&text);
	json_decref(m);
}
END_TEST

START_TEST(yaml_quotes_what_is_not_plain_text)
{
	json_t *v = parse("{\"a b\":\"yes\",\"n\":\"1.5\",\"e\":\"\",\"l\":[[1,2],{},[],{\"x\":null}],\"t\":\"- no: # {} \\n\",\"ok\":\"some/path-1.0 (x)\",\"o\":{},\"s\":\"end \"}");
	struct buf out = {0};
	yaml_text(v, &out);
	ck_assert_str_eq(out.data, "a b: \"yes\"\nn: \"1.5\"\ne: \"\"\nl:\n-\n  - 1\n  - 2\n- {}\n- []\n- x: null\nt: \"- no: # {} \\n\"\nok: some/path-1.0 (x)\no: {}\ns: \"end \"\n");
	buf_done(&out);
	json_decref(v);
}
END_TEST

/* --- defaults and checks ------------------------------------------------------------------------------------- */

static void check_defaults(const char *kind, const char *version, const char *given, const char *expected)
{
	json_t *object = parse(given), *wanted = parse(expected);
	crd_default(kind, version, object);
	ck_assert_msg(json_equal(object, wanted), "%s", json_dumps(object, 0));
	json_decref(object);
	json_decref(wanted);
}

START_TEST(defaults_are_filled_in_as_the_api_server_does)
{
	check_defaults("Workspace", "kaito.sh/v1alpha1", "{\"resource\":{\"count\":null},\"tuning\":{\"preset\":{\"name\":\"x\"}}}",
		       "{\"resource\":{\"count\":1,\"instanceType\":\"Standard_NC24ads_A100_v4\"},\"tuning\":{\"afterSuccess\":\"Serve\",\"preset\":{\"name\":\"x\",\"accessMode\":\"public\"}}}");
	check_defaults("Workspace", "kaito.sh/v1beta1", "{\"resource\":{\"count\":2},\"inference\":{\"preset\":null}}", "{\"resource\":{\"count\":2},\"inference\":{}}");
	check_defaults("InferenceSet", "v1beta1", "{\"spec\":{\"autoUpgrade\":{\"maintenanceWindow\":{}}}}",
		       "{\"spec\":{\"replicas\":1,\"updateStrategy\":{\"rollingUpdate\":{\"maxUnavailable\":1},\"type\":\"RollingUpdate\"},"
		       "\"autoUpgrade\":{\"enabled\":false,\"strategy\":\"InPlace\",\"maintenanceWindow\":{\"duration\":\"4h\"}}}}");
	check_defaults("Workspace", "kaito.sh/v7", "{\"resource\":{}}", "{\"resource\":{}}");
	check_defaults("Pod", "v1", "{}", "{}");
	check_defaults("NodePool", "karpenter.sh/v1", "{\"spec\":{\"disruption\":{}}}",
		       "{\"spec\":{\"disruption\":{\"budgets\":[{\"nodes\":\"10%\"}],\"consolidateAfter\":\"0s\",\"consolidationPolicy\":\"WhenEmptyOrUnderutilized\"}}}");
	check_defaults("Workspace", "kaito.sh/v1beta1", "[]", "[]");
}
END_TEST

static void check_says(const char *kind, const char *version, const char *given, size_t count, const char *expected)
{
	json_t *object = parse(given);
	struct buf out = {0};
	ck_assert_uint_eq(crd_check(kind, version, object, &out), count);
	ck_assert_str_eq(buf_str(&out).data, expected);
	buf_done(&out);
	json_decref(object);
}

START_TEST(unknown_and_mistyped_fields_are_named)
{
	check_says("Workspace", "kaito.sh/v1beta1", "{\"apiVersion\":\"x\",\"kind\":\"y\",\"metadata\":{\"z\":1},\"resource\":{\"labelSelector\":{\"matchLabels\":{\"a\":\"b\"}}},"
		   "\"inference\":{\"template\":{\"any\":[1]},\"config\":null}}", 0, "");
	check_says("Workspace", "kaito.sh/v1beta1", "{\"spec\":{},\"inference\":{\"presett\":{},\"adapters\":[{\"source\":{\"urls\":[7]}}],\"template\":1}}", 4,
		   "spec: unknown field\ninference.presett: unknown field; did you mean 'preset'?\ninference.adapters[0].source.urls[0]: must be a string, is integer\n"
		   "inference.template: must be an object, is integer\n");
	check_says("Workspace", "kaito.sh/v1alpha1", "{\"resource\":{\"count\":\"1\",\"partition\":{}},\"tuning\":{\"input\":{},\"afterSuccess\":\"Never\"}}", 5,
		   "resource.count: must be an integer, is string\nresource.partition: unknown field\nresource.labelSelector: required value\n"
		   "tuning.afterSuccess: 'Never' is not one of: Serve Release Keep\ntuning.output: required value\n");
	check_says("MultiRoleInference", "kaito.sh/v1alpha1", "{\"spec\":{\"roles\":[{\"type\":\"prefill\",\"replicas\":0}],\"model\":{\"name\":7},\"labelSelector\":{\"matchLabels\":{\"a\":1}}}}", 3,
		   "spec.roles: has 1 items; 2 to 2 are allowed\nspec.model.name: must be a string, is integer\nspec.labelSelector.matchLabels.a: must be a string, is integer\n");
	check_says("InferenceSet", "kaito.sh/v1beta1", "{\"spec\":{\"replicas\":-1,\"autoUpgrade\":{\"enabled\":\"yes\"},\"template\":[],\"labelSelector\":null}}", 4,
		   "spec.replicas: must be at least 0\nspec.autoUpgrade.enabled: must be a boolean, is string\nspec.template: must be an object, is array\nspec.labelSelector: required value\n");
	check_says("MultiRoleInference", "kaito.sh/v1beta1", "{}", 1, "kaito.sh/v1beta1 MultiRoleInference: not a kind and version of kaito.sh\n");
	check_says("NodeClaim", "karpenter.sh/v1", "{\"spec\":{\"requirements\":[],\"resources\":{\"requests\":{\"storage\":\"1Gi\",\"cpu\":2,\"memory\":true}}}}", 2,
		   "spec.resources.requests.memory: must be a quantity, is boolean\nspec.nodeClassRef: required value\n");
	check_says("KaitoNodeClass", "kaito.sh/v1alpha1", "{\"spec\":{\"maxPods\":251,\"osDiskSizeGB\":29}}", 2,
		   "spec.maxPods: must be at most 250\nspec.osDiskSizeGB: must be at least 30\n");
	check_says("NodeClaim", "kaito.sh/v1", "{}", 1, "kaito.sh/v1 NodeClaim: not a kind and version of kaito.sh\n");
	check_says("NodePool", "karpenter.sh/v1", "{\"spec\":{\"limits\":[]}}", 2, "spec.limits: must be an object, is array\nspec.template: required value\n");
	check_says("Workspace", "kaito.sh/v1beta1", "7", 1, ": must be an object, is integer\n");
}
END_TEST

START_TEST(limits_are_checked_at_and_past_them)
{
	char text[400], name[258];
	memset(name, 'a', sizeof name - 1);
	for (size_t len = 256; len <= 257; len++) {
		snprintf(text, sizeof text, "{\"resource\":{\"labelSelector\":{},\"instanceType\":\"%.*s\"}}", (int)len, name);
		check_says("Workspace", "kaito.sh/v1beta1", text, len - 256, len == 256 ? "" : "resource.instanceType: is longer than 256 characters\n");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *tc = tcase_create("manifest");
	tcase_add_test(tc, every_kind_has_a_definition);
	tcase_add_test(tc, the_provisioners_kinds_have_karpenters_names);
	tcase_add_test(tc, claims_and_pools_look_as_karpenters);
	tcase_add_test(tc, workspace_columns_are_the_quick_starts_in_both_versions);
	tcase_add_test(tc, versions_differ_where_upstreams_do);
	tcase_add_test(tc, inference_set_can_be_scaled_and_old_rag_engines_warn);
	tcase_add_test(tc, rows_are_complete);
	tcase_add_loop_test(tc, printed_files_are_fresh, 0, CRD_PAGE_COUNT);
	tcase_add_loop_test(tc, printed_yaml_reads_back_as_the_same_manifest, 0, CRD_COUNT + CRD_PROVISIONER_COUNT);
	tcase_add_test(tc, yaml_quotes_what_is_not_plain_text);
	tcase_add_test(tc, defaults_are_filled_in_as_the_api_server_does);
	tcase_add_test(tc, unknown_and_mistyped_fields_are_named);
	tcase_add_test(tc, limits_are_checked_at_and_past_them);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
