/* Why a workload is not ready: each class, their order, the pod contract's message, and what is no failure. */
#include "check_main.h"
#include "codec/json.h"
#include "workload/failure.h"
#include <string.h>

static bool failure_in(const char *pods, struct failure *out)
{
	json_t *value = json_loads(pods, 0, NULL);
	ck_assert_msg(value != NULL, "%s", pods);
	bool found = failure_of_pods(value, out);
	json_decref(value);
	return found;
}

/* One pod with one status of its container "c" (list "containerStatuses" or "initContainerStatuses"). */
static bool failure_with(const char *list, const char *status, struct failure *out)
{
	char text[4096];
	snprintf(text, sizeof text, "[{\"metadata\":{\"name\":\"ws-0\"},\"status\":{\"phase\":\"Pending\",\"%s\":[{\"name\":\"c\",%s}]}}]", list, status);
	return failure_in(text, out);
}

static const struct { const char *status, *reason, *says; bool final; } STATUSES[] = {
	{"\"lastState\":{\"terminated\":{\"reason\":\"OOMKilled\",\"exitCode\":137}}", "ContainerOOMKilled", "killed for lack of memory", false},
	{"\"state\":{\"terminated\":{\"reason\":\"OOMKilled\",\"exitCode\":137}}", "ContainerOOMKilled", "more memory", false},
	{"\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off pulling image x\"}}", "ImagePullError", "ImagePullBackOff: Back-off pulling image x; check the image name and the pull secret", false},
	{"\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\"}}", "ImagePullError", "ErrImagePull", false},
	{"\"state\":{\"waiting\":{\"reason\":\"InvalidImageName\"}}", "ImagePullError", "InvalidImageName", true},
	{"\"state\":{\"waiting\":{\"reason\":\"ErrImageNeverPull\"}}", "ImagePullError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"ImageInspectError\"}}", "ImagePullError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"RegistryUnavailable\"}}", "ImagePullError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"CreateContainerConfigError\",\"message\":\"secret \\\"x\\\" not found\"}}", "ContainerStartError", "secret \"x\" not found", false},
	{"\"state\":{\"waiting\":{\"reason\":\"PreCreateHookError\"}}", "ContainerStartError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"CreateContainerError\"}}", "ContainerStartError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"PreStartHookError\"}}", "ContainerStartError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"RunContainerError\"}}", "ContainerStartError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"PostStartHookError\"}}", "ContainerStartError", "", false},
	{"\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":3,\"message\":\"boom\\nline\"}}", "ContainerCrashLoopBackOff",
	 "keeps ending with exit code 3: boom line; see: kubectl logs ws-0 -c c --previous", false},
	{"\"lastState\":{\"terminated\":{\"exitCode\":5,\"message\":\"{\\\"kind\\\":\\\"data\\\",\\\"message\\\":\\\"column text is missing\\\",\\\"file\\\":\\\"a.parquet\\\",\\\"row\\\":17}\"}}",
	 "InvalidDataset", "pod ws-0 container c: a.parquet: row 17: column text is missing", true},
	{"\"state\":{\"terminated\":{\"exitCode\":15,\"message\":\"{\\\"kind\\\":\\\"network\\\",\\\"message\\\":\\\"hub not reached\\\",\\\"step\\\":3}\"}}", "NetworkError",
	 "hub not reached (step 3)", false},
	{"\"state\":{\"terminated\":{\"reason\":\"OOMKilled\",\"exitCode\":137,\"message\":\"{\\\"kind\\\":\\\"diverged\\\",\\\"message\\\":\\\"loss is NaN\\\"}\"}}", "LossDiverged",
	 "loss is NaN", true},
};

START_TEST(each_status_is_classified)
{
	static const char *const LISTS[] = {"containerStatuses", "initContainerStatuses"};
	for (int i = 0; i < 2; i++) {
		struct failure f;
		ck_assert_msg(failure_with(LISTS[i], STATUSES[_i].status, &f), "%s", STATUSES[_i].status);
		ck_assert_str_eq(f.reason, STATUSES[_i].reason);
		ck_assert_msg(strstr(f.message, STATUSES[_i].says) != NULL, "%s", f.message);
		ck_assert_msg(strstr(f.message, "ws-0") && strstr(f.message, "c"), "%s", f.message);
		ck_assert_int_eq(f.final, STATUSES[_i].final);
	}
}
END_TEST

