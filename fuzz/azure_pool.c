/* Fuzz target: pools, pages of quota and specs of node classes are any JSON, providerIDs any text: they are read or refused, and the pool
 * found in a providerID has a valid name. */
#include "azure/agent_pool.h"
#include "azure/quota.h"
#include "codec/json.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_pool(const json_t *json)
{
	const struct claim_view claim = {.dialect = &DIALECT_NODE_CLAIM, .name = "ws1", .uid = "u", .created_s = 1};
	struct agent_pool p;
	if (!agent_pool_read(&p, json))
		return;
	if (!p.name[0] || (p.ours && !p.claim[0]) || (!p.ours && agent_pool_is_of(&p, &claim)))
		abort();
}

static void read_class(const json_t *json)
{
	struct claim_view claim = {.dialect = &DIALECT_NODE_CLAIM, .name = "ws1", .uid = "u", .created_s = 1, .storage_bytes = (int64_t)64 << 30, .node_class = json};
	struct offering offering = {"Standard_NC6s_v3", "eastus-1", true};
	struct err err = ERR_INIT;
	json_t *body = NULL;
	int checked = agent_pool_check_class(json, "KaitoNodeClass", "2026-05-01", &err);
	if (agent_pool_body(&claim, &offering, "ws1", "2026-05-01", &body, &err) == 0 && (checked < 0 || !json_object_get(body, "properties")))
		abort();
	json_decref(body);
}

static void read_quota(const json_t *json)
{
	struct quota *q = quota_new();
	struct failure failure;
	struct err err = ERR_INIT;
	const char *next = NULL;
	if (quota_feed(q, json, 0, &next, &err) == 0 && quota_check(q, "Standard_NC6s_v3", false, "eastus", 0, &failure) == QUOTA_SHORT && !failure.message[0])
		abort();
	quota_take(q, "Standard_NC6s_v3", false);
	quota_free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	json_t *json = NULL;
	char pool[POOL_NAME_MAX + 1];
	char *text = mem_strndup((const char *)data, size);
	if (agent_pool_of_provider_id(text, pool) && !agent_pool_name_valid(pool))
		abort();
	free(text);
	if (json_parse(&json, (str){(const char *)data, size}, "fuzz", &err) < 0)
		return 0;
	read_pool(json);
	read_class(json);
	read_quota(json);
	json_decref(json);
	return 0;
}
