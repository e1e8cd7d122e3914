/* aws_sim.h: what the files of the simulated AWS share: EC2 (instances, fleets, launch templates, one network), STS, Systems Manager's public
 * parameters, and the services that give a machine its credentials. Private to src/simulate. Everything is guarded by the simulator's mutex.
 * It knows nothing of src/aws: it is the check of it. */
#pragma once
#include "simulate/sim.h"

#define AWS_SIM_ID 20 /* "i-0123456789abcdef0" */

/* --- forms (aws_sim_form.c) ------------------------------------------------------------------------------------------ */

struct aws_sim_form { struct map fields; }; /* name -> text, decoded */
/* The body of a query request. ERR_INVALID, ERR_LIMIT: nothing is there then. */
WARN_UNUSED int aws_sim_form_read(struct aws_sim_form *f, str text, struct err *err);
void aws_sim_form_done(struct aws_sim_form *f);
/* "Filter.%d.Name"; NULL: it is not there. */
const char *aws_sim_form_get(const struct aws_sim_form *f, const char *name, ...) __attribute__((format(printf, 2, 3)));
/* The tags of PREFIX.N.Key, PREFIX.N.Value, added to the object. */
void aws_sim_form_tags(const struct aws_sim_form *f, const char *prefix, json_t *tags);

/* --- answers (aws_sim_answer.c) -------------------------------------------------------------------------------------- */

enum aws_sim_service { AWS_SIM_EC2, AWS_SIM_STS, AWS_SIM_SSM, AWS_SIM_METADATA };
struct aws_sim_call {
	struct sim_request *q;
	const struct aws_sim_form *form;
	const char *action;             /* "CreateFleet" */
	struct sim_failure f;           /* the refusal, once its status is set */
	struct buf xml;                 /* inside of the answer's root */
};
/* <name>text</name>, escaped. */
void aws_sim_answer_put(struct buf *xml, const char *name, const char *text);
void aws_sim_answer_put_time(struct buf *xml, const char *name, int64_t unix_s);
void aws_sim_answer_put_tags(struct buf *xml, const json_t *tags);
sim_handler aws_sim_answer_request;

/* Whether a thing with these tags and fields (text by the filter's name) passes the form's Filter.N. An unknown filter is a refusal in *f and
 * passes nothing. */
bool aws_sim_filter_passes(const struct aws_sim_form *form, const json_t *tags, const json_t *fields, struct sim_failure *f);

/* --- signatures (aws_sim_signature.c) and keys (aws_sim_keys.c) -------------------------------------------------------- */

struct aws_sim_authorization { str id, day, region, service, names, signature; };
/* "AWS4-HMAC-SHA256 Credential=ID/DAY/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX"; false: it is none. */
bool aws_sim_signature_parse(str header, struct aws_sim_authorization *out);
struct aws_sim_signed { str method, path, body; const char *(*header)(const void *context, const char *name); const void *context; };
/* The signature that the request must have; false: a header that it names is not there. */
bool aws_sim_signature_of(const struct aws_sim_signed *q, const struct aws_sim_authorization *a, const char *secret, char out[65]);
/* Whether the request is signed by keys that are known, for that service, now. Else *f. */
bool aws_sim_signature_check(struct simulator *s, const struct sim_request *q, const char *service, struct sim_failure *f);

struct aws_sim_key { char id[24], secret[48], token[80]; int64_t expires_s; /* real time; 0: never */ const char *source; };
/* NULL: nobody has such a key. The one of the settings is in *room. */
const struct aws_sim_key *aws_sim_keys_find(const struct simulator *s, str id, struct aws_sim_key *room);
void aws_sim_keys_assume(struct simulator *s, struct aws_sim_call *c); /* AssumeRoleWithWebIdentity */
/* The metadata service and the pod identity agent; false: the path is none of theirs. */
bool aws_sim_keys_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r);
void aws_sim_keys_revoke(struct simulator *s);

/* --- the network and its images (aws_sim_network.c) ------------------------------------------------------------------- */

#define AWS_SIM_ZONES 3
#define AWS_SIM_GROUP "sg-0a1b2c3d4e5f60718"
void aws_sim_network_zone(const struct simulator *s, int n, char out[64]);
/* The zone of a subnet, -1: there is no such subnet. */
int aws_sim_network_subnet(const char *id);
const char *aws_sim_network_subnet_id(int zone);
void aws_sim_network_subnets(struct simulator *s, struct aws_sim_call *c);
void aws_sim_network_groups(struct simulator *s, struct aws_sim_call *c);
void aws_sim_network_parameter(struct simulator *s, struct sim_request *q, struct sim_reply *r); /* GetParameter of Systems Manager */

/* --- launch templates (aws_sim_templates.c) and what a machine does with its user data (aws_sim_boot.c) ------------------- */

