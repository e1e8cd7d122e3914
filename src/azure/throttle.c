/* throttle.c: see throttle.h. A table of buckets with the services' sizes, and a table of what each class of request takes from them. A
 * class may leave a reserve in a shared bucket for the classes that matter more: an instance is to be deleted while lists wait. */
#include "azure/throttle.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>

enum bucket_name { ARM_READS, ARM_WRITES, ARM_DELETES, AKS_REQUESTS, AKS_OPERATIONS, OTHER_SERVICES, BUCKETS, PER_POOL = BUCKETS };
struct size { double burst, per_second; };
static const struct size SIZES[BUCKETS + 1] = {
	[ARM_READS] = {250, 25}, [ARM_WRITES] = {200, 10}, [ARM_DELETES] = {200, 10}, [AKS_REQUESTS] = {60, 1}, [AKS_OPERATIONS] = {200, 2},
	[OTHER_SERVICES] = {100, 5},
	[PER_POOL] = {20, 1.0 / 60},
};
/* What a class takes: one token from each bucket, if `reserve` stay behind. */
static const struct needs { enum bucket_name arm, service; double arm_reserve, service_reserve; } NEEDS[ARM_CLASSES] = {
	[ARM_LIST] = {ARM_READS, AKS_REQUESTS, 50, 10}, [ARM_GET] = {ARM_READS, AKS_REQUESTS, 25, 5},
	[ARM_DELETE] = {ARM_DELETES, AKS_REQUESTS, 0, 0}, [ARM_PUT] = {ARM_WRITES, PER_POOL, 0, 0},
	[ARM_POST] = {ARM_WRITES, AKS_REQUESTS, 0, 0},
	[ARM_PUT_MACHINE] = {ARM_WRITES, AKS_REQUESTS, 0, 4}, /* a starved list of five pages goes before */
	[ARM_OPERATION] = {ARM_READS, AKS_OPERATIONS, 0, 0}, [ARM_OTHER] = {ARM_READS, OTHER_SERVICES, 10, 0},
};
#define POOLS_MAX 1024            /* remembered; those whose bucket is full again are forgotten first */
#define CLOSED_DEFAULT_MS 10000   /* a 429 without Retry-After */
#define CLOSED_MAX_MS 600000
#define MORE_MAX 40               /* of what the smallest bucket of a list holds above its reserve */
#define PATIENCE_MS 15000         /* a class that got nothing for so long may take from the reserve: starved lists would blind everyone */
#define QUEUE_MAX_MS 30000        /* nobody is sent away for longer */
#define PLACES_MAX 8192           /* remembered; past that, who asks twice stands in line twice */
#define PLACE_KEY_MAX 200
#define FORGOTTEN_MS 60000

struct bucket { double tokens; int64_t at_ms, closed_until_ms; int on_the_way; /* requests without an answer */ };
struct throttle {
	int64_t (*now_ms)(void);
	pthread_mutex_t mu;          /* guards all below */
	struct bucket buckets[BUCKETS];
	struct map pools;            /* name -> struct bucket */
	int64_t served_ms[ARM_CLASSES];   /* when a request of the class went last */
	int64_t promised_ms[ARM_CLASSES][2]; /* the latest time that somebody was sent away to: at the first asking, and who came back in vain */
	struct map places;           /* "class/pool" -> int64_t *: when that one was told to come back */
	int64_t closed_until_ms;     /* for everything */
};

struct throttle *throttle_new(int64_t (*now_ms)(void))
{
	struct throttle *t = mem_alloc(sizeof *t);
	t->now_ms = now_ms ? now_ms : clock_now_ms;
	int64_t now = t->now_ms();
	pthread_mutex_init(&t->mu, NULL);
	t->pools.free_value = free;
	t->places.free_value = free;
	for (size_t i = 0; i < BUCKETS; i++)
		t->buckets[i] = (struct bucket){.tokens = SIZES[i].burst, .at_ms = now};
	for (size_t i = 0; i < ARM_CLASSES; i++)
		t->served_ms[i] = now;
	return t;
}

void throttle_free(struct throttle *t)
{
	if (!t)
		return;
	map_done(&t->pools);
	map_done(&t->places);
	pthread_mutex_destroy(&t->mu);
	free(t);
}

static void refill(struct bucket *b, enum bucket_name name, int64_t now)
{
	if (now <= b->at_ms)
		return;
	double room = SIZES[name].burst - b->on_the_way, filled = b->tokens + (double)(now - b->at_ms) * SIZES[name].per_second / 1000;
	b->tokens = fmax(b->tokens, fmin(room, filled));
	b->at_ms = now;
}

