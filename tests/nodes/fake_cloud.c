/* fake_cloud.c: see fake_cloud.h. */
#include "fake_cloud.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 32, INSTANCES = 64 };
struct script { struct fake_step steps[STEPS]; size_t next, n; };
struct row { char claim_uid[64], name[64], provider_id[128]; enum instance_state state; int64_t created_s; bool used; };

static atomic_size_t launches;
static struct {
	struct script launch, terminate;
	struct row rows[INSTANCES];
	enum err_kind broken;
	bool in_steps;
	struct buf log;
} f;

void fake_cloud_reset(void)
{
	buf_done(&f.log);
	atomic_store(&launches, 0);
	memset(&f, 0, sizeof f);
}

static void append(struct script *s, const struct fake_step *step)
{
	if (s->n == STEPS)
		abort();
	s->steps[s->n++] = *step;
}

void fake_cloud_on_launch(const struct fake_step *s) { append(&f.launch, s); }
void fake_cloud_on_terminate(const struct fake_step *s) { append(&f.terminate, s); }
void fake_cloud_in_steps(bool on) { f.in_steps = on; }
void fake_cloud_break(enum err_kind kind) { f.broken = kind; }
size_t fake_cloud_launches(void) { return atomic_load(&launches); }
const char *fake_cloud_log(void) { return f.log.data ? f.log.data : ""; }
void fake_cloud_log_clear(void) { buf_clear(&f.log); }

static struct row *find(const char *name)
{
	for (size_t i = 0; i < INSTANCES; i++)
		if (f.rows[i].used && strcmp(f.rows[i].name, name) == 0)
			return &f.rows[i];
	return NULL;
}

bool fake_cloud_has(const char *name) { return find(name) != NULL; }

size_t fake_cloud_size(void)
{
	size_t n = 0;
	for (size_t i = 0; i < INSTANCES; i++)
		n += f.rows[i].used;
	return n;
}

void fake_cloud_remove(const char *name)
{
	struct row *r = find(name);
	if (r)
		r->used = false;
}

void fake_cloud_put(const char *name, const char *provider_id, enum instance_state state, int64_t created_s)
{
	struct row *r = find(name);
	for (size_t i = 0; !r && i < INSTANCES; i++)
		r = f.rows[i].used ? NULL : &f.rows[i];
	if (!r)
		abort();
	*r = (struct row){.state = state, .created_s = created_s, .used = true};
	snprintf(r->name, sizeof r->name, "%s", name);
	snprintf(r->provider_id, sizeof r->provider_id, "%s", provider_id);
}

void fake_cloud_set_owner(const char *name, const char *claim_uid)
{
	struct row *r = find(name);
	if (!r)
		abort();
	snprintf(r->claim_uid, sizeof r->claim_uid, "%s", claim_uid);
}

static struct instance show(const struct row *r)
{
	return (struct instance){.name = r->name, .claim = r->name, .claim_uid = r->claim_uid, .provider_id = r->provider_id, .image_id = "", .state = r->state, .created_s = r->created_s};
}

static char *text_or_null(const char *text) { return text ? mem_strdup(text) : NULL; }
static json_t *json_or_null(const char *text) { return text ? json_loads(text, 0, NULL) : NULL; }

static const struct fake_step *next(struct script *s)
{
	return s->next < s->n ? &s->steps[s->next++] : NULL;
}

static int launch_scripted(const struct fake_step *s, const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	if (s->error != ERR_NONE)
		return err_set(err, s->error, "%s", s->message ? s->message : "the cloud is away");
	*out = (struct launch_result){.step = s->step, .retry_ms = s->retry_ms, .insufficient = s->insufficient};
	out->memo = text_or_null(s->memo);
	snprintf(out->reason, sizeof out->reason, "%s", s->reason ? s->reason : "");
	snprintf(out->message, sizeof out->message, "%s", s->message ? s->message : "");
	snprintf(out->event, sizeof out->event, "%s", s->event ? s->event : "");
	out->provider_id = text_or_null(s->provider_id);
	out->image_id = text_or_null(s->image_id);
	out->labels = json_or_null(s->labels);
	out->annotations = json_or_null(s->annotations);
	out->capacity = json_or_null(s->capacity);
	out->allocatable = json_or_null(s->allocatable);
	if (s->step == STEP_DONE)
		fake_cloud_put(claim->name, s->provider_id, INSTANCE_RUNNING, claim->created_s);
	return 0;
}

static bool says(const char *memo, const char *word) { return memo && strstr(memo, word); }

