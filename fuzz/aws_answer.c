/* Fuzz target: an XML answer of an AWS service. What is read prints as JSON that reads back the same, and every reader of answers copes. */
#include "aws/fleet_request.h"
#include "aws/machine.h"
#include "aws/xml_answer.h"
#include "codec/json.h"
#include "kube/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void each(void *context, json_t *instance)
{
	struct machine m;
	char id[41];
	(void)context;
	if (!machine_read(&m, instance))
		return;
	char *provider_id = machine_provider_id(&m);
	must(machine_of_provider_id(provider_id, id) && strcmp(id, m.id) == 0);
	free(provider_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *answer = NULL, *again = NULL;
	struct err err = ERR_INIT;
	struct buf text = {0};
	if (xml_answer_read((str){(const char *)data, size}, &answer, &err) < 0) {
		must(err.kind != ERR_NONE && err.message[0]);
		return 0;
	}
	json_t *body = json_object_iter_value(json_object_iter(answer));
	machine_each(body, each, NULL);
	const char *id = fleet_request_instance(body);
	must(!id || id[0]);
	json_print(answer, JSON_PRINT_COMPACT, &text);
	must(json_parse_with(&again, buf_str(&text), "answer", &(struct json_rules){.max_bytes = text.len + 1, .max_depth = 64, .allow_nul = true}, &err) == 0);
	must(json_equal(answer, again));
	json_decref(again);
	json_decref(answer);
	buf_done(&text);
	return 0;
}
