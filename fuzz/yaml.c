/* Fuzz target: a YAML document is read or refused, and what was read can be printed and has a mark for every value. */
#include "codec/json.h"
#include "codec/yaml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_marks(const json_t *v, const struct yaml_mark *mark)
{
	size_t count = json_is_object(v) ? json_object_size(v) : json_array_size(v);
	if (mark->line == 0 || mark->count != count)
		abort();
	for (size_t i = 0; json_is_array(v) && i < count; i++)
		check_marks(json_array_get(v, i), &mark->children[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct yaml_doc doc;
	if (yaml_parse(&doc, (str){(const char *)data, size}, "fuzz", &err) < 0)
		return 0;
	struct buf out = {0};
	check_marks(doc.root, &doc.mark);
	json_print(doc.root, JSON_PRINT_SORTED, &out);
	buf_done(&out);
	yaml_doc_done(&doc);
	return 0;
}
