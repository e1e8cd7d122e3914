/* A claim as any user of the cluster may write it: read as a view, with its labels and the memo in its annotation. */
#include "azure/memo.h"
#include "codec/json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_memo(const char *text)
{
	struct memo m, again;
	struct err err;
	if (memo_read(&m, text, &err) < 0)
		return;
	CLEANUP(mem_freep) char *printed = m.phase == MEMO_NONE ? NULL : memo_text(&m);
	if (printed && memo_read(&again, printed, &err) < 0)
		abort(); /* what we write we can read */
	if (printed)
		memo_done(&again);
	memo_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct claim_view v;
	struct err err;
	json_t *claim = NULL;
	if (json_parse(&claim, (str){(const char *)data, size}, "claim", &err) < 0)
		return 0;
	(void)claim_managed(claim);
	(void)claim_managed_node(claim);
	if (claim_view_init(&v, claim, &err) == 0) {
		json_decref(claim_view_requirement_labels(&v));
		if (v.n_instance_types > 0 && !claim_view_allows(&v, LABEL_INSTANCE_TYPE, v.instance_types[0]))
			abort();
		read_memo(v.memo);
		claim_view_done(&v);
	}
	json_decref(claim);
	return 0;
}
