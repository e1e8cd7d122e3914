/* Fuzz target: machines as ARM lists them are any JSON, units and providerIDs any text: they are read or refused, what is read has a valid
 * name, and what makes a pool's body makes a machine's that reads back the same. */
#include "azure/aks_machine.h"
#include "codec/json.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_text(const uint8_t *data, size_t size)
{
	char unit[UNIT_NAME_MAX + 1];
	char *text = mem_strndup((const char *)data, size);
	const struct claim_view claim = {.dialect = &DIALECT_NODE_CLAIM, .name = text};
	if (agent_pool_unit_of_provider_id(text, unit) && !aks_machine_unit_valid(unit))
		abort();
	if (aks_machine_unit_valid(text) && strlen(text) > UNIT_NAME_MAX)
		abort();
	aks_machine_unit(&claim, AKS_MACHINE_POOL, unit);
	if (!aks_machine_unit_valid(unit) || !aks_machine_is(unit))
		abort();
	free(text);
}

static void read_machine(const json_t *json)
{
	json_t *unit = aks_machine_as_pool(json, AKS_MACHINE_POOL);
	struct agent_pool p;
	if (unit && (!agent_pool_read(&p, unit) || !p.machine || !aks_machine_unit_valid(p.name) || p.holds_machines))
		abort();
	json_decref(unit);
}

static void make_body(const json_t *json)
{
	struct err err = ERR_INIT;
	json_t *body = NULL;
	if (!json_is_object(json) || aks_machine_body(json, &body, &err) < 0)
		return;
	json_object_set_new(body, "name", json_string("ws1"));
	json_t *back = aks_machine_as_pool(body, AKS_MACHINE_POOL);
	const json_t *had = json_object_get(json_object_get(json, "properties"), "vmSize"), *has = json_object_get(json_object_get(back, "properties"), "vmSize");
	if (!back || !json_equal((json_t *)(uintptr_t)had, (json_t *)(uintptr_t)has))
		if (had)
			abort();
	json_decref(back);
	json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	json_t *json = NULL;
	read_text(data, size);
	if (json_parse(&json, (str){(const char *)data, size}, "fuzz", &err) < 0)
		return 0;
	read_machine(json);
	make_body(json);
	json_decref(json);
	return 0;
}
