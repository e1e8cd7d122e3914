/* test_arm_error.c: every shape in which ARM says what went wrong, and that no answer can be too odd, deep or large. */
#include "azure/arm_error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"

static struct arm_error e;

static const char *text(size_t size)
{
	static char out[4096];
	arm_error_text(&e, out, size < sizeof out ? size : sizeof out);
	return out;
}

static const struct { const char *name; int status; const char *header, *body, *code, *message, *text; } SHAPES[] = {
	{"wrapped", 409, NULL, "{\"error\":{\"code\":\"OperationNotAllowed\",\"message\":\"no\",\"target\":\"x\",\"additionalInfo\":[{\"a\":1}]}}", "OperationNotAllowed",
	 "no", "OperationNotAllowed: no"},
	{"bare, of the AKS front end", 404, NULL, "{\"code\":\"NotFound\",\"message\":\"Agent Pool not found\",\"details\":null,\"subcode\":\"\"}", "NotFound",
	 "Agent Pool not found", "NotFound: Agent Pool not found"},
	{"subcode", 400, NULL, "{\"code\":\"BadRequest\",\"message\":\"m\",\"subcode\":\"Sub\"}", "BadRequest", "m", "BadRequest: m; caused by Sub"},
	{"an operation", 200, NULL, "{\"name\":\"op\",\"status\":\"Failed\",\"error\":{\"code\":\"AllocationFailed\",\"message\":\"full\"}}", "AllocationFailed", "full",
	 "AllocationFailed: full"},
	{"OAuth", 401, NULL, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: bad\"}", "invalid_client", "AADSTS7000215: bad",
	 "invalid_client: AADSTS7000215: bad"},
	{"the header wins", 403, "AuthorizationFailed", "{\"error\":{\"code\":\"Other\",\"message\":\"m\"}}", "AuthorizationFailed", "m",
	 "AuthorizationFailed: m; caused by Other"},
	{"the header agrees", 403, "Same", "{\"error\":{\"code\":\"Same\",\"message\":\"m\"}}", "Same", "m", "Same: m"},
	{"the header alone", 429, "TooManyRequests", "", "TooManyRequests", "HTTP 429", "TooManyRequests: HTTP 429"},
	{"nothing", 502, NULL, "", "", "HTTP 502", "HTTP 502"},
	{"a page", 502, NULL, "<html><head><style>b{}</style><title>Bad\n  Gateway</title></head><body><h1>no</h1></body></html>", "", "HTTP 502: Bad Gateway no",
	 "HTTP 502: Bad Gateway no"},
	{"plain text", 500, NULL, "upstream connect error", "", "HTTP 500: upstream connect error", "HTTP 500: upstream connect error"},
	{"JSON that is no error", 500, NULL, "{\"hello\":1}", "", "HTTP 500: {\"hello\":1}", "HTTP 500: {\"hello\":1}"},
	{"details", 400, NULL,
	 "{\"error\":{\"code\":\"InvalidTemplateDeployment\",\"message\":\"see details\",\"details\":[{\"code\":\"QuotaExceeded\",\"message\":\"q\"},"
	 "{\"code\":\"Second\",\"message\":\"s\"}]}}",
	 "InvalidTemplateDeployment", "see details", "InvalidTemplateDeployment: see details; caused by QuotaExceeded: q; caused by Second: s"},
	{"details as an object", 400, NULL, "{\"code\":\"A\",\"message\":\"a\",\"details\":{\"code\":\"B\",\"message\":\"b\"}}", "A", "a", "A: a; caused by B: b"},
	{"details as text", 400, NULL, "{\"code\":\"A\",\"message\":\"a\",\"details\":[\"because\"]}", "A", "a", "A: a; caused by because"},
	{"innererror", 400, NULL, "{\"error\":{\"code\":\"A\",\"message\":\"a\",\"innererror\":{\"code\":\"B\",\"innererror\":{\"code\":\"C\",\"message\":\"c\"}}}}", "A", "a",
	 "A: a; caused by B; caused by C: c"},
	{"JSON inside the message", 400, NULL, "{\"code\":\"A\",\"message\":\"failed: {\\\"error\\\":{\\\"code\\\":\\\"B\\\",\\\"message\\\":\\\"b\\\"}}\"}", "A", "failed",
	 "A: failed; caused by B: b"},
	{"nothing but JSON in the message", 400, NULL, "{\"code\":\"A\",\"message\":\"{\\\"code\\\":\\\"B\\\",\\\"message\\\":\\\"b\\\"}\"}", "A", "b", "A: b; caused by B"},
	{"JSON escaped twice", 400, NULL, "{\"code\":\"A\",\"message\":\"m: {\\\\\\\"code\\\\\\\":\\\\\\\"B\\\\\\\",\\\\\\\"message\\\\\\\":\\\\\\\"b\\\\\\\"}\"}", "A", "m",
	 "A: m; caused by B: b"},
	{"code and message quoted as the SDK prints them", 409, NULL,
	 "{\"code\":\"ReconcileVMSSAgentPoolFailed\",\"message\":\"retry failed: Code=\\\"AllocationFailed\\\" Message=\\\"We do not have capacity\\\"\"}",
	 "ReconcileVMSSAgentPoolFailed", "retry failed: Code=\"AllocationFailed\" Message=\"We do not have capacity\"",
	 "ReconcileVMSSAgentPoolFailed: retry failed: Code=\"AllocationFailed\" Message=\"We do not have capacity\""},
	{"OData", 400, NULL, "{\"odata.error\":{\"code\":\"Request_BadRequest\",\"message\":{\"lang\":\"en\",\"value\":\"v\"}}}", "Request_BadRequest", "v",
	 "Request_BadRequest: v"},
	{"capital letters", 400, NULL, "{\"Error\":{\"Code\":\"X\",\"Message\":\"x\"}}", "X", "x", "X: x"},
	{"an array", 400, NULL, "[{\"error\":{\"code\":\"X\",\"message\":\"x\"}}]", "X", "x", "X: x"},
	{"JSON in a JSON string", 400, NULL, "\"{\\\"code\\\":\\\"X\\\",\\\"message\\\":\\\"x\\\"}\"", "X", "x", "X: x"},
	{"no code", 400, NULL, "{\"Message\":\"The requested resource does not support http method\"}", "", "The requested resource does not support http method",
	 "The requested resource does not support http method"},
	{"null and wrong types", 400, NULL, "{\"error\":{\"code\":null,\"message\":7,\"details\":[null,3,{}],\"innererror\":[]}}", "", "HTTP 400", "HTTP 400"},
	{"several lines", 400, NULL, "{\"code\":\"A\",\"message\":\"one\\r\\n\\ttwo\\u0001three \"}", "A", "one two three", "A: one two three"},
};

