/* Fuzz target: what clients of the simulated cloud send. The first byte picks: p the body of an agent pool, which becomes a pool and a Node
 * when it passes the checks; s scripts, which are matched then; t settings; a a client assertion. */
#include "codec/json.h"
#include "simulate/sim.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char subscription[] = "s", group[] = "g", cluster[] = "c", location[] = "eastus", client[] = "client";

static void try_pool(struct simulator *s, const json_t *body)
{
	struct sim_failure f = {0};
	char name[SIM_NODE_NAME], pool[SIM_UNIT_NAME_MAX + 1];
	int index;
	if (sim_pool_check_body(s, "ws1", body, NULL, &f)) {
		struct sim_pool *p = sim_pools_put(s, "ws1", body, false);
		sim_pools_set_state(s, p, SIM_POOL_SUCCEEDED);
		p->nodes_wanted = true;
		sim_joiner_sync(s, p);
		json_decref(sim_node_make(s, p, 0, true, true));
		(void)!sim_usages_allow(s, body, &f);
		(void)!sim_pool_check_body(s, "ws1", body, p, &f);
		sim_node_name(s, p->name, 999, name);
		if (!sim_node_parse(name, pool, &index) || index != 999 || sim_pools_text(p).len == 0)
			__builtin_trap();
	}
	json_decref(f.details);
}

static void try_scripts(const json_t *rows)
{
	struct sim_scripts list = {0};
	struct sim_effect e = {0};
	struct err err = ERR_INIT;
	if (sim_script_add(&list, rows, &err) == 0)
		for (int i = 0; i < 4 && sim_script_match(&list, STR("PUT"), STR("/subscriptions/s/agentPools/ws1"), &e); i++)
			sim_effect_done(&e);
	json_decref(sim_script_show(&list));
	sim_script_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct simulator s = {.cloud = &SIM_AZURE, .subscription = subscription, .resource_group = group, .cluster = cluster, .location = location, .node_group = group,
		.client_id = client, .digits = "12345678"};
	struct sim_oauth_error oauth;
	struct err err = ERR_INIT;
	json_t *value = NULL;
	str text = size ? (str){(const char *)data + 1, size - 1} : STR("");
	s.pools.free_value = sim_pools_free;
	sim_settings_init(&s.settings, SIM_ON_AZURE);
	if (size && data[0] == 'a') {
		(void)!sim_assertion_check(&s, text, "http://x/token", &oauth);
	} else if (size && json_parse(&value, text, "input", &err) == 0) {
		if (data[0] == 'p')
			try_pool(&s, value);
		else if (data[0] == 's')
			try_scripts(value);
		else
			(void)!sim_settings_apply(&s.settings, value, &err);
	}
	json_decref(value);
	sim_settings_done(&s.settings);
	map_done(&s.pools);
	return 0;
}
