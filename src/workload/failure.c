/* failure.c: see failure.h. One row per class of failure, in the order in which they are looked for; each is looked for in all pods
 * (and their containers, init containers first) before the next. To add a class: a function and a row.
 * A container that is ready, and a pod that is being deleted, has not failed whatever it did before. */
#include "workload/failure.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

/* What a class looks at; status NULL for classes of whole pods. */
struct scene { const json_t *pod, *status; const char *pod_name, *container; };

/* One line, cut at a character. */
static void set_message(struct failure *out, struct buf *text)
{
	size_t len = text->len < sizeof out->message - 1 ? text->len : sizeof out->message - 1;
	while (len > 0 && len < text->len && ((unsigned char)text->data[len] & 0xC0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
		out->message[i] = (unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7f ? ' ' : text->data[i];
	out->message[len] = 0;
	buf_done(text);
}

__attribute__((format(printf, 2, 3))) static bool found(struct failure *out, const char *fmt, ...)
{
	struct buf text = {.max = LIMIT_TERMINATION_BYTES};
	char line[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	buf_puts(&text, line);
	set_message(out, &text);
	return true;
}

static const char *waiting_reason(const struct scene *s) { return json_text_at(s->status, "", "state", "waiting", "reason", NULL); }
static const char *waiting_message(const struct scene *s) { return json_text_at(s->status, "", "state", "waiting", "message", NULL); }

/* How the container ended: now, or before it was started again. NULL: never. */
static const json_t *ended(const struct scene *s)
{
	const json_t *now = json_at(s->status, "state", "terminated", NULL);
	return now ? now : json_at(s->status, "lastState", "terminated", NULL);
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* Long parts of foreign text are cut (at a character), so that the advice behind them stays. For "%.*s". */
#define TEXT(z) part_len(z, 110), z
#define WORDS(z) part_len(z, 55), z
#define NAME(z) part_len(z, 60), z

static int part_len(const char *z, size_t max)
{
	size_t len = strlen(z) < max ? strlen(z) : max;
	while (len > 0 && ((unsigned char)z[len] & 0xC0) == 0x80)
		len--;
	return (int)len;
}

/* The pod contract's message (contract/termination.h): what failed and where, in the program's own words. */
static bool kind_named(const char *name, enum err_kind *out)
{
	for (int kind = 0; kind < ERR_KIND_COUNT; kind++)
		if (strcmp(err_traits((enum err_kind)kind)->name, name) == 0) {
			*out = (enum err_kind)kind;
			return true;
		}
	return false;
}

static void describe(const json_t *told, const struct scene *s, struct failure *out)
{
	struct buf text = {.max = 4 * LIMIT_TERMINATION_BYTES};
	const char *file = json_text_at(told, "", "file", NULL), *message = json_text_at(told, "", "message", NULL);
	int64_t row = json_int_at(told, 0, "row", NULL), step = json_int_at(told, -1, "step", NULL);
	buf_printf(&text, "pod %.*s container %.*s: ", NAME(s->pod_name), NAME(s->container));
	if (file[0] && !strstr(message, file))
		buf_printf(&text, "%.*s: ", TEXT(file));
	if (row > 0)
		buf_printf(&text, "row %lld: ", (long long)row);
	buf_puts(&text, message);
	if (step >= 0)
		buf_printf(&text, " (step %lld)", (long long)step);
	set_message(out, &text);
}

static bool contract(const struct scene *s, struct failure *out)
{
	const char *message = json_text_at(ended(s), "", "message", NULL);
	json_t *told = NULL;
	struct err ignored;
	enum err_kind kind;
	if (message[0] != '{' || json_parse(&told, str_of(message), "termination message", &ignored) < 0)
		return false;
	bool is_failure = kind_named(json_text_at(told, "", "kind", NULL), &kind) && kind != ERR_NONE;
	if (is_failure) {
		describe(told, s, out);
		snprintf(out->reason, sizeof out->reason, "%s", err_traits(kind)->reason);
		out->final = err_traits(kind)->retry == ERR_RETRY_NEVER;
	}
	json_decref(told);
	return is_failure;
}

static bool sas_token(const struct scene *s, struct failure *out)
{
	if (strcmp(s->container, "fetch-sas") != 0 || json_int_at(ended(s), 0, "exitCode", NULL) == 0)
		return false;
	return found(out, "pod %.*s container fetch-sas got no SAS token (exit code %lld); check the workload identity and the data reference URL",
		     NAME(s->pod_name), (long long)json_int_at(ended(s), 0, "exitCode", NULL));
}

static bool out_of_memory(const struct scene *s, struct failure *out)
{
	const json_t *now = json_at(s->status, "state", "terminated", NULL), *last = json_at(s->status, "lastState", "terminated", NULL);
	if (strcmp(json_text_at(now, "", "reason", NULL), "OOMKilled") != 0 && strcmp(json_text_at(last, "", "reason", NULL), "OOMKilled") != 0)
		return false;
	return found(out, "pod %.*s container %.*s was killed for lack of memory; use an instance type with more memory or lower max-model-len",
		     NAME(s->pod_name), NAME(s->container));
}

static bool image_pull(const struct scene *s, struct failure *out)
{
	static const char *const REASONS[] = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
		"RegistryUnavailable", NULL};
	const char *reason = waiting_reason(s);
	if (!is_one_of(reason, REASONS))
		return false;
	out->final = strcmp(reason, "InvalidImageName") == 0;
	return found(out, "pod %.*s container %.*s: %s: %.*s; check the image name and the pull secret", NAME(s->pod_name), NAME(s->container),
		     reason, TEXT(waiting_message(s)));
}

static bool start_error(const struct scene *s, struct failure *out)
{
	static const char *const REASONS[] = {"CreateContainerConfigError", "PreCreateHookError", "CreateContainerError", "PreStartHookError",
		"RunContainerError", "PostStartHookError", NULL};
	const char *reason = waiting_reason(s);
	if (!is_one_of(reason, REASONS))
		return false;
	return found(out, "pod %.*s container %.*s cannot start: %s: %.*s; check what it refers to", NAME(s->pod_name), NAME(s->container),
		     reason, TEXT(waiting_message(s)));
}

static bool exited(const struct scene *s, const char *how, struct failure *out)
{
	const char *said = json_text_at(ended(s), "", "message", NULL);
	return found(out, "pod %.*s container %.*s %s with exit code %lld%s%.*s; see: kubectl logs %.*s -c %.*s%s", NAME(s->pod_name), NAME(s->container), how, (long long)json_int_at(ended(s), 0, "exitCode", NULL), said[0] ? ": " : "", WORDS(said), NAME(s->pod_name), NAME(s->container), json_at(s->status, "state", "terminated", NULL) ? "" : " --previous");
}

static bool crash_loop(const struct scene *s, struct failure *out)
{
	return strcmp(waiting_reason(s), "CrashLoopBackOff") == 0 && exited(s, "keeps ending", out);
}

/* A pod that is not started again (a Job's). */
static bool container_failed(const struct scene *s, struct failure *out)
{
	if (strcmp(json_text_at(s->pod, "", "status", "phase", NULL), "Failed") != 0)
		return false;
	return json_int_at(ended(s), 0, "exitCode", NULL) != 0 && exited(s, "ended", out);
}

static const char *eviction(const struct scene *s)
{
	if (strcmp(json_text_at(s->pod, "", "status", "reason", NULL), "Evicted") != 0)
		return NULL;
	return json_text_at(s->pod, "", "status", "message", NULL);
}

static bool disk_pressure(const struct scene *s, struct failure *out)
{
	const char *why = eviction(s);
	if (!why || !(strstr(why, "DiskPressure") || strstr(why, "ephemeral-storage") || strstr(why, "inodes")))
		return false;
	return found(out, "pod %.*s was evicted, as its node ran out of disk: %.*s; use an instance type with a larger disk", NAME(s->pod_name),
		     TEXT(why));
}

static bool memory_pressure(const struct scene *s, struct failure *out)
{
	const char *why = eviction(s);
	if (!why || !strstr(why, "emory"))
		return false;
	return found(out, "pod %.*s was evicted, as its node ran out of memory: %.*s; use an instance type with more memory", NAME(s->pod_name),
		     TEXT(why));
}

static bool evicted(const struct scene *s, struct failure *out)
{
	const char *why = eviction(s);
	return why && found(out, "pod %.*s was evicted: %.*s; see: kubectl describe pod %.*s", NAME(s->pod_name), TEXT(why), NAME(s->pod_name));
}

static bool unschedulable(const struct scene *s, struct failure *out)
{
	const json_t *condition;
	size_t i;
	json_array_foreach(json_at(s->pod, "status", "conditions", NULL), i, condition) {
		const char *message = json_text_at(condition, "", "message", NULL);
		if (strcmp(json_text_at(condition, "", "type", NULL), "PodScheduled") == 0 &&
		    strcmp(json_text_at(condition, "", "status", NULL), "False") == 0 &&
		    strcmp(json_text_at(condition, "", "reason", NULL), "Unschedulable") == 0)
			return found(out, "pod %.*s fits no node: %.*s; check the nodes' labels, taints and free GPUs", NAME(s->pod_name), TEXT(message));
	}
	return false;
}

static const struct class { const char *reason; bool of_container; bool (*finds)(const struct scene *s, struct failure *out); } CLASSES[] = {
	{"", true, contract}, /* sets the reason itself */
	{"SASTokenFetchFailed", true, sas_token},
	{"ContainerOOMKilled", true, out_of_memory},
	{"ImagePullError", true, image_pull},
	{"ContainerStartError", true, start_error},
	{"ContainerCrashLoopBackOff", true, crash_loop},
	{"NodeDiskPressure", false, disk_pressure},
	{"NodeMemoryPressure", false, memory_pressure},
	{"PodEvicted", false, evicted},
	{"Unschedulable", false, unschedulable},
	{"ContainerFailed", true, container_failed},
};

static bool finds_in_containers(const struct class *c, struct scene *s, const char *list, struct failure *out)
{
	size_t i;
	json_t *status;
	json_array_foreach(json_at(s->pod, "status", list, NULL), i, status) {
		s->status = status;
		s->container = json_text_at(status, "", "name", NULL);
		if (!json_is_true(json_object_get(status, "ready")) && c->finds(s, out))
			return true;
	}
	return false;
}

static bool finds_in_pod(const struct class *c, const json_t *pod, struct failure *out)
{
	struct scene s = {.pod = pod, .pod_name = meta_name(pod)};
	if (!c->of_container)
		return c->finds(&s, out);
	return finds_in_containers(c, &s, "initContainerStatuses", out) || finds_in_containers(c, &s, "containerStatuses", out);
}

/* Of a Job's pods only the newest speaks: the ones before it are tries that failed and were repeated. */
static bool is_superseded(const json_t *pods, const json_t *pod)
{
	const json_t *owner = meta_controller(pod), *other;
	if (strcmp(json_text_at(owner, "", "kind", NULL), "Job") != 0)
		return false;
	const char *created = json_text_at(pod, "", "metadata", "creationTimestamp", NULL);
	size_t i;
	json_array_foreach((json_t *)pods, i, other)
		if (strcmp(json_text_at(meta_controller(other), "", "uid", NULL), json_text_at(owner, "", "uid", NULL)) == 0 &&
		    strcmp(json_text_at(other, "", "metadata", "creationTimestamp", NULL), created) > 0)
			return true;
	return false;
}

bool failure_of_pods(const json_t *pods, struct failure *out)
{
	for (size_t c = 0; c < sizeof CLASSES / sizeof CLASSES[0]; c++) {
		const json_t *pod;
		size_t i;
		json_array_foreach((json_t *)pods, i, pod) {
			struct failure failure = {0};
			if (meta_deleting(pod) || is_superseded(pods, pod) || !finds_in_pod(&CLASSES[c], pod, &failure))
				continue;
			if (CLASSES[c].reason[0])
				snprintf(failure.reason, sizeof failure.reason, "%s", CLASSES[c].reason);
			*out = failure;
			return true;
		}
	}
	return false;
}