START_TEST(every_shape_is_understood)
{
	for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
		arm_error_read(&e, SHAPES[i].status, SHAPES[i].header, str_of(SHAPES[i].body));
		ck_assert_int_eq(e.status, SHAPES[i].status);
		ck_assert_msg(strcmp(e.code, SHAPES[i].code) == 0, "%s: code '%s'", SHAPES[i].name, e.code);
		ck_assert_msg(strcmp(e.message, SHAPES[i].message) == 0, "%s: message '%s'", SHAPES[i].name, e.message);
		ck_assert_msg(strcmp(text(800), SHAPES[i].text) == 0, "%s: text '%s'", SHAPES[i].name, text(800));
		arm_error_done(&e);
	}
}
END_TEST

START_TEST(truncated_bodies_are_described)
{
	for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
		for (size_t n = 0; n < strlen(SHAPES[i].body); n++) {
			CLEANUP(mem_freep) char *copy = mem_strndup(SHAPES[i].body, n); /* exact, so that reading past it is seen */
			arm_error_read(&e, 500, NULL, (str){copy, n});
			ck_assert(e.code[0] || e.message[0]);
			ck_assert_ptr_nonnull(e.tree);
			arm_error_done(&e);
		}
}
END_TEST

struct walked { char seen[512]; const char *stop; };

static bool note(void *context, const char *code, const char *message)
{
	struct walked *w = context;
	size_t n = strlen(w->seen);
	snprintf(w->seen + n, sizeof w->seen - n, "%s=%s;", code, message);
	return w->stop && strcmp(code, w->stop) == 0;
}

START_TEST(the_walk_is_depth_first_and_stops)
{
	struct walked all = {0}, some = {.stop = "B"};
	arm_error_read(&e, 400, NULL,
		       STR("{\"error\":{\"code\":\"A\",\"message\":\"a\",\"details\":[{\"code\":\"B\",\"message\":\"b\",\"details\":[{\"code\":\"C\",\"message\":\"c\"}]}],"
			   "\"innererror\":{\"code\":\"D\",\"message\":\"d\"}}}"));
	ck_assert(!arm_error_walk(&e, note, &all));
	ck_assert_str_eq(all.seen, "A=a;B=b;C=c;D=d;");
	ck_assert(arm_error_walk(&e, note, &some));
	ck_assert_str_eq(some.seen, "A=a;B=b;");
	arm_error_done(&e);
}
END_TEST

START_TEST(quoted_codes_are_walked)
{
	struct walked all = {0};
	arm_error_read(&e, 400, NULL,
		       STR("{\"code\":\"A\",\"message\":\"x: Code=\\\"SkuNotAvailable\\\" Message=\\\"no \\\\\\\"sku\\\\\\\"\\\" and Code=\\\"Alone\\\"\"}"));
	arm_error_walk(&e, note, &all);
	ck_assert_ptr_nonnull(strstr(all.seen, "SkuNotAvailable=no"));
	ck_assert_ptr_nonnull(strstr(all.seen, "Alone=;"));
	arm_error_done(&e);
}
END_TEST

