/* Fuzz target: an error body of Azure Resource Manager (first byte: the status; second: whether a header names the code). Whatever came is
 * described, in bounded lines of UTF-8. */
#include "azure/arm_error.h"
#include "base/limits.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_line(const char *text)
{
	size_t bad;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20)
			return false;
	return str_is_utf8(str_of(text), &bad);
}

static bool check(void *context, const char *code, const char *message)
{
	must(++*(int *)context <= LIMIT_ARM_ERROR_NODES);
	must(is_line(code) && is_line(message) && strlen(code) <= ARM_CODE_MAX && strlen(message) <= ARM_MESSAGE_MAX);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int STATUSES[] = {0, 400, 409, 502};
	struct arm_error e, again;
	char text[801];
	int nodes = 0;
	if (size < 2)
		return 0;
	arm_error_read(&e, STATUSES[data[0] % 4], data[1] % 2 ? "Named" : NULL, (str){(const char *)data + 2, size - 2});
	must(e.tree && is_line(e.code) && is_line(e.message) && (e.code[0] || e.message[0]));
	arm_error_walk(&e, check, &nodes);
	arm_error_text(&e, text, sizeof text);
	must(is_line(text));
	nodes = 0;
	arm_error_of_json(&again, 0, e.tree);
	arm_error_walk(&again, check, &nodes);
	arm_error_done(&again);
	arm_error_done(&e);
	return 0;
}