struct aws_sim_template { char id[AWS_SIM_ID + 8], name[132]; int64_t created_s; json_t *tags; struct aws_sim_form form; };
void aws_sim_templates_free(void *template);
/* By PREFIX.LaunchTemplateName or …Id, and Version; NULL: the refusal is in the call. */
const struct aws_sim_template *aws_sim_templates_of(struct simulator *s, struct aws_sim_call *c, const char *prefix);
void aws_sim_templates_create(struct simulator *s, struct aws_sim_call *c);
void aws_sim_templates_describe(struct simulator *s, struct aws_sim_call *c);
void aws_sim_templates_delete(struct simulator *s, struct aws_sim_call *c);

#define AWS_SIM_CA "c2ltdWxhdGVk"
/* The taints with which the kubelet registers; NULL: the machine does not join, and why. user_data: base64, "" none. */
json_t *aws_sim_boot_taints(const struct simulator *s, const char *user_data, char why[200]);
char *aws_sim_boot_endpoint(const struct simulator *s); /* of the cluster; caller frees */

/* --- instances (aws_sim_instances.c, aws_sim_fleet.c, aws_sim_node.c) ---------------------------------------------------- */

enum aws_sim_state { AWS_SIM_PENDING, AWS_SIM_RUNNING, AWS_SIM_SHUTTING_DOWN, AWS_SIM_TERMINATED, AWS_SIM_STOPPING, AWS_SIM_STOPPED, AWS_SIM_STATES };
struct aws_sim_instance {
	uint64_t number;                /* from 1 on; id, address and Node follow from it */
	char id[AWS_SIM_ID], type[40], zone[64], subnet[32], image[40], reason[64], why[200]; /* why: it does not join */
	char *reason_text;              /* NULL: none */
	char *client_token;             /* NULL: none */
	enum aws_sim_state state;
	bool spot, foreign;
	int64_t launched_s, listed_ms, run_ms, join_ms, gone_ms, forget_ms; /* what is due when; simulated time */
	int64_t disk_gib;
	json_t *tags, *taints;          /* taints NULL: it does not join */
	bool left;                      /* its Node was sent away, or it never had one to come */
	uint8_t node;                   /* SIM_IS_* */
};
void aws_sim_instances_id(uint64_t number, char out[AWS_SIM_ID]);
struct aws_sim_instance *aws_sim_instances_find(struct simulator *s, const char *id);
const char *aws_sim_instances_state_name(enum aws_sim_state state);
/* A new one, pending; what is due is due from now on. tags is taken. */
struct aws_sim_instance *aws_sim_instances_make(struct simulator *s, const char *type, const char *zone, bool spot, json_t *tags);
/* It begins to run: call it once all members are set. */
void aws_sim_instances_start(struct simulator *s, struct aws_sim_instance *i);
void aws_sim_instances_end(struct simulator *s, struct aws_sim_instance *i, const char *reason, const char *text);
/* "stopped" or "running" at once. */
void aws_sim_instances_power(struct simulator *s, struct aws_sim_instance *i, bool on);
void aws_sim_instances_forget(struct simulator *s, struct aws_sim_instance *i);
void aws_sim_instances_due(struct simulator *s, uint64_t number);
void aws_sim_instances_free(void *instance);
size_t aws_sim_instances_alive(const struct simulator *s);
bool aws_sim_instances_is_alive(const struct aws_sim_instance *i); /* pending to stopped */
void aws_sim_instances_describe(struct simulator *s, struct aws_sim_call *c);
void aws_sim_instances_terminate(struct simulator *s, struct aws_sim_call *c);
void aws_sim_instances_tag(struct simulator *s, struct aws_sim_call *c); /* CreateTags */
void aws_sim_fleet_create(struct simulator *s, struct aws_sim_call *c);
void aws_sim_fleet_run(struct simulator *s, struct aws_sim_call *c); /* RunInstances */
struct aws_sim_request { char digest[80]; char *answer; char instance[AWS_SIM_ID]; }; /* by its client token */
void aws_sim_fleet_request_free(void *request);
extern const struct sim_nodes AWS_SIM_NODES;

/* --- control (aws_sim_control.c) --------------------------------------------------------------------------------------- */

sim_handler aws_sim_control_make, aws_sim_control_change, aws_sim_control_forget, aws_sim_control_tokens;
json_t *aws_sim_control_state(struct simulator *s);

struct aws_sim {
	struct map instances;           /* id -> struct aws_sim_instance */
	struct map templates;           /* name -> struct aws_sim_template */
	struct map requests;            /* client token -> struct aws_sim_request */
	struct map keys;                /* access key id -> struct aws_sim_key */
	uint64_t last, created, ended, launched, issued, refused;
	char session[SIM_GUID];         /* of the metadata service; "" none was asked for */
	int64_t session_until_ms;
};
