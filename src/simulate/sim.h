/* sim.h: what the files of the simulator share. Private to src/simulate.
 *
 * One mutex guards the whole state: a request takes it for microseconds (bodies are parsed before, answers are printed after or from text
 * that each pool keeps), so that a hundred clients do not wait for each other. Time is the simulator's own: the monotonic clock plus what
 * POST /_sim/clock added, so that tests need not sleep. One thread runs what is due (sim_timers.c), a few threads talk to the API server
 * (sim_joiner.c); neither holds the mutex while it talks. */
#pragma once
#include "base/buf.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "catalog/sku.h"
#include "http/server.h"
#include "simulate/simulator.h"
#include "simulate/sim_settings.h"
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#define SIM_POOL_NAME_MAX 12
#define SIM_MACHINE_NAME_MAX 34
#define SIM_UNIT_NAME_MAX (SIM_POOL_NAME_MAX + 1 + SIM_MACHINE_NAME_MAX) /* a pool "ws1", a machine "kaitomach/ws1" */
#define SIM_GUID 37

/* --- requests and answers (sim_routes.c, sim_errors.c) --------------------------------------------------------------- */

struct sim_reply { /* built under the mutex, sent without it */
	int status;
	struct buf body;
	const char *type;               /* "application/json" */
	struct { char name[48]; char *value; } headers[16];
	size_t n_headers;
};
void sim_reply_header(struct sim_reply *r, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void sim_reply_json(struct sim_reply *r, int status, json_t *value); /* takes the reference */
void sim_reply_done(struct sim_reply *r);

struct sim_failure { int status; char code[128], message[4096]; json_t *details; }; /* details owned, may be NULL */
void sim_errors_set(struct sim_failure *f, int status, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The answer in the shape that the settings ask for. */
void sim_errors_reply(struct simulator *s, struct sim_reply *r, const struct sim_failure *f);
/* Both in one. */
void sim_errors_answer(struct simulator *s, struct sim_reply *r, int status, const char *code, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Classes of requests: the budgets they use and how they are counted. A row each in sim_budget.c. */
enum sim_class {
	SIM_POOL_PUT, SIM_POOL_GET, SIM_POOL_LIST, SIM_POOL_DELETE, SIM_POOL_ABORT, SIM_MACHINE_PUT, SIM_MACHINE_GET, SIM_MACHINE_LIST, SIM_MACHINE_DELETE, SIM_OPERATION_GET, SIM_CLUSTER_GET, SIM_USAGES, SIM_REGISTER,
	SIM_ARM_OTHER, SIM_TOKEN, SIM_CONTROL,
	SIM_EC2_CREATE_FLEET, SIM_EC2_RUN, SIM_EC2_TERMINATE, SIM_EC2_INSTANCES, SIM_EC2_CREATE_TEMPLATE, SIM_EC2_DELETE_TEMPLATE, SIM_EC2_TEMPLATES, SIM_EC2_SUBNETS,
	SIM_EC2_GROUPS, SIM_EC2_CREATE_TAGS, SIM_EC2_OTHER, SIM_SSM, SIM_STS, SIM_METADATA, SIM_CLASSES,
};
enum { SIM_PATH_PARTS = 6 };
enum sim_action { SIM_PROCEED, SIM_REPLY, SIM_DROP, SIM_DROP_AFTER, SIM_MALFORMED };
struct sim_effect { /* what a script does to one request; owned copies */
	enum sim_action action;
	int status;
	json_t *headers;                /* name -> text; may be NULL */
	char *body;
	int64_t delay_ms;
	json_t *operation_error;        /* {code, message, details, …} with which the operation will fail; NULL: it will not */
};
struct sim_request {
	struct http_exchange *x;
	str method, path;
	const char *api_version;        /* NULL: none */
	const char *parts[SIM_PATH_PARTS]; /* the route's {…}, in order */
	json_t *body;                   /* NULL: none or not JSON */
	enum sim_class class;
	const char *pool;               /* one of parts, or NULL */
	char base[300];                 /* "http://127.0.0.1:8080", as the client calls us */
	int64_t now_ms;                 /* the simulator's time */
	struct sim_effect effect;
};
/* Answers one request of ARM. Called with the mutex held. */
typedef void sim_handler(struct simulator *s, struct sim_request *q, struct sim_reply *r);
void sim_routes_guid(char out[SIM_GUID]);
/* Azure's answer to a request. */
sim_handler sim_routes_answer;
/* sim_exchange.c: the http_handler of every route, of both clouds. */
int sim_exchange_answer(struct http_exchange *x, struct err *err);
/* For the clouds' answers: takes the script that concerns the request (by q->method and `path`) and waits as long as it and the settings say.
 * True: the scripted reply is in *r, and the request is not carried out. */
bool sim_exchange_scripted(struct simulator *s, struct sim_request *q, str path, int64_t delay_ms, struct sim_reply *r);

/* --- agent pools (sim_pools.c) and their requests (sim_pool_api.c, sim_pool_check.c) --------------------------------- */

struct sim_operation;
enum sim_pool_state { SIM_POOL_CREATING, SIM_POOL_UPDATING, SIM_POOL_DELETING, SIM_POOL_SUCCEEDED, SIM_POOL_FAILED, SIM_POOL_CANCELED };
struct sim_pool { /* or a machine of one: a pool of one machine */
	char name[SIM_UNIT_NAME_MAX + 1];
	uint64_t generation;            /* of this pool among all that ever had the name */
	json_t *body;                   /* as GET shows it */
	json_t *machine;                /* as GET shows a machine; NULL: it is a pool */
	char created[32];               /* of a machine */
	enum sim_pool_state state;
	char etag[SIM_GUID];
	uint64_t operation;             /* that runs; 0: none */
	bool foreign;                   /* made through /_sim/pools */
	int count;
	bool stopped;                   /* its power state, the cluster's aside */
	bool nodes_wanted;              /* its Nodes have joined or may join */
	uint8_t *nodes; int n_nodes;    /* SIM_IS_* by index */
	char *text; size_t text_len;    /* body printed; NULL: changed since */
};
enum { SIM_IS_JOINED = 1, SIM_IS_VANISHED = 2, SIM_IS_DOWN = 4 /* NotReady because it is stopped */, SIM_IS_FORCED = 8 /* readiness set by /_sim/nodes */ };
struct sim_pool *sim_pools_find(struct simulator *s, const char *name);
struct sim_pool *sim_pools_find_generation(struct simulator *s, const char *name, uint64_t generation);
/* Makes or replaces: `request` is the body of a PUT that was checked. */
struct sim_pool *sim_pools_put(struct simulator *s, const char *name, const json_t *request, bool foreign);
/* Sets members of its properties (null removes them) without any check; powerState stops or starts it. */
void sim_pools_change(struct simulator *s, struct sim_pool *p, const json_t *properties);
void sim_pools_show_error(struct sim_pool *p, json_t *error); /* in properties.status; NULL: none */
void sim_pools_set_state(struct simulator *s, struct sim_pool *p, enum sim_pool_state state);
void sim_pools_remove(struct simulator *s, struct sim_pool *p); /* its Nodes are the joiner's business */
const char *sim_pools_state_name(enum sim_pool_state state);
str sim_pools_text(struct sim_pool *p);
/* The power state that the pool shows: its own and the cluster's. */
void sim_pools_show_power(struct simulator *s, struct sim_pool *p);
bool sim_pools_running(const struct simulator *s, const struct sim_pool *p);
void sim_pools_free(void *pool);
sim_handler sim_pool_api_put, sim_pool_api_get, sim_pool_api_list, sim_pool_api_delete, sim_pool_api_abort;
/* For machines too. The list of the pools (of NULL), or of the machines in one; If-Match and If-None-Match; the refusal while `o` runs. */
void sim_pool_api_reply(struct sim_reply *r, int status, struct sim_pool *p); /* the pool, or the machine, itself */
void sim_pool_api_list_of(struct simulator *s, struct sim_request *q, const char *of, struct sim_reply *r);
bool sim_pool_api_conditions(struct simulator *s, const struct sim_request *q, const struct sim_pool *p, struct sim_reply *r);
void sim_pool_api_busy(struct simulator *s, const struct sim_operation *o, struct sim_reply *r);
/* Whether AKS would take the body for that pool (old NULL: a new one). True: yes; else *f says what it answers. */
bool sim_pool_check_body(const struct simulator *s, const char *name, const json_t *body, const struct sim_pool *old, struct sim_failure *f);
bool sim_pool_check_name(const char *name);

/* --- machines (sim_machine.c, sim_machine_api.c) ----------------------------------------------------------------------- */

sim_handler sim_machine_api_put, sim_machine_api_get, sim_machine_api_list, sim_machine_api_delete;
bool sim_machine_holder(const struct sim_pool *p); /* a pool in mode Machines */
bool sim_machine_of(const struct sim_pool *p, const char *pool);
bool sim_machine_name_valid(const char *name);
json_t *sim_machine_as_pool(const json_t *request); /* the body of a pool of one; new object */
void sim_machine_show(const struct simulator *s, struct sim_pool *p, const json_t *request);
void sim_machine_refresh(struct sim_pool *p);
void sim_machine_leave_all(struct simulator *s, const struct sim_pool *holder); /* the pool is being removed */

/* --- long-running operations (sim_operations.c) ---------------------------------------------------------------------- */

enum sim_operation_kind { SIM_CREATE, SIM_UPDATE, SIM_DELETE };
enum sim_operation_state { SIM_IN_PROGRESS, SIM_OPERATION_SUCCEEDED, SIM_OPERATION_FAILED, SIM_OPERATION_CANCELED };
struct sim_operation {
	uint64_t id;
	char guid[SIM_GUID];
	enum sim_operation_kind kind;
	enum sim_operation_state state;
	char pool[SIM_UNIT_NAME_MAX + 1];
	uint64_t generation;
	int64_t started_s, ended_s;     /* simulated wall time */
	json_t *error;                  /* {code, message, …} with which it will fail or has failed; owned; NULL: it will succeed */
};
/* Begins one on the pool; it will fail when the effect of a script says so. */
struct sim_operation *sim_operations_begin(struct simulator *s, struct sim_pool *p, enum sim_operation_kind kind, struct sim_effect *effect);
/* Lets it take its time; one that takes none ends here, so the first answer must have been made. */
void sim_operations_run(struct simulator *s, struct sim_operation *o);
/* What its end does to the pool. */
void sim_operations_finish(struct simulator *s, uint64_t id, enum sim_operation_state state);
struct sim_operation *sim_operations_find(struct simulator *s, uint64_t id);
/* The headers by which a client asks on, by the style of the settings. */
void sim_operations_headers(struct simulator *s, const struct sim_request *q, const struct sim_operation *o, struct sim_reply *r);
const char *sim_operations_word(enum sim_operation_kind kind); /* "create" */
void sim_operations_free(void *operation);
sim_handler sim_operations_get, sim_operations_result;

/* --- what is due (sim_timers.c) -------------------------------------------------------------------------------------- */

enum sim_node_work { SIM_NODE_JOIN, SIM_NODE_READY, SIM_NODE_DEVICES, SIM_NODE_DOWN, SIM_NODE_DELETE, SIM_NODE_HEARTBEAT };
#define SIM_OWNER_MAX SIM_UNIT_NAME_MAX /* an agent pool's or machine's name, an EC2 instance's id */
struct sim_node_job { enum sim_node_work work; char owner[SIM_OWNER_MAX + 1]; uint64_t generation; int index, attempt; };
enum sim_event_kind { SIM_EVENT_FINISH /* id: an operation, an EC2 instance */, SIM_EVENT_JOIN /* the Nodes of the pool job.owner */, SIM_EVENT_NODE /* job */ };
struct sim_event { int64_t due_ms; uint64_t order, id; enum sim_event_kind kind; struct sim_node_job job; };
struct sim_timers { VEC(struct sim_event) heap; uint64_t order; pthread_cond_t changed; pthread_t thread; bool running; };
WARN_UNUSED int sim_timers_start(struct simulator *s, struct err *err);
void sim_timers_stop(struct simulator *s);
void sim_timers_finish(struct simulator *s, int64_t due_ms, uint64_t id);
void sim_timers_node(struct simulator *s, int64_t due_ms, enum sim_event_kind kind, const struct sim_node_job *job);
void sim_timers_advance(struct simulator *s, int64_t ms); /* what becomes due has happened when it returns */
int64_t sim_timers_now_ms(const struct simulator *s); /* the simulator's clock */
int64_t sim_timers_wall_s(const struct simulator *s);

/* --- Nodes (sim_joiner.c, sim_node.c, sim_pool_nodes.c) -------------------------------------------------------------- */

#define SIM_NODE_NAME 64
/* What the joiner asks about a machine. Mutex held. The last four: only while flags is not NULL. */
struct sim_nodes {
	uint8_t *(*flags)(struct simulator *s, const struct sim_node_job *job); /* SIM_IS_*; NULL: there is no such machine any more */
	void (*name)(struct simulator *s, const struct sim_node_job *job, char out[SIM_NODE_NAME]);
	bool (*find)(struct simulator *s, const char *node, struct sim_node_job *out); /* the machine of a Node's name */
	bool (*leaving)(struct simulator *s, const struct sim_node_job *job); /* it is being removed */
	json_t *(*make)(struct simulator *s, const struct sim_node_job *job, bool ready, bool devices); /* the Node */
	json_t *(*devices_patch)(struct simulator *s, const struct sim_node_job *job);
	int (*gpus)(struct simulator *s, const struct sim_node_job *job);
};
extern const struct sim_nodes SIM_POOL_NODES;

struct sim_joiner;
WARN_UNUSED int sim_joiner_start(struct simulator *s, const char *kubeconfig, struct err *err);
void sim_joiner_cancel(struct simulator *s); /* ends its requests, so that nobody waits for a silent API server */
void sim_joiner_stop(struct simulator *s);
/* The time to join has come for a pool. Mutex held, as in all below but for disturb; nothing is sent here. */
void sim_joiner_pool_due(struct simulator *s, const struct sim_node_job *pool);
/* Brings the pool's Nodes to what they should be: joined when it runs, gone or NotReady when it is stopped. */
void sim_joiner_sync(struct simulator *s, struct sim_pool *p);
void sim_joiner_leave(struct simulator *s, struct sim_pool *p); /* the pool is being removed: so are its Nodes */
void sim_joiner_add(struct simulator *s, const struct sim_node_job *job);
void sim_joiner_state(const struct simulator *s, json_t *out);
/* POST /_sim/nodes/NAME. status "True" | "False" | "Unknown", or NULL: the machine vanishes. Takes the mutex. */
WARN_UNUSED int sim_joiner_disturb(struct simulator *s, const char *node, const char *status, struct err *err);

void sim_node_name(const struct simulator *s, const char *pool, int index, char out[SIM_NODE_NAME]);
/* The pool and index of such a name; false: it is none. */
bool sim_node_parse(const char *name, char pool[SIM_UNIT_NAME_MAX + 1], int *index);
/* The Node as AKS and its kubelet register it. New object. */
json_t *sim_node_make(const struct simulator *s, const struct sim_pool *p, int index, bool ready, bool devices);
json_t *sim_node_condition_patch(const struct simulator *s, const char *status);
json_t *sim_node_devices_patch(const struct sim_pool *p);
json_t *sim_node_lease(const struct simulator *s, const char *name);
int sim_node_gpus(const struct sim_pool *p);
/* Parts of every cloud's Nodes. A machine that the catalogue does not know (NULL) has two cores. */
int sim_node_gpus_of(const struct sku *sku);
json_t *sim_node_resources(const struct sku *sku, int64_t disk_gib, int64_t pods, int gpus, bool allocatable);
json_t *sim_node_conditions(const struct simulator *s, bool ready);

/* --- tokens (sim_tokens.c, sim_assertion.c) -------------------------------------------------------------------------- */

struct sim_tokens { struct map by_text; uint64_t issued, refused; char challenge[SIM_GUID]; /* a CAE challenge's nonce; "" none */ char arc_key[SIM_GUID]; };
bool sim_tokens_is_path(const struct sim_request *q); /* one of the token endpoints */
/* Its answer. Mutex held. */
void sim_tokens_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r);
/* Whether the Authorization header lets the request in; else the 401 is in *r. */
bool sim_tokens_check(struct simulator *s, const struct sim_request *q, struct sim_reply *r);
void sim_tokens_revoke(struct simulator *s);
struct sim_oauth_error { int status, number; const char *error; char text[512]; };
/* Whether a federated (workload identity) or certificate assertion is good; else *e. */
/* The claims of a JSON web token, whose signature is not looked at; NULL: it is none. New object. */
json_t *sim_assertion_claims(str text);
bool sim_assertion_is_for(const json_t *claims, const char *wanted); /* their audience */
bool sim_assertion_check(const struct simulator *s, str assertion, const char *token_url, struct sim_oauth_error *e);

/* --- scripts, budgets, log of calls ---------------------------------------------------------------------------------- */

struct sim_scripts { VEC(struct sim_script *) rows; };
/* Adds the rows of an array (or one object); none when one of them is wrong. */
WARN_UNUSED int sim_script_add(struct sim_scripts *list, const json_t *rows, struct err *err);
/* The first row that concerns the request and has uses left; takes one. False: none. */
bool sim_script_match(struct sim_scripts *list, str method, str path, struct sim_effect *out);
json_t *sim_script_show(const struct sim_scripts *list);
void sim_script_clear(struct sim_scripts *list);
void sim_effect_done(struct sim_effect *e);

enum sim_bucket { SIM_BUCKET_ARM_READS, SIM_BUCKET_ARM_WRITES, SIM_BUCKET_ARM_DELETES, SIM_BUCKET_AKS_POOLS, SIM_BUCKET_AKS_OPERATIONS, SIM_BUCKET_AKS_CLUSTER,
		  SIM_BUCKET_AKS_PUT /* one for each pool */,
		  SIM_BUCKET_EC2_CREATE_FLEET, SIM_BUCKET_EC2_RUN, SIM_BUCKET_EC2_TERMINATE, SIM_BUCKET_EC2_INSTANCES, SIM_BUCKET_EC2_CREATE_TEMPLATE, SIM_BUCKET_EC2_DELETE_TEMPLATE,
		  SIM_BUCKET_EC2_TEMPLATES, SIM_BUCKET_EC2_SUBNETS, SIM_BUCKET_EC2_GROUPS, SIM_BUCKET_EC2_CREATE_TAGS, SIM_BUCKETS };
struct sim_level { double tokens; int64_t at_ms; bool begun; };
struct sim_budget {
	struct sim_level levels[SIM_BUCKETS];
	struct map pools;               /* name -> struct sim_level, of SIM_BUCKET_AKS_PUT */
	struct { uint64_t taken, overruns; double lowest; } use[SIM_BUCKETS];
};
void sim_budget_done(struct sim_budget *b);
/* Takes a token from each bucket of the class. 0: all had one; else the bucket that had none + 1 and *retry_s until it has. When `refuse`,
 * nothing is taken then. */
int sim_budget_take(struct sim_budget *b, enum sim_class class, const char *pool, int64_t now_ms, bool refuse, int64_t *retry_s);
/* The whole tokens left in the ARM bucket of the class, and the header that tells it; *header is left alone for classes without one. */
int sim_budget_left(const struct sim_budget *b, enum sim_class class, const char **header);
const char *sim_budget_class_name(enum sim_class class);
const char *sim_budget_bucket_name(enum sim_bucket bucket);
bool sim_budget_is_arm(enum sim_bucket bucket);
json_t *sim_budget_show(const struct sim_budget *b, enum sim_clouds cloud);
void sim_budget_reset(struct sim_budget *b); /* a zeroed one too */

struct sim_call { uint64_t number; int64_t at_s, at_ms, took_us; enum sim_class class; int status /* 0: none was sent */; char method[8]; char pool[SIM_POOL_NAME_MAX + 1]; char *path; };
struct sim_calls {
	struct sim_call *ring; uint64_t total;
	uint64_t by_class[SIM_CLASSES], throttled, conflicts;
	struct map by_pool;             /* name -> uint64_t[SIM_CLASSES] */
};
void sim_calls_init(struct sim_calls *c);
void sim_calls_done(struct sim_calls *c);
void sim_calls_note(struct sim_calls *c, const struct sim_request *q, int64_t at_s, int status, int64_t took_us);
json_t *sim_calls_counts(const struct sim_calls *c);
json_t *sim_calls_show(const struct sim_calls *c, uint64_t since, const char *class, const char *pool);

/* --- the cluster (sim_cluster.c), quota (sim_usages.c), control (sim_control.c), TLS ---------------------------------- */

sim_handler sim_cluster_get, sim_cluster_register, sim_usages_get;
void sim_cluster_set_power(struct simulator *s, bool running);
/* Whether the cores of a new pool fit into the quotas of the settings; else *f. */
bool sim_usages_allow(struct simulator *s, const json_t *body, struct sim_failure *f);
/* Requests under /_sim/. Takes the mutex itself. */
void sim_control_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r);
json_t *sim_control_azure_state(struct simulator *s);
void sim_control_refuse(struct sim_reply *r, const struct err *err);
struct sim_certificate { char *cert_pem, *key_pem, *ca_pem; };
WARN_UNUSED int sim_certificate_make(struct sim_certificate *out, struct err *err);
void sim_certificate_done(struct sim_certificate *c);

/* --- which cloud --------------------------------------------------------------------------------------------------- */

/* To add a cloud: a table, its name in simulator.c, a bit in sim_settings.h. */
struct sim_cloud {
	const char *name;               /* "azure" */
	enum sim_clouds bit;            /* of its settings and control requests */
	/* Names what the options leave open; members that only this cloud has. */
	WARN_UNUSED int (*open)(struct simulator *s, const struct simulator_options *o, struct err *err);
	void (*close)(struct simulator *s); /* also after an open that failed */
	sim_handler *answer;            /* every request that is not under /_sim/. Mutex held, as in all below */
	void (*due)(struct simulator *s, uint64_t id); /* SIM_EVENT_FINISH */
	json_t *(*environment)(const struct simulator *s, const char *endpoint);
	json_t *(*state)(struct simulator *s); /* of GET /_sim/state */
	const struct sim_nodes *nodes;
};
extern const struct sim_cloud SIM_AZURE, SIM_AWS;
/* What the first line of stdout says. Mutex held. */
json_t *simulator_environment(const struct simulator *s);

/* --- the simulator --------------------------------------------------------------------------------------------------- */

struct simulator {
	const struct sim_cloud *cloud;
	struct http_server *server;
	struct sim_settings settings;
	int port;
	bool tls;
	char *host, *subscription, *resource_group, *cluster, *location, *node_group, *tenant, *client_id, *ca_file;
	char digits[9];                 /* of the Nodes' names, the same for all pools of a cluster */

	pthread_mutex_t mu;             /* guards settings and everything below */
	pthread_cond_t ended;           /* stopping was set: delayed answers go out; CLOCK_MONOTONIC */
	int64_t clock_ms;               /* added to the monotonic clock */
	bool stopping;
	bool cluster_stopped;
	uint64_t serial;
	int64_t machines;               /* counts of all pools */
	struct map pools;               /* name -> struct sim_pool */
	struct map operations;          /* guid -> struct sim_operation */
	uint64_t last_operation, created, deleted;
	size_t pool_count;              /* of `pools`, without the machines that are among them */
	VEC(struct sim_operation *) operations_by_id; /* the same */
	struct sim_timers timers;
	struct aws_sim *aws;            /* the state of AWS (aws_sim.h); NULL on Azure */
	struct sim_joiner *joiner;      /* NULL: no API server */
	struct sim_tokens tokens;
	struct sim_scripts scripts;
	struct sim_budget budget;
	struct sim_calls calls;
};
