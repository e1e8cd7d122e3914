/* Nodes and claims as any cluster may hold them: cutting them down and reading them never fails, and cutting twice changes nothing. */
#include "codec/json.h"
#include "provision/node.h"
#include "provision/report.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_key(void *list, const char *key)
{
	(void)list;
	(void)key;
}

static void check(const json_t *object, bool (*transform)(json_t *object))
{
	CLEANUP(json_decrefp) json_t *once = json_deep_copy(object), *twice = NULL;
	if (!transform(once))
		return;
	twice = json_deep_copy(once);
	if (!transform(twice) || !json_equal(once, twice))
		abort();
	const struct node_options o = {.api = "nodeclaim"};
	const struct node_request r = {.name = "w", .namespace_ = "n", .uid = "u", .instance_type = ""};
	CLEANUP(json_decrefp) json_t *all = json_array(), *usable = NULL;
	struct node_report report = {0};
	json_array_append(all, once);
	usable = node_usable(all, &r, NULL);
	report_nodes(&report, usable, 1, "ready");
	report_claims(&report, claim_dialect_of(&o), all, 1);
	identity_index(once, no_key, NULL);
	node_report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(json_decrefp) json_t *object = NULL;
	struct err err = ERR_INIT;
	if (json_parse(&object, (str){(const char *)data, size}, "object", &err) < 0 || !json_is_object(object))
		return 0;
	check(object, node_transform);
	check(object, claim_transform);
	return 0;
}
