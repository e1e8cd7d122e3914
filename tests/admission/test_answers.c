/* The recorded answers of upstream's webhook, each given again. What the API server refuses by the schema before any webhook is asked
 * (422, strict decoding) is the business of the CRDs. */
#include "fixture.h"

static const char *recorded_text(const json_t *c)
{
	static const char MARK[] = "denied the request: validation failed: ";
	const char *message = json_text_at(c, "", "message", NULL), *text = strstr(message, MARK);
	return text ? text + strlen(MARK) : message;
}

static bool is_for_webhook(const json_t *c)
{
	int64_t code = json_int_at(c, 0, "code", NULL);
	return code != 422 && !strstr(json_text_at(c, "", "message", NULL), "strict decoding error");
}

static size_t check_case(const char *name, const json_t *c, const json_t *difference, const struct control_options *o)
{
	struct validate_errors e = {0};
	const json_t *sent = json_object_get(c, "sent");
	validate_object(o, &FIXTURE_LOOKUP, json_text_at(sent, "", "kind", NULL), json_text_at(sent, "", "apiVersion", NULL), sent, json_object_get(c, "old"), &e);
	const char *begins = json_text_at(difference, NULL, "begins", NULL);
	const char *wanted = begins ? begins : difference ? json_text_at(difference, NULL, "text", NULL) : recorded_text(c);
	char *ours = fixture_sorted_skus(buf_str(&e.text).data), *theirs = fixture_sorted_skus(wanted);
	if (begins && strlen(ours) > strlen(theirs))
		ours[strlen(theirs)] = 0;
	size_t bad = strcmp(ours, theirs) != 0 || (e.count > 0) != (wanted[0] != 0);
	if (bad)
		printf("%s\n  ours:     %s\n  recorded: %s\n", name, ours, theirs);
	free(ours);
	free(theirs);
	validate_errors_done(&e);
	return bad;
}

START_TEST(answers_are_those_recorded)
{
	fixture_open();
	struct yaml_doc answers = fixture_read("tests/golden/validation/answers.yaml"), differences = fixture_read("tests/golden/validation/differences.yaml");
	struct control_options o = control_options_default();
	size_t n = 0, bad = 0;
	const char *name;
	json_t *c;
	json_object_foreach(answers.root, name, c)
		if (is_for_webhook(c)) {
			n++;
			bad += check_case(name, c, json_object_get(differences.root, name), &o);
		}
	ck_assert_uint_eq(json_object_size(answers.root), 87);
	ck_assert_uint_gt(n, 80);
	ck_assert_uint_eq(bad, 0);
	yaml_doc_done(&answers);
	yaml_doc_done(&differences);
	fixture_close();
}
END_TEST

int main(void) { CHECK_RUN("answers", 30, answers_are_those_recorded); }