static bool is_full(struct bucket *b, int64_t now)
{
	refill(b, PER_POOL, now);
	return b->tokens >= SIZES[PER_POOL].burst && b->closed_until_ms <= now;
}

/* A pool whose bucket is full is like one never heard of. */
static void forget_pools(struct throttle *t, int64_t now)
{
	struct map kept = {.free_value = free};
	struct map_entry entry;
	for (size_t i = 0; map_next(&t->pools, &i, &entry);)
		if (!is_full(entry.value, now) && kept.count < POOLS_MAX / 2) {
			struct bucket *copy = mem_alloc(sizeof *copy);
			*copy = *(struct bucket *)entry.value;
			map_put(&kept, entry.key, copy);
		}
	map_done(&t->pools);
	t->pools = kept;
}

static struct bucket *pool_bucket(struct throttle *t, const char *pool, int64_t now)
{
	struct bucket *b = map_get(&t->pools, str_of(pool));
	if (b)
		return b;
	if (t->pools.count >= POOLS_MAX)
		forget_pools(t, now);
	b = mem_alloc(sizeof *b);
	*b = (struct bucket){.tokens = SIZES[PER_POOL].burst, .at_ms = now};
	map_put(&t->pools, str_of(pool), b);
	return b;
}

static struct bucket *bucket_of(struct throttle *t, enum bucket_name name, const char *pool, int64_t now)
{
	struct bucket *b = name == PER_POOL ? pool_bucket(t, pool ? pool : "", now) : &t->buckets[name];
	refill(b, name, now);
	return b;
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* Milliseconds until the bucket holds one token above the reserve. */
static int64_t bucket_wait(const struct bucket *b, enum bucket_name name, double reserve, int64_t now)
{
	int64_t closed = b->closed_until_ms > now ? b->closed_until_ms - now : 0;
	double lacking = 1 + reserve - b->tokens;
	return later(closed, lacking > 1e-9 ? (int64_t)ceil(lacking / SIZES[name].per_second * 1000) : 0);
}

/* What a request of the class looks at. step_ms: a token's worth of the shared bucket that it waits for; 0: of none. */
struct look { struct bucket *arm, *service; int64_t wait_ms, step_ms; };

static struct look look_at(struct throttle *t, enum arm_class class, const char *pool, int more, int64_t now)
{
	const struct needs *n = &NEEDS[class];
	bool starved = now - t->served_ms[class] >= PATIENCE_MS;
	struct look l = {.arm = bucket_of(t, n->arm, pool, now), .service = bucket_of(t, n->service, pool, now)};
	int64_t arm = bucket_wait(l.arm, n->arm, more + (starved ? 0 : n->arm_reserve), now);
	int64_t service = bucket_wait(l.service, n->service, more + (starved ? 0 : n->service_reserve), now);
	enum bucket_name scarce = service >= arm ? n->service : n->arm;
	l.wait_ms = later(later(arm, service), t->closed_until_ms - now);
	l.step_ms = scarce < BUCKETS ? (int64_t)(1000 / SIZES[scarce].per_second) : 0;
	return l;
}

/* --- the line of those who wait ------------------------------------------------------------------------------------ */

static str place_key(enum arm_class class, const char *pool, char key[PLACE_KEY_MAX + 1])
{
	int n = snprintf(key, PLACE_KEY_MAX + 1, "%d/%s", (int)class, pool ? pool : "");
	return pool && pool[0] && n > 0 && n <= PLACE_KEY_MAX ? (str){key, (size_t)n} : (str){0};
}

/* Those who were told to come long ago will not come. */
static void forget_places(struct throttle *t, int64_t now)
{
	struct map_entry entry;
	for (size_t i = 0; map_next(&t->places, &i, &entry);)
		if (*(int64_t *)entry.value < now - FORGOTTEN_MS)
			map_remove(&t->places, entry.key);
}

static void note_place(struct throttle *t, str key, int64_t at, int64_t now)
{
	int64_t *place = map_get(&t->places, key);
	if (!place && t->places.count >= PLACES_MAX)
		forget_places(t, now);
	if (!place && t->places.count < PLACES_MAX)
		map_put(&t->places, key, place = mem_alloc(sizeof *place));
	if (place)
		*place = at;
}

/* Those who wait for a shared budget are sent away to different times, a token's worth apart, so that they do not all come back for one.
 * Who asks again before its time keeps it; who comes in time and finds the token gone waits for the next, not at the end of the line. */
static int64_t spread(struct throttle *t, enum arm_class class, const char *pool, const struct look *l, int64_t now)
{
	if (!l->step_ms || class == ARM_LIST) /* one asker */
		return l->wait_ms;
	char text[PLACE_KEY_MAX + 1];
	str key = place_key(class, pool, text);
	const int64_t *place = key.len ? map_get(&t->places, key) : NULL;
	if (place && *place > now)
		return *place - now;
	int64_t *promised = &t->promised_ms[class][place != NULL];
	int64_t at = later(now + l->wait_ms, *promised + l->step_ms), latest = now + later(QUEUE_MAX_MS, l->wait_ms);
	*promised = at < latest ? at : latest;
	if (key.len)
		note_place(t, key, *promised, now);
	return *promised - now;
}

static void leave_line(struct throttle *t, enum arm_class class, const char *pool)
{
	char text[PLACE_KEY_MAX + 1];
	str key = place_key(class, pool, text);
	if (key.len)
		map_remove(&t->places, key);
}

int64_t throttle_take(struct throttle *t, enum arm_class class, const char *pool) { return throttle_take_with(t, class, pool, 0); }

int64_t throttle_take_with(struct throttle *t, enum arm_class class, const char *pool, int more)
{
	int64_t now = t->now_ms();
	pthread_mutex_lock(&t->mu);
	more = more < MORE_MAX ? more : MORE_MAX;
	struct look l = look_at(t, class, pool, more, now);
	int64_t wait = l.wait_ms > 0 ? spread(t, class, pool, &l, now) : 0;
	if (wait == 0) {
		l.arm->tokens -= 1 + more;
		l.service->tokens -= 1 + more;
		l.arm->on_the_way++;
		l.service->on_the_way++;
		t->served_ms[class] = now;
		leave_line(t, class, pool);
	}
	pthread_mutex_unlock(&t->mu);
	return wait;
}

static void settle(struct throttle *t, enum bucket_name name, const char *pool, int64_t now)
{
	struct bucket *b = bucket_of(t, name, pool, now);
	b->on_the_way -= b->on_the_way > 0; /* a pool's may have been forgotten meanwhile */
}

void throttle_settled(struct throttle *t, enum arm_class class, const char *pool)
{
	int64_t now = t->now_ms();
	pthread_mutex_lock(&t->mu);
	settle(t, NEEDS[class].arm, pool, now);
	settle(t, NEEDS[class].service, pool, now);
	pthread_mutex_unlock(&t->mu);
}

bool throttle_open(struct throttle *t, enum arm_class class)
{
	int64_t now = t->now_ms();
	pthread_mutex_lock(&t->mu);
	bool open = look_at(t, class, "", 0, now).wait_ms <= 0;
	pthread_mutex_unlock(&t->mu);
	return open;
}

static int64_t closing_ms(int64_t asked)
{
	int64_t ms = asked < 0 ? CLOSED_DEFAULT_MS : asked;
	return ms < 1000 ? 1000 : ms > CLOSED_MAX_MS ? CLOSED_MAX_MS : ms;
}

/* The service counts others' requests too: when it says no, its bucket is empty whatever ours says; and when it says until when, it has a
 * token then, however slowly the bucket fills by the book. */
static void close_bucket(struct bucket *b, enum bucket_name name, int64_t now, int64_t until)
{
	double filled = (double)(until - now) / 1000 * SIZES[name].per_second;
	b->closed_until_ms = later(b->closed_until_ms, until);
	b->tokens = fmin(b->tokens, fmax(0, 1 - filled));
}

void throttle_answered(struct throttle *t, enum arm_class class, const char *pool, int status, int64_t retry_after_ms, int64_t remaining)
{
	int64_t now = t->now_ms(), until = now + closing_ms(retry_after_ms);
	pthread_mutex_lock(&t->mu);
	if (class == ARM_CLASSES) {
		if (status == 429)
			t->closed_until_ms = later(t->closed_until_ms, until);
	} else {
		const struct needs *n = &NEEDS[class];
		struct bucket *arm = bucket_of(t, n->arm, pool, now);
		if (remaining >= 0)
			arm->tokens = fmin(arm->tokens, (double)remaining);
		if (status == 429)
			close_bucket(bucket_of(t, n->service, pool, now), n->service, now, until);
	}
	pthread_mutex_unlock(&t->mu);
}
