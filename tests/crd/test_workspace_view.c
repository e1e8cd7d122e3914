/* test_workspace_view.c: decoding of Workspaces: defaults, annotations, gates, selectors, and objects of the wrong shape. */
#include "check_main.h"

#include "codec/json.h"
#include "crd/workspace_view.h"
#include <string.h>

static struct control_options options;

static json_t *read_view(const char *text, struct workspace_view *w)
{
	json_t *object = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse(&object, str_of(text), "test", &err) == 0, "%s", err.message);
	workspace_view_read(w, object, &options);
	return object;
}

static void setup(void) { options = control_options_default(); }

START_TEST(a_tuning_workspace_is_read)
{
	struct workspace_view w;
	setup();
	json_t *o = read_view("{\"apiVersion\":\"kaito.sh/v1alpha1\",\"metadata\":{\"name\":\"t\",\"namespace\":\"d\",\"uid\":\"u\",\"generation\":3},"
			      "\"resource\":{\"instanceType\":\"Standard_NC6s_v3\",\"labelSelector\":{\"matchLabels\":{\"app\":\"x\"}}},"
			      "\"tuning\":{\"preset\":{\"name\":\"phi\",\"presetOptions\":{\"modelAccessSecret\":\"s\"}},\"method\":\"qlora\",\"config\":\"c\"}}", &w);
	ck_assert_str_eq(w.name, "t");
	ck_assert_str_eq(w.namespace_, "d");
	ck_assert_int_eq(w.generation, 3);
	ck_assert_int_eq(w.count, 1);
	ck_assert_str_eq(w.preset, "phi");
	ck_assert_str_eq(w.access_secret, "s");
	ck_assert_str_eq(w.method, "qlora");
	ck_assert_str_eq(w.config, "c");
	ck_assert_ptr_null(w.inference);
	ck_assert(!w.benchmark);
	ck_assert_int_eq(w.after_success, AFTER_SERVE); /* v1alpha1 without the field */
	json_decref(o);
}
END_TEST

START_TEST(annotations_and_labels_are_read)
{
	struct workspace_view w;
	setup();
	json_t *o = read_view("{\"metadata\":{\"labels\":{\"inferenceset.kaito.sh/created-by\":\"s\",\"kaito.sh/inference-role\":\"decode\"},\"annotations\":"
			      "{\"kaito.sh/enablelb\":\"True\",\"kaito.sh/disable-benchmark\":\"true\",\"kaito.sh/performance-mode\":\"throughput\",\"kaito.sh/use-local-weights\":\"true\"}},"
			      "\"inference\":{\"preset\":{\"name\":\"m\"},\"adapters\":[{}]},\"resource\":{\"count\":2,\"partition\":{\"mode\":\"mig\",\"profile\":\"1g.10gb\"}}}", &w);
	ck_assert(w.load_balancer && w.local_weights && !w.benchmark);
	ck_assert_str_eq(w.performance_mode, "throughput");
	ck_assert_str_eq(w.inference_set, "s");
	ck_assert_str_eq(w.role, "decode");
	ck_assert_str_eq(w.partition_profile, "1g.10gb");
	ck_assert_int_eq(w.count, 2);
	ck_assert_uint_eq(json_array_size(w.adapters), 1);
	json_decref(o);
}
END_TEST

static enum runtime runtime_with(const char *annotation, bool *given)
{
	struct workspace_view w;
	char text[128];
	snprintf(text, sizeof text, "{\"metadata\":{\"annotations\":{%s%s%s}}}", annotation ? "\"kaito.sh/runtime\":\"" : "", annotation ? annotation : "", annotation ? "\"" : "");
	json_decref(read_view(text, &w));
	*given = w.runtime_given;
	return w.runtime;
}

