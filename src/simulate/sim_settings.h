/* sim_settings.h: what PUT /_sim/settings and the flags set. One row each in sim_settings.c, which checks and prints them. */
#pragma once
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum sim_clouds { SIM_ON_AZURE = 1, SIM_ON_AWS = 2, SIM_ON_ALL = 3 }; /* bits */

struct sim_settings { /* owned strings */
	enum sim_clouds cloud;          /* whose settings there are; the others keep their defaults */
	/* --- of all clouds --- */
	int64_t create_ms, update_ms, delete_ms; /* how long operations take */
	int64_t join_ms;                /* Nodes join this long before the end of the creation; negative: after it */
	bool join;                      /* whether they join at all */
	int64_t ready_ms, device_plugin_ms; /* after joining: Ready=True, GPUs in capacity */
	int64_t heartbeat_ms;           /* how often Ready's heartbeat is renewed; 0: never */
	int64_t kubelet_port;           /* in a Node's status; 0: none is named */
	char *lro;                      /* async | operation_location | location | body */
	int64_t retry_after_ms;         /* in answers about running operations; 0: no header */
	char *retry_after_style;        /* seconds | ms | x-ms | date */
	char *error_shape;              /* arm | bare | empty | html */
	bool error_header;              /* x-ms-error-code */
	char *conflict;                 /* in_progress | another: the wording of a refusal while an operation runs */
	bool delete_preempts;           /* DELETE of a pool that is being created ends the creation instead of a refusal */
	char *conditions_since;         /* If-Match and If-None-Match are heeded from this api-version on; "": always */
	bool provisioning_error;        /* a failed pool says why in properties.status.provisioningError, as newer versions of the API do */
	bool serial;                    /* one operation at a time in the whole cluster */
	int64_t page_size;              /* pools in one answer to LIST; 0: all */
	int64_t max_pools;
	bool throttle;
	int64_t delay_ms;               /* before each answer of ARM */
	bool auth;                      /* bearer tokens are checked */
	int64_t token_lifetime_s;
	char *client_secret, *client_certificate, *federated_issuer, *federated_subject, *identity_header, *arc_folder;
	bool identity_assigned;         /* managed identity exists */
	char *stop_nodes;               /* notready | remove: what becomes of Nodes when the cluster or pool stops */
	int64_t stopped_status;         /* of a PUT to a stopped cluster: 409 or 400 */
	bool registered;                /* Microsoft.ContainerService is registered in the subscription */
	/* --- of AWS --- */
	char *access_key_id, *secret_access_key, *role_arn; /* keys that are taken; the role of service accounts */
	char *instance_profile;         /* the one there is */
	char *denied;                   /* actions that the role may not do, "CreateFleet,CreateTags" */
	int64_t clock_skew_s;           /* how far the services' clock is ahead of this machine's */
	int64_t list_delay_ms;          /* before a new instance is listed */
	int64_t keep_ms;                /* terminated instances stay listed */
	json_t *capacity;               /* "TYPE[/ZONE][/spot|on-demand]" -> instances that can be had; owned */
	json_t *quotas;                 /* family or "cores" or "lowPriorityCores" -> cores, of AWS "on-demand" or "spot"; owned */
};
void sim_settings_init(struct sim_settings *s, enum sim_clouds cloud);
void sim_settings_done(struct sim_settings *s);
/* Sets the members of an object; none when one is unknown or wrong (ERR_INVALID names it and, for words, the choices). */
WARN_UNUSED int sim_settings_apply(struct sim_settings *s, const json_t *change, struct err *err);
json_t *sim_settings_show(const struct sim_settings *s);