static const struct { const char *pods, *reason, *says; } PODS[] = {
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node was low on resource: ephemeral-storage. \"}}]",
	 "NodeDiskPressure", "larger disk"},
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"reason\":\"Evicted\",\"message\":\"The node had condition: [DiskPressure]. \"}}]", "NodeDiskPressure", "ran out of disk"},
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"reason\":\"Evicted\",\"message\":\"The node was low on resource: memory.\"}}]", "NodeMemoryPressure", "more memory"},
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"reason\":\"Evicted\",\"message\":\"preempted\"}}]", "PodEvicted", "kubectl describe pod p"},
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes are available\"}]}}]",
	 "Unschedulable", "0/3 nodes are available"},
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"initContainerStatuses\":[{\"name\":\"fetch-sas\",\"state\":{\"terminated\":{\"exitCode\":1}}}]}}]", "SASTokenFetchFailed", "identity"},
	{"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"k\",\"state\":{\"terminated\":{\"exitCode\":2}}}]}}]", "ContainerFailed",
	 "container k ended with exit code 2; see: kubectl logs p -c k"},
	/* The order of classes comes before the order of pods. */
	{"[{\"metadata\":{\"name\":\"a\"},\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}},"
	 "{\"metadata\":{\"name\":\"b\"},\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\"}}}]}}]",
	 "ImagePullError", "pod b "},
	/* The newest pod of a Job. */
	{"[{\"metadata\":{\"name\":\"old\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"ownerReferences\":[{\"kind\":\"Job\",\"uid\":\"j\",\"controller\":true}]},"
	 "\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":{\"reason\":\"OOMKilled\",\"exitCode\":137}}}]}},"
	 "{\"metadata\":{\"name\":\"new\",\"creationTimestamp\":\"2026-01-01T00:01:00Z\",\"ownerReferences\":[{\"kind\":\"Job\",\"uid\":\"j\",\"controller\":true}]},"
	 "\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\"}}}]}}]",
	 "ImagePullError", "pod new "},
};

START_TEST(each_pod_is_classified)
{
	struct failure f;
	ck_assert_msg(failure_in(PODS[_i].pods, &f), "%s", PODS[_i].pods);
	ck_assert_str_eq(f.reason, PODS[_i].reason);
	ck_assert_msg(strstr(f.message, PODS[_i].says) != NULL, "%s", f.message);
}
END_TEST

static const char *const HEALTHY[] = {
	"[]",
	"{}",
	"[1, null, \"pod\", {\"metadata\": 5, \"status\": [], \"spec\": {}}]",
	"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"ready\":true,\"lastState\":{\"terminated\":{\"reason\":\"OOMKilled\"}}}]}}]",
	"[{\"metadata\":{\"name\":\"p\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\"}}}]}}]",
	"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}]}}]",
	"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Succeeded\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":{\"exitCode\":0,\"message\":\"{\\\"kind\\\":\\\"none\\\",\\\"loss\\\":1.5}\"}}}]}}]",
	"[{\"metadata\":{\"name\":\"p\"},\"status\":{\"initContainerStatuses\":[{\"name\":\"fetch-sas\",\"state\":{\"terminated\":{\"exitCode\":0}}}]}}]",
	/* A superseded try, and the next one runs. */
	("[{\"metadata\":{\"name\":\"a\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"ownerReferences\":[{\"kind\":\"Job\",\"uid\":\"j\",\"controller\":true}]},\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":{\"exitCode\":1}}}]}},"
	 "{\"metadata\":{\"name\":\"b\",\"creationTimestamp\":\"2026-01-01T00:01:00Z\",\"ownerReferences\":[{\"kind\":\"Job\",\"uid\":\"j\",\"controller\":true}]},\"status\":{\"phase\":\"Running\"}}]"),
};

START_TEST(healthy_pods_have_no_failure)
{
	struct failure f = {.reason = "untouched"};
	ck_assert_msg(!failure_in(HEALTHY[_i], &f), "%s: %s", HEALTHY[_i], f.message);
	ck_assert_str_eq(f.reason, "untouched");
}
END_TEST

START_TEST(message_is_cut_at_a_character)
{
	struct buf text = {0};
	struct failure f;
	buf_puts(&text, "[{\"metadata\":{\"name\":\"ws-0\"},\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":{\"exitCode\":5,\"message\":\"{\\\"kind\\\":\\\"data\\\",\\\"message\\\":\\\"");
	for (int i = 0; i < 200; i++)
		buf_puts(&text, "\xc3\xa9");
	buf_puts(&text, "\\\"}\"}}}]}}]");
	ck_assert(failure_in(text.data, &f));
	ck_assert_uint_le(strlen(f.message), 256);
	ck_assert_uint_ge(strlen(f.message), 255);
	ck_assert(str_is_utf8(str_of(f.message), &(size_t){0}));
	buf_done(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failure");
	TCase *tcase = tcase_create("failure");
	tcase_add_loop_test(tcase, each_status_is_classified, 0, (int)(sizeof STATUSES / sizeof STATUSES[0]));
	tcase_add_loop_test(tcase, each_pod_is_classified, 0, (int)(sizeof PODS / sizeof PODS[0]));
	tcase_add_loop_test(tcase, healthy_pods_have_no_failure, 0, (int)(sizeof HEALTHY / sizeof HEALTHY[0]));
	tcase_add_test(tcase, message_is_cut_at_a_character);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