START_TEST(runtime_follows_annotation_and_gate)
{
	bool given;
	setup();
	ck_assert_int_eq(runtime_with(NULL, &given), RUNTIME_VLLM);
	ck_assert(!given);
	ck_assert_int_eq(runtime_with("transformers", &given), RUNTIME_TRANSFORMERS);
	ck_assert(given);
	ck_assert_int_eq(runtime_with("native", &given), RUNTIME_NATIVE);
	ck_assert_int_eq(runtime_with("nosuch", &given), RUNTIME_VLLM);
	options.gates[GATE_VLLM] = false;
	ck_assert_int_eq(runtime_with("vllm", &given), RUNTIME_TRANSFORMERS);
	ck_assert_int_eq(runtime_with("native", &given), RUNTIME_NATIVE);
}
END_TEST

static enum after_success after(const char *version, const char *tuning)
{
	struct workspace_view w;
	char text[160];
	setup();
	snprintf(text, sizeof text, "{\"apiVersion\":\"kaito.sh/%s\"%s}", version, tuning);
	json_decref(read_view(text, &w));
	return w.after_success;
}

START_TEST(after_success_has_its_versions_default)
{
	ck_assert_int_eq(after("v1alpha1", ",\"tuning\":{}"), AFTER_SERVE);
	ck_assert_int_eq(after("v1beta1", ",\"tuning\":{}"), AFTER_KEEP);
	ck_assert_int_eq(after("v1alpha1", ",\"inference\":{}"), AFTER_KEEP);
	ck_assert_int_eq(after("v1beta1", ",\"tuning\":{\"afterSuccess\":\"Release\"}"), AFTER_RELEASE);
	ck_assert_int_eq(after("v1beta1", ",\"tuning\":{\"afterSuccess\":\"Serve\"}"), AFTER_SERVE);
	ck_assert_int_eq(after("v1alpha1", ",\"tuning\":{\"afterSuccess\":\"Keep\"}"), AFTER_KEEP);
}
END_TEST

START_TEST(match_labels_leave_reserved_keys_out)
{
	struct workspace_view w;
	setup();
	json_t *o = read_view("{\"resource\":{\"labelSelector\":{\"matchLabels\":{\"a\":\"1\",\"kaito.sh/workspace\":\"x\",\"karpenter.kaito.sh/inferenceset\":\"y\"},"
			      "\"matchExpressions\":[{\"key\":\"b\",\"operator\":\"In\",\"values\":[\"2\"]},{\"key\":\"c\",\"operator\":\"In\",\"values\":[\"2\",\"3\"]},"
			      "{\"key\":\"d\",\"operator\":\"Exists\"},{\"operator\":\"In\",\"values\":[\"2\"]},7]}}}", &w);
	json_t *labels = workspace_match_labels(&w), *expected = json_pack("{s:s,s:s}", "a", "1", "b", "2");
	ck_assert(json_equal(labels, expected));
	json_decref(labels);
	json_decref(expected);
	json_decref(o);
}
END_TEST

START_TEST(wrong_shapes_read_as_absent)
{
	static const char *const TEXTS[] = {"[]", "7", "{}", "{\"metadata\":[],\"resource\":7,\"inference\":\"x\",\"tuning\":[]}",
		"{\"resource\":{\"count\":\"two\",\"labelSelector\":[],\"partition\":1},\"inference\":{\"preset\":[],\"adapters\":{},\"config\":7,\"template\":\"x\"}}",
		"{\"resource\":{\"labelSelector\":{\"matchLabels\":{\"a\":7},\"matchExpressions\":{\"key\":1}}}}"};
	setup();
	for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
		struct workspace_view w;
		char hash[65];
		json_t *o = read_view(TEXTS[i], &w), *labels = workspace_match_labels(&w);
		ck_assert_str_eq(w.preset, "");
		ck_assert_int_eq(w.count, 1);
		ck_assert_uint_eq(json_object_size(labels), 0);
		workspace_hash(&w, hash);
		ck_assert_uint_eq(strlen(hash), 64);
		json_decref(labels);
		json_decref(o);
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("workspace_view", 10, a_tuning_workspace_is_read, annotations_and_labels_are_read, runtime_follows_annotation_and_gate,
		  after_success_has_its_versions_default, match_labels_leave_reserved_keys_out, wrong_shapes_read_as_absent);
}
