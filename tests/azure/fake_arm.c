/* fake_arm.c: see fake_arm.h. One thread, one connection and one request at a time. */
#include "fake_arm.h"

#include "base/buf.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct fault { char method[8], part[96], code[64], message[300]; int times, status; enum fake_arm_fault kind; };
struct request { char method[8], path[600], head[4096]; json_t *body; };
static struct {
	pthread_mutex_t mu;
	pthread_t thread;
	int listener, port, waker[2];
	json_t *pools, *operations, *usages; /* by name, by id */
	struct fault faults[16];
	size_t n_faults, page, created;
	char retry_after[16];
	struct buf log;    /* "METHOD path\n" */
	struct request last[8];
	size_t n_last;
	bool running;
} f = {.mu = PTHREAD_MUTEX_INITIALIZER};

/* --- replies ----------------------------------------------------------------------------------------------------- */

struct reply { int status; json_t *body; char headers[900]; bool drop; };

static void fail_with(struct reply *r, int status, const char *code, const char *message)
{
	json_decref(r->body);
	r->status = status;
	r->body = json_pack("{s:s,s:s}", "code", code, "message", message);
}

static void answer(int fd, const struct reply *r)
{
	struct buf out = {0}, body = {0};
	if (r->body)
		json_print(r->body, JSON_PRINT_COMPACT, &body);
	buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", r->status, body.len, r->headers);
	buf_put_str(&out, buf_str(&body));
	for (size_t at = 0; at < out.len;) {
		ssize_t n = send(fd, out.data + at, out.len - at, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	buf_done(&out);
	buf_done(&body);
}

static const char *header_of(const struct request *q, const char *name)
{
	static char value[300];
	size_t n = strlen(name);
	value[0] = 0;
	for (const char *line = q->head; line; line = strstr(line, "\r\n"), line = line ? line + 2 : NULL)
		if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
			line += n + 1;
			line += strspn(line, " ");
			snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
			break;
		}
	return value;
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

static const char *state_of(const json_t *pool) { return json_text_at(pool, "", "properties", "provisioningState", NULL); }
static void set_state(json_t *pool, const char *state)
{
	static int version;
	char etag[16];
	snprintf(etag, sizeof etag, "%d", ++version);
	json_object_set_new(json_object_get(pool, "properties"), "provisioningState", json_string(state));
	json_object_set_new(json_object_get(pool, "properties"), "eTag", json_string(etag));
}

static void begin_operation(const char *pool, struct reply *r)
{
	char id[16];
	snprintf(id, sizeof id, "op%zu", json_object_size(f.operations) + 1);
	json_object_set_new(f.operations, id, json_pack("{s:s,s:s}", "status", "InProgress", "pool", pool));
	snprintf(r->headers, sizeof r->headers, "Azure-AsyncOperation: http://127.0.0.1:%d/subscriptions/s/providers/Microsoft.ContainerService/locations/eastus/operations/%s"
		 "?api-version=2024-01-01&t=1\r\n", f.port, id);
}

#define IN_PROGRESS "Operation is not allowed because there's an in progress create node pool operation"

static void put_pool(const struct request *q, const char *name, struct reply *r)
{
	json_t *there = json_object_get(f.pools, name);
	if (there && strcmp(header_of(q, "If-None-Match"), "*") == 0) {
		fail_with(r, 412, "PreconditionFailed", "the pool exists");
		return;
	}
	json_t *pool = json_pack("{s:s,s:O}", "name", name, "properties", json_object_get(q->body, "properties"));
	set_state(pool, "Creating");
	json_object_set_new(f.pools, name, pool);
	f.created++;
	*r = (struct reply){.status = 201, .body = json_deep_copy(pool)};
	begin_operation(name, r);
}

static void delete_pool(const struct request *q, const char *name, struct reply *r)
{
	json_t *pool = json_object_get(f.pools, name);
	const char *match = header_of(q, "If-Match");
	if (!pool) {
		fail_with(r, 404, "NotFound", "Agent Pool not found");
		return;
	}
	if (strcmp(state_of(pool), "Creating") == 0) {
		fail_with(r, 409, "OperationNotAllowed", IN_PROGRESS);
		return;
	}
	if (match[0] && strcmp(match, json_text_at(pool, "", "properties", "eTag", NULL)) != 0) {
		fail_with(r, 412, "EtagMismatch", "the pool has changed");
		return;
	}
	r->status = 202;
	if (strcmp(state_of(pool), "Deleting") != 0)
		begin_operation(name, r);
	set_state(pool, "Deleting");
}

static void abort_pool(const char *name, struct reply *r)
{
	json_t *pool = json_object_get(f.pools, name);
	if (!pool || strcmp(state_of(pool), "Creating") != 0) {
		fail_with(r, 400, "BadRequest", "nothing to abort");
		return;
	}
	set_state(pool, "Canceled");
	r->status = 202;
}

/* of NULL: the pools; else the machines of that pool, which are kept as "pool/machine". */
static bool is_listed(const char *name, const char *of)
{
	const char *slash = strchr(name, '/');
	return of ? slash && (size_t)(slash - name) == strlen(of) && strncmp(name, of, strlen(of)) == 0 : !slash;
}

static void list_pools(const struct request *q, const char *of, struct reply *r)
{
	const char *from = strstr(q->path, "skip=");
	size_t skip = from ? (size_t)strtoul(from + 5, NULL, 10) : 0, i = 0;
	json_t *value = json_array(), *pool;
	const char *name;
	json_object_foreach(f.pools, name, pool) {
		if (!is_listed(name, of))
			continue;
		if (i >= skip && (!f.page || i < skip + f.page))
			json_array_append_new(value, json_deep_copy(pool));
		i++;
	}
	r->body = json_pack("{s:o}", "value", value);
	if (f.page && i > skip + f.page)
		json_object_set_new(r->body, "nextLink", json_sprintf("http://127.0.0.1:%d/subscriptions/x/agentPools%s%s%s?api-version=2024-01-01&skip=%zu", f.port, of ? "/" : "", of ? of : "",
						  of ? "/machines" : "", skip + f.page));
}

static void put_machine(const struct request *q, const char *unit, struct reply *r)
{
	if (json_object_get(f.pools, unit)) {
		fail_with(r, 412, "PreconditionFailed", "the machine exists");
		return;
	}
	json_t *machine = json_deep_copy(q->body);
	json_object_set_new(machine, "name", json_string(strchr(unit, '/') + 1));
	json_object_set_new(json_object_get(machine, "properties"), "resourceId",
			    json_sprintf("/subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Compute/virtualMachines/aks-%.*s-%s-12345678-vm", (int)strcspn(unit, "/"), unit, strchr(unit, '/') + 1));
	set_state(machine, "Creating");
	json_object_set_new(f.pools, unit, machine);
	f.created++;
	*r = (struct reply){.status = 201, .body = json_deep_copy(machine)};
	begin_operation(unit, r);
}

static void delete_machines(const struct request *q, const char *pool, struct reply *r)
{
	const json_t *names = json_object_get(q->body, "machineNames");
	char unit[80];
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < json_array_size(names); i++) {
			snprintf(unit, sizeof unit, "%s/%s", pool, json_string_value(json_array_get(names, i)));
			json_t *machine = json_object_get(f.pools, unit);
			if (!machine) {
				fail_with(r, 400, "InvalidParameter", "Cannot find any valid machines to delete");
				return;
			}
			if (strcmp(state_of(machine), "Creating") == 0) {
				fail_with(r, 409, "OperationNotAllowed", IN_PROGRESS);
				return;
			}
			if (pass)
				set_state(machine, "Deleting");
		}
	r->status = 202;
	begin_operation(unit, r);
}

/* /agentPools/POOL/machines[/NAME] */
static void serve_machines(const struct request *q, const char *pool, const char *rest, struct reply *r)
{
	char unit[80];
	snprintf(unit, sizeof unit, "%s/%.*s", pool, (int)strcspn(rest, "?"), rest);
	if (!json_object_get(f.pools, pool))
		fail_with(r, 404, "NotFound", "Agent Pool not found");
	else if (!strchr(unit, '/')[1])
		list_pools(q, pool, r);
	else if (strcmp(q->method, "PUT") == 0)
		put_machine(q, unit, r);
	else if (json_object_get(f.pools, unit))
		r->body = json_deep_copy(json_object_get(f.pools, unit));
	else
		fail_with(r, 404, "NotFound", "Machine not found");
}

static void serve_pool(const struct request *q, const char *rest, struct reply *r)
{
	char name[64];
	size_t n = strcspn(rest, "/?");
	snprintf(name, sizeof name, "%.*s", (int)n, rest);
	if (strncmp(rest + n, "/abort", 6) == 0)
		abort_pool(name, r);
	else if (strncmp(rest + n, "/deleteMachines", 15) == 0)
		delete_machines(q, name, r);
	else if (strncmp(rest + n, "/machines", 9) == 0)
		serve_machines(q, name, rest + n + 9 + (rest[n + 9] == '/'), r);
	else if (strcmp(q->method, "PUT") == 0)
		put_pool(q, name, r);
	else if (strcmp(q->method, "DELETE") == 0)
		delete_pool(q, name, r);
	else if (json_object_get(f.pools, name))
		r->body = json_deep_copy(json_object_get(f.pools, name));
	else
		fail_with(r, 404, "NotFound", "Agent Pool not found");
}

static void serve(const struct request *q, struct reply *r)
{
	const char *pools = strstr(q->path, "/agentPools"), *operation = strstr(q->path, "/operations/");
	r->status = 200;
	if (strstr(q->path, "/oauth2/")) {
		r->body = json_pack("{s:s,s:i,s:s}", "token_type", "Bearer", "expires_in", 3600, "access_token", "t");
	} else if (strstr(q->path, "/usages")) {
		if (f.usages)
			r->body = json_pack("{s:O}", "value", f.usages);
		else
			fail_with(r, 403, "AuthorizationFailed", "no right to read usages");
	} else if (operation) {
		char id[32];
		snprintf(id, sizeof id, "%.*s", (int)strcspn(operation + 12, "?"), operation + 12);
		r->body = json_deep_copy(json_object_get(f.operations, id));
		if (!r->body)
			fail_with(r, 404, "NotFound", "no such operation");
	} else if (pools && pools[11] == '/') {
		serve_pool(q, pools + 12, r);
	} else if (pools) {
		list_pools(q, NULL, r);
	} else {
		fail_with(r, 404, "ResourceNotFound", "not here");
	}
}

/* --- one request --------------------------------------------------------------------------------------------------- */

static void remember(const struct request *q)
{
	struct request *at = NULL;
	for (size_t i = 0; i < f.n_last && !at; i++)
		if (strcmp(f.last[i].method, q->method) == 0)
			at = &f.last[i];
	if (!at && f.n_last < 8)
		at = &f.last[f.n_last++];
	if (at)
		*at = *q, at->body = NULL;
	buf_printf(&f.log, "%s %s\n", q->method, q->path);
}

static struct fault *fault_of(const struct request *q)
{
	for (size_t i = 0; i < f.n_faults; i++)
		if (f.faults[i].times > 0 && strcmp(f.faults[i].method, q->method) == 0 && strstr(q->path, f.faults[i].part))
			return &f.faults[i];
	return NULL;
}

static void handle(const struct request *q, struct reply *r)
{
	pthread_mutex_lock(&f.mu);
	struct fault *fault = fault_of(q);
	remember(q);
	if (fault)
		fault->times--;
	if (fault && fault->kind == FAKE_ARM_REPLY) {
		fail_with(r, fault->status, fault->code, fault->message);
		if (f.retry_after[0])
			snprintf(r->headers, sizeof r->headers, "Retry-After: %s\r\n", f.retry_after);
	} else if (!fault || fault->kind == FAKE_ARM_DROP_AFTER) {
		serve(q, r);
	}
	r->drop = fault && fault->kind != FAKE_ARM_REPLY;
	pthread_mutex_unlock(&f.mu);
}

static bool receive(int fd, struct request *q)
{
	char *text = calloc(1, 1 << 18);
	size_t len = 0, wanted = 0;
	for (;;) {
		ssize_t n = recv(fd, text + len, (1 << 18) - 1 - len, 0);
		char *end = n > 0 ? (len += (size_t)n, strstr(text, "\r\n\r\n")) : NULL;
		if (n <= 0) {
			free(text);
			return false;
		}
		if (!end)
			continue;
		snprintf(q->head, sizeof q->head, "%.*s", (int)(end - text), text);
		wanted = (size_t)strtoul(header_of(q, "Content-Length"), NULL, 10) + (size_t)(end + 4 - text);
		if (len < wanted)
			continue;
		sscanf(q->head, "%7s %599s", q->method, q->path);
		q->body = json_loads(end + 4, 0, NULL);
		free(text);
		return true;
	}
}

static void *run(void *unused)
{
	for (;;) {
		int fd = accept(f.listener, NULL, NULL);
		if (fd < 0)
			return unused;
		struct request q = {0};
		struct reply r = {0};
		struct timeval limit = {.tv_sec = 5};
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		if (receive(fd, &q)) {
			handle(&q, &r);
			if (!r.drop)
				answer(fd, &r);
		}
		json_decref(r.body);
		json_decref(q.body);
		close(fd);
	}
}

/* --- for tests --------------------------------------------------------------------------------------------------- */

int fake_arm_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	f.pools = json_object();
	f.operations = json_object();
	f.n_faults = f.n_last = f.page = f.created = 0;
	f.retry_after[0] = 0;
	f.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(f.listener, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(listen(f.listener, 64), 0);
	getsockname(f.listener, (struct sockaddr *)&a, &n);
	f.port = ntohs(a.sin_port);
	ck_assert_int_eq(pthread_create(&f.thread, NULL, run, NULL), 0);
	return f.port;
}

void fake_arm_stop(void)
{
	shutdown(f.listener, SHUT_RDWR);
	pthread_join(f.thread, NULL);
	close(f.listener);
	json_decref(f.pools);
	json_decref(f.operations);
	json_decref(f.usages);
	f.usages = NULL;
	buf_done(&f.log);
}

void fake_arm_fail(const char *method, const char *part, int times, enum fake_arm_fault kind, int status, const char *code, const char *message)
{
	pthread_mutex_lock(&f.mu);
	ck_assert_uint_lt(f.n_faults, 16);
	struct fault *at = &f.faults[f.n_faults++];
	*at = (struct fault){.times = times, .kind = kind, .status = status};
	snprintf(at->method, sizeof at->method, "%s", method);
	snprintf(at->part, sizeof at->part, "%s", part);
	snprintf(at->code, sizeof at->code, "%s", code ? code : "");
	snprintf(at->message, sizeof at->message, "%s", message ? message : "");
	pthread_mutex_unlock(&f.mu);
}

void fake_arm_retry_after(const char *seconds)
{
	pthread_mutex_lock(&f.mu);
	snprintf(f.retry_after, sizeof f.retry_after, "%s", seconds ? seconds : "");
	pthread_mutex_unlock(&f.mu);
}

void fake_arm_finish(const char *pool, const char *code, const char *message)
{
	const char *id;
	json_t *o;
	pthread_mutex_lock(&f.mu);
	json_object_foreach(f.operations, id, o) {
		if (strcmp(json_text_at(o, "", "pool", NULL), pool) != 0 || strcmp(json_text_at(o, "", "status", NULL), "InProgress") != 0)
			continue;
		json_object_set_new(o, "status", json_string(code ? "Failed" : "Succeeded"));
		if (code)
			json_object_set_new(o, "error", json_pack("{s:s,s:s}", "code", code, "message", message));
	}
	json_t *at = json_object_get(f.pools, pool);
	if (at && strcmp(state_of(at), "Deleting") == 0 && !code)
		json_object_del(f.pools, pool);
	else if (at)
		set_state(at, code ? "Failed" : "Succeeded");
	if (at && code && strchr(pool, '/')) /* a machine tells itself */
		json_object_set_new(json_object_get(at, "properties"), "status", json_pack("{s:{s:s,s:s,s:[{s:s,s:s}]}}", "provisioningError", "code", "QuotaExceeded", "message",
				    "the machine was not made", "details", "code", code, "message", message));
	pthread_mutex_unlock(&f.mu);
}

void fake_arm_put(const char *name, const char *state, json_t *labels, json_t *tags)
{
	json_t *pool = json_pack("{s:s,s:{s:s,s:o*,s:o*}}", "name", name, "properties", "vmSize", "Standard_NC6s_v3", "nodeLabels", labels, "tags", tags);
	pthread_mutex_lock(&f.mu);
	set_state(pool, state);
	json_object_set_new(f.pools, name, pool);
	pthread_mutex_unlock(&f.mu);
}

void fake_arm_set_state(const char *name, const char *state)
{
	pthread_mutex_lock(&f.mu);
	set_state(json_object_get(f.pools, name), state);
	pthread_mutex_unlock(&f.mu);
}

void fake_arm_remove(const char *name)
{
	pthread_mutex_lock(&f.mu);
	json_object_del(f.pools, name);
	pthread_mutex_unlock(&f.mu);
}

json_t *fake_arm_pool(const char *name)
{
	pthread_mutex_lock(&f.mu);
	json_t *pool = json_deep_copy(json_object_get(f.pools, name));
	pthread_mutex_unlock(&f.mu);
	return pool;
}

size_t fake_arm_pools(void)
{
	pthread_mutex_lock(&f.mu);
	size_t n = json_object_size(f.pools);
	pthread_mutex_unlock(&f.mu);
	return n;
}

void fake_arm_page(size_t pools)
{
	pthread_mutex_lock(&f.mu);
	f.page = pools;
	pthread_mutex_unlock(&f.mu);
}

void fake_arm_usages(json_t *counters)
{
	pthread_mutex_lock(&f.mu);
	json_decref(f.usages);
	f.usages = counters;
	pthread_mutex_unlock(&f.mu);
}

size_t fake_arm_count(const char *method, const char *part)
{
	size_t n = 0, length = strlen(method);
	pthread_mutex_lock(&f.mu);
	for (const char *line = f.log.data; line && *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n'), *hit = strstr(line, part);
		n += strncmp(line, method, length) == 0 && line[length] == ' ' && hit && hit < end;
	}
	pthread_mutex_unlock(&f.mu);
	return n;
}

size_t fake_arm_created(void)
{
	pthread_mutex_lock(&f.mu);
	size_t n = f.created;
	pthread_mutex_unlock(&f.mu);
	return n;
}

const char *fake_arm_last(const char *method, const char *header)
{
	const char *value = "";
	pthread_mutex_lock(&f.mu);
	for (size_t i = 0; i < f.n_last; i++)
		if (strcmp(f.last[i].method, method) == 0)
			value = header_of(&f.last[i], header);
	pthread_mutex_unlock(&f.mu);
	return value;
}
