/* facts.c: see facts.h. */
#include "aws/facts.h"

#include "base/clock.h"
#include "base/map.h"
#include "codec/json.h"
#include <pthread.h>
#include <string.h>

#define REFUSED_MS 15000   /* how long a refusal is kept */
#define BESIDE_MS 200      /* another thread is asking */
#define ENTRIES_MAX 512    /* old ones go first */

struct entry { struct fact fact; int64_t known_ms, until_ms; bool asking; };
struct facts {
	struct ec2 *ec2;
	struct kube_client *kube;
	int64_t age_ms;
	pthread_mutex_t mu;   /* guards all below */
	struct map entries;   /* question -> struct entry */
};

void facts_release(struct fact *f)
{
	json_decref(f->body);
	*f = (struct fact){0};
}

static void entry_free(void *value)
{
	struct entry *e = value;
	facts_release(&e->fact);
	free(e);
}

struct facts *facts_new(struct ec2 *ec2, struct kube_client *kube, int64_t age_ms)
{
	struct facts *f = mem_alloc(sizeof *f);
	f->ec2 = ec2;
	f->kube = kube;
	f->age_ms = age_ms ? age_ms : FACTS_AGE_MS;
	f->entries.free_value = entry_free;
	pthread_mutex_init(&f->mu, NULL);
	return f;
}

void facts_free(struct facts *f)
{
	if (!f)
		return;
	map_done(&f->entries);
	pthread_mutex_destroy(&f->mu);
	free(f);
}

/* --- the questions --------------------------------------------------------------------------------------------------- */

static bool begins(const char *question, const char *with) { return strncmp(question, with, strlen(with)) == 0; }

static int ask_class(struct facts *f, const char *name, struct fact *out, struct err *err)
{
	if (f->kube && kube_get(f->kube, &KUBE_EC2_NODE_CLASSES, NULL, name, &out->body, err) == 0)
		return 0;
	if (f->kube && err->kind != ERR_NOT_FOUND)
		return -1;
	snprintf(out->code, sizeof out->code, "NotFound");
	return 0;
}

static int ask_version(struct facts *f, struct fact *out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (!f->kube)
		return snprintf(out->code, sizeof out->code, "NotFound"), 0;
	return kube_get_text(f->kube, "/version", 65536, &text, err) < 0 ? -1 : json_parse(&out->body, buf_str(&text), "/version", err);
}

/* 0, 2 with *wait_ms, -1. */
static int ask_aws(struct facts *f, const char *question, struct fact *out, int64_t *wait_ms, struct err *err)
{
	CLEANUP(ec2_answer_done) struct ec2_answer a = {0};
	bool parameter = begins(question, FACTS_PARAMETER);
	int sent = parameter ? ec2_parameter(f->ec2, question + strlen(FACTS_PARAMETER), &a, wait_ms, err) : ec2_send(f->ec2, question, &a, wait_ms, err);
	if (sent != 0)
		return sent == 1 ? 2 : -1;
	if (a.status >= 500 || strcmp(a.code, "RequestLimitExceeded") == 0)
		return ec2_refusal(question, &a, err);
	out->body = json_incref(a.body);
	snprintf(out->code, sizeof out->code, "%s", a.code[0] || a.body ? a.code : "Refused");
	snprintf(out->text, sizeof out->text, "%s", a.text);
	return 0;
}

static int ask(struct facts *f, const char *question, struct fact *out, int64_t *wait_ms, struct err *err)
{
	if (begins(question, FACTS_CLASS))
		return ask_class(f, question + strlen(FACTS_CLASS), out, err);
	return begins(question, FACTS_VERSION) ? ask_version(f, out, err) : ask_aws(f, question, out, wait_ms, err);
}

/* --- the cache ------------------------------------------------------------------------------------------------------- */

static void drop_old(struct facts *f)
{
	struct map_entry at;
	int64_t now = clock_now_ms();
	for (size_t i = 0; f->entries.count > ENTRIES_MAX / 2 && map_next(&f->entries, &i, &at);) {
		const struct entry *e = at.value;
		if (!e->asking && e->until_ms <= now)
			map_remove(&f->entries, at.key);
	}
}

static struct entry *entry_at(struct facts *f, const char *question)
{
	struct entry *e = map_get(&f->entries, str_of(question));
	if (!e) {
		if (f->entries.count >= ENTRIES_MAX)
			drop_old(f);
		map_put(&f->entries, str_of(question), e = mem_alloc(sizeof *e));
	}
	return e;
}

/* Each thread has a body of its own. */
static void copy(struct fact *to, const struct fact *from)
{
	*to = *from;
	to->body = json_deep_copy(from->body);
}

/* Called with the mutex, which is not held while asking; an entry that is being asked stays. */
static int refresh(struct facts *f, const char *question, struct entry *e, struct fact *out, int64_t *wait_ms, struct err *err)
{
	struct fact fresh = {0};
	int64_t now = clock_now_ms();
	e->asking = true;
	pthread_mutex_unlock(&f->mu);
	int rc = ask(f, question, &fresh, wait_ms, err);
	pthread_mutex_lock(&f->mu);
	e->asking = false;
	if (rc != 0)
		return rc;
	facts_release(&e->fact);
	e->fact = fresh;
	e->known_ms = now;
	e->until_ms = now + (fresh.body || f->age_ms < REFUSED_MS ? f->age_ms : REFUSED_MS);
	copy(out, &fresh);
	return 0;
}

int facts_ask(struct facts *f, const char *question, bool *spent, struct fact *out, int64_t *wait_ms, struct err *err)
{
	int rc = 2;
	pthread_mutex_lock(&f->mu);
	struct entry *e = entry_at(f, question);
	if (e->known_ms > 0 && clock_now_ms() < e->until_ms) {
		copy(out, &e->fact);
		rc = 0;
	} else if (e->asking || *spent) {
		*wait_ms = e->asking ? BESIDE_MS : 1;
	} else {
		*spent = true;
		rc = refresh(f, question, e, out, wait_ms, err);
	}
	pthread_mutex_unlock(&f->mu);
	return rc;
}

void facts_forget(struct facts *f, const char *question)
{
	pthread_mutex_lock(&f->mu);
	struct entry *e = map_get(&f->entries, str_of(question));
	if (e)
		e->until_ms = 0;
	pthread_mutex_unlock(&f->mu);
}