static int launch_in_steps(const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	char id[96];
	snprintf(id, sizeof id, "fake:///%.64s", claim->name);
	if (says(claim->memo, "operation") || (!claim->memo && find(claim->name)))
		return launch_scripted(&(struct fake_step){.step = STEP_DONE, .provider_id = id, .labels = "{\"from\":\"cloud\"}"}, claim, out, err);
	if (claim->memo) {
		buf_printf(&f.log, "put %s\n", claim->name);
		fake_cloud_put(claim->name, id, INSTANCE_CREATING, claim->created_s);
	}
	return launch_scripted(&(struct fake_step){.step = STEP_PERSIST, .memo = claim->memo ? "{\"operation\":1}" : "{\"put\":1}"}, claim, out, err);
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* guards f during calls */
static void unlock(pthread_mutex_t **held) { pthread_mutex_unlock(*held); }
#define LOCK() \
	pthread_mutex_lock(&mu); \
	CLEANUP(unlock) pthread_mutex_t *held __attribute__((unused)) = &mu

static int launch(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	(void)c;
	LOCK();
	const struct fake_step *s = next(&f.launch);
	atomic_fetch_add(&launches, 1);
	buf_printf(&f.log, "launch %s %s\n", claim->name, claim->memo ? claim->memo : "-");
	if (s)
		return launch_scripted(s, claim, out, err);
	if (f.in_steps)
		return launch_in_steps(claim, out, err);
	if (!claim->memo && !find(claim->name)) {
		*out = (struct launch_result){.step = STEP_PERSIST, .memo = mem_strdup("{\"put\":1}")};
		return 0;
	}
	char id[96];
	snprintf(id, sizeof id, "fake:///%.64s", claim->name);
	return launch_scripted(&(struct fake_step){.step = STEP_DONE, .provider_id = id}, claim, out, err);
}

static int terminate(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err)
{
	(void)c;
	LOCK();
	const struct fake_step *s = next(&f.terminate);
	buf_printf(&f.log, "terminate %s %s\n", claim->name, claim->memo ? claim->memo : "-");
	if (s && s->error != ERR_NONE)
		return err_set(err, s->error, "%s", s->message ? s->message : "the cloud is away");
	*out = (struct terminate_result){.step = STEP_DONE};
	if (!s && f.in_steps && !says(claim->memo, "delete"))
		*out = (struct terminate_result){.step = STEP_PERSIST, .memo = mem_strdup("{\"delete\":1}")};
	if (s) {
		*out = (struct terminate_result){.step = s->step, .retry_ms = s->retry_ms, .memo = text_or_null(s->memo)};
		snprintf(out->reason, sizeof out->reason, "%s", s->reason ? s->reason : "");
		snprintf(out->message, sizeof out->message, "%s", s->message ? s->message : "");
	}
	if (out->step == STEP_DONE)
		fake_cloud_remove(claim->name);
	return 0;
}

static int refuse(struct err *err) { return err_set(err, f.broken, "the cloud is away"); }

static int get(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	(void)c;
	LOCK();
	if (f.broken != ERR_NONE)
		return refuse(err);
	for (size_t i = 0; i < INSTANCES; i++)
		if (provider_id[0] && f.rows[i].used && strcmp(f.rows[i].provider_id, provider_id) == 0) {
			struct instance shown = show(&f.rows[i]);
			fn(context, &shown);
			return 0;
		}
	return 1;
}

static int list(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	(void)c;
	(void)max_age_ms;
	LOCK();
	if (f.broken != ERR_NONE)
		return refuse(err);
	for (size_t i = 0; i < INSTANCES; i++)
		if (f.rows[i].used) {
			struct instance shown = show(&f.rows[i]);
			fn(context, &shown);
		}
	return 0;
}

static int reap(struct cloud *c, const struct instance *i, struct err *err)
{
	(void)c;
	LOCK();
	if (f.broken != ERR_NONE)
		return refuse(err);
	buf_printf(&f.log, "reap %s\n", i->name);
	fake_cloud_remove(i->name);
	return 0;
}

static char *claim_of_node(struct cloud *c, const json_t *node)
{
	(void)c;
	return text_or_null(meta_label(node, "agentpool"));
}

static int check_class(struct cloud *c, const json_t *node_class, struct err *err)
{
	(void)c;
	if (json_is_true(json_object_get(node_class, "unusable")))
		return (void)err_set(err, ERR_INVALID, "the class cannot be used"), 1;
	return 0;
}

static void free_nothing(struct cloud *c) { (void)c; }

static const struct repair_policy REPAIR[] = {{"Ready", "False", 600}, {"Ready", "Unknown", 600}, {NULL, NULL, 0}};
static const struct cloud_ops OPS = {
	.name = "fake", .launch = launch, .terminate = terminate, .get = get, .list = list, .reap = reap, .claim_of_node = claim_of_node,
	.check_class = check_class, .repair = REPAIR, .free = free_nothing,
};

struct cloud *fake_cloud(void)
{
	static struct cloud cloud = {&OPS};
	return &cloud;
}