START_TEST(labelled_codes_are_walked)
{
	struct walked all = {0};
	arm_error_read(&e, 400, NULL,
		       STR("{\"code\":\"CreateVMSSAgentPoolFailed\",\"message\":\"x Details: Category: ClientError; Code: VMExtensionProvisioningError; "
			   "SubCode: OutboundConnFail; Message: no way; out; InnerMessage: ; Dependency: d; AKSTeam:\"}"));
	arm_error_walk(&e, note, &all);
	ck_assert_ptr_nonnull(strstr(all.seen, "VMExtensionProvisioningError=no way; out;OutboundConnFail=;"));
	arm_error_done(&e);
	static const char *const OTHERS[] = {"Code: ; Code: x", "StatusCode: 400; y", "Code: 1", "SubCode:", "bCode: x;"};
	for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
		CLEANUP(json_decrefp) json_t *o = json_pack("{s:s, s:s}", "code", "A", "message", OTHERS[i]);
		arm_error_of_json(&e, 0, o);
		ck_assert_msg(!json_object_get(e.tree, "details"), "%s", OTHERS[i]);
		arm_error_done(&e);
	}
}
END_TEST

START_TEST(an_operations_error_is_an_object_already)
{
	CLEANUP(json_decrefp) json_t *o = json_pack("{s:s, s:s}", "code", "VMExtensionProvisioningError", "message", "late");
	arm_error_of_json(&e, 0, o);
	ck_assert_str_eq(e.code, "VMExtensionProvisioningError");
	ck_assert_int_eq(e.status, 0);
	arm_error_done(&e);
	arm_error_of_json(&e, 0, NULL);
	ck_assert_str_eq(e.message, "the operation failed without saying why");
	arm_error_done(&e);
}
END_TEST

static size_t depth_of(const json_t *node)
{
	size_t deepest = 0, i;
	json_t *detail;
	json_array_foreach(json_object_get(node, "details"), i, detail)
		deepest = depth_of(detail) > deepest ? depth_of(detail) : deepest;
	return 1 + deepest;
}

START_TEST(depth_is_limited)
{
	json_t *o = json_pack("{s:s, s:s}", "code", "Z", "message", "z");
	for (int i = 0; i < 30; i++)
		o = json_pack("{s:s, s:s, s:[o]}", "code", "N", "message", "n", "details", o);
	arm_error_of_json(&e, 400, o);
	ck_assert_int_eq((int)depth_of(e.tree), LIMIT_ARM_ERROR_DEPTH + 1);
	arm_error_done(&e);
	json_decref(o);
}
END_TEST

static int count;
static bool count_one(void *context, const char *code, const char *message)
{
	(void)context, (void)code, (void)message;
	count++;
	return false;
}

START_TEST(number_is_limited)
{
	json_t *list = json_array(), *o = json_pack("{s:s, s:s, s:o}", "code", "N", "message", "n", "details", list);
	for (int i = 0; i < LIMIT_ARM_ERROR_NODES + 50; i++)
		json_array_append_new(list, json_pack("{s:s}", "code", "D"));
	arm_error_of_json(&e, 400, o);
	count = 0;
	arm_error_walk(&e, count_one, NULL);
	ck_assert_int_eq(count, LIMIT_ARM_ERROR_NODES);
	arm_error_done(&e);
	json_decref(o);
}
END_TEST

START_TEST(long_text_is_cut_between_characters)
{
	struct buf body = {0};
	buf_puts(&body, "{\"code\":\"");
	for (int i = 0; i < 200; i++)
		buf_puts(&body, "é");
	buf_puts(&body, "\",\"message\":\"x");
	for (int i = 0; i < 3000; i++)
		buf_puts(&body, "é");
	buf_puts(&body, "\"}");
	arm_error_read(&e, 400, NULL, buf_str(&body));
	ck_assert_int_le((int)strlen(e.code), ARM_CODE_MAX);
	ck_assert_int_ge((int)strlen(e.message), ARM_MESSAGE_MAX - 1);
	ck_assert(str_is_utf8(str_of(e.code), &(size_t){0}) && str_is_utf8(str_of(e.message), &(size_t){0}));
	for (size_t size = 1; size < 300; size++) {
		const char *t = text(size);
		ck_assert_int_lt((int)strlen(t), (int)size);
		ck_assert(str_is_utf8(str_of(t), &(size_t){0}));
	}
	arm_error_done(&e);
	buf_done(&body);
}
END_TEST

START_TEST(what_is_no_utf8_becomes_utf8)
{
	arm_error_read(&e, 502, NULL, STR("<p>caf\xe9 \xff\xfe\xc3"));
	ck_assert(str_is_utf8(str_of(e.message), &(size_t){0}));
	ck_assert_str_eq(e.message, "HTTP 502: caf? ???");
	arm_error_done(&e);
}
END_TEST

int main(void)
{
	CHECK_RUN("arm_error", 20, every_shape_is_understood, truncated_bodies_are_described, the_walk_is_depth_first_and_stops, quoted_codes_are_walked, labelled_codes_are_walked,
		  an_operations_error_is_an_object_already, depth_is_limited, number_is_limited, long_text_is_cut_between_characters, what_is_no_utf8_becomes_utf8);
}
