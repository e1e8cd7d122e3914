/* AdmissionReview in, answer out: the form that API servers and their users see. */
#include "admission/review.h"
#include "fixture.h"

static struct control_options options;

static json_t *review_of(const char *base, const char *operation, const json_t *old)
{
	struct yaml_doc doc = fixture_read("tests/golden/validation/bad.yaml");
	json_t *review = json_pack("{s:s, s:s, s:{s:s, s:s, s:O, s:O?}}", "apiVersion", "admission.k8s.io/v1", "kind", "AdmissionReview", "request", "uid", "u-1",
				   "operation", operation, "object", json_at(doc.root, "bases", base, NULL), "oldObject", old);
	json_t *copy = json_deep_copy(review);
	json_decref(review);
	yaml_doc_done(&doc);
	return copy;
}

static int answer(const json_t *review, const char *kind, json_t **out, bool *allowed, struct err *err)
{
	struct buf body = {0};
	json_print(review, JSON_PRINT_COMPACT, &body);
	int rc = review_answer(&options, &FIXTURE_LOOKUP, kind, buf_str(&body), out, allowed, err);
	buf_done(&body);
	return rc;
}

static json_t *judged(const json_t *review, const char *kind, bool wanted)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	bool allowed = !wanted;
	ck_assert_msg(answer(review, kind, &out, &allowed, &err) == 0, "%s", err.message);
	ck_assert_str_eq(json_text_at(out, "", "apiVersion", NULL), "admission.k8s.io/v1");
	ck_assert_str_eq(json_text_at(out, "", "kind", NULL), "AdmissionReview");
	ck_assert_str_eq(json_text_at(out, "", "response", "uid", NULL), "u-1");
	ck_assert_msg(allowed == wanted && json_is_true(json_at(out, "response", "allowed", NULL)) == wanted, "%s",
		      json_text_at(out, "", "response", "status", "message", NULL));
	return out;
}

START_TEST(a_good_object_is_allowed)
{
	fixture_open();
	json_t *review = review_of("inference", "CREATE", NULL), *out = judged(review, "Workspace", true);
	ck_assert_ptr_null(json_at(out, "response", "status", NULL));
	ck_assert_ptr_null(json_at(out, "response", "warnings", NULL));
	json_decref(out);
	json_decref(review);
	fixture_close();
}
END_TEST

START_TEST(a_refusal_is_a_bad_request_with_upstreams_text)
{
	fixture_open();
	json_t *review = review_of("inference", "CREATE", NULL);
	json_object_set_new(json_at(review, "request", "object", "inference", "preset", NULL), "name", json_string("nope"));
	json_t *out = judged(review, "Workspace", false);
	ck_assert_str_eq(json_text_at(out, "", "response", "status", "message", NULL),
			 "validation failed: invalid value: Unsupported inference preset name nope: inference.presetName");
	ck_assert_str_eq(json_text_at(out, "", "response", "status", "reason", NULL), "BadRequest");
	ck_assert_int_eq(json_int_at(out, 0, "response", "status", "code", NULL), 400);
	json_decref(out);
	json_decref(review);
	fixture_close();
}
END_TEST

START_TEST(warnings_go_with_the_answer)
{
	fixture_open();
	json_t *review = review_of("inference", "CREATE", NULL);
	json_object_set_new(json_at(review, "request", "object", "resource", NULL), "count", json_integer(0));
	json_t *out = judged(review, "Workspace", true);
	ck_assert_str_eq(json_text_at(out, "", "response", "warnings", "#0", NULL), "resource.count is 0: at least one node is always used");
	json_decref(out);
	json_decref(review);
	fixture_close();
}
END_TEST

START_TEST(unknown_fields_are_refused_as_a_strict_decoder_does)
{
	fixture_open();
	json_t *review = review_of("inference", "CREATE", NULL);
	json_object_set_new(json_at(review, "request", "object", "inference", NULL), "bogus", json_integer(1));
	json_t *out = judged(review, "Workspace", false);
	ck_assert_str_eq(json_text_at(out, "", "response", "status", "message", NULL), "decoding request failed: strict decoding error: unknown field \"inference.bogus\"");
	json_decref(out);
	json_decref(review);
	fixture_close();
}
END_TEST

START_TEST(status_writes_and_deletions_are_not_checked)
{
	fixture_open();
	json_t *review = review_of("inference", "DELETE", NULL);
	json_object_set_new(json_object_get(review, "request"), "object", json_null());
	json_decref(judged(review, "Workspace", true));
	json_decref(review);
	review = review_of("inference", "UPDATE", NULL);
	json_object_set_new(json_object_get(review, "request"), "subResource", json_string("status"));
	json_object_del(json_at(review, "request", "object", NULL), "inference");
	json_decref(judged(review, "Workspace", true));
	json_decref(review);
	fixture_close();
}
END_TEST

START_TEST(another_kind_and_no_review_are_errors)
{
	fixture_open();
	json_t *review = review_of("inference", "CREATE", NULL), *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_lt(answer(review, "InferenceSet", &out, NULL, &err), 0);
	ck_assert_str_eq(err.message, "this path checks InferenceSet of kaito.sh, not Workspace of kaito.sh/v1beta1");
	json_object_del(json_object_get(review, "request"), "uid");
	ck_assert_int_lt(answer(review, "Workspace", &out, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_int_lt(answer(json_object_get(review, "request"), "Workspace", &out, NULL, &err), 0);
	ck_assert_ptr_null(out);
	json_decref(review);
	fixture_close();
}
END_TEST

START_TEST(a_body_cut_anywhere_is_an_error)
{
	fixture_open();
	json_t *review = review_of("tuning", "CREATE", NULL);
	struct buf body = {0};
	json_print(review, JSON_PRINT_COMPACT, &body);
	for (size_t len = 0; len < body.len; len++) {
		json_t *out = NULL;
		struct err err = ERR_INIT;
		ck_assert_int_lt(review_answer(&options, &FIXTURE_LOOKUP, "Workspace", (str){body.data, len}, &out, NULL, &err), 0);
	}
	buf_done(&body);
	json_decref(review);
	fixture_close();
}
END_TEST

int main(void)
{
	options = control_options_default();
	CHECK_RUN("review", 60, a_good_object_is_allowed, a_refusal_is_a_bad_request_with_upstreams_text, warnings_go_with_the_answer,
		  unknown_fields_are_refused_as_a_strict_decoder_does, status_writes_and_deletions_are_not_checked, another_kind_and_no_review_are_errors,
		  a_body_cut_anywhere_is_an_error);
}
