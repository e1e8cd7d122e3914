/* Every rule at and past its limits, from the table in tests/golden/validation/bad.yaml. */
#include "base/clock.h"
#include "fixture.h"

/* RFC 7396, into a new object. */
static json_t *merge(const json_t *target, const json_t *patch)
{
	const char *key;
	json_t *value;
	if (!json_is_object(patch))
		return json_deep_copy(patch);
	json_t *out = json_is_object(target) ? json_deep_copy(target) : json_object();
	json_object_foreach((json_t *)patch, key, value) {
		if (json_is_null(value))
			json_object_del(out, key);
		else
			json_object_set_new(out, key, merge(json_object_get(out, key), value));
	}
	return out;
}

static struct control_options options_of(const json_t *given)
{
	struct control_options o = control_options_default();
	struct err err = ERR_INIT;
	o.node_provisioner = json_text_at(given, o.node_provisioner, "provisioner", NULL);
	o.node_classes_json = json_text_at(given, NULL, "node_classes", NULL);
	ck_assert_int_eq(control_gates_parse(&o, json_text_at(given, "", "gates", NULL), &err), 0);
	return o;
}

static bool as_wanted(const json_t *c, const struct validate_errors *e)
{
	const char *text = json_text_at(c, NULL, "text", NULL), *begins = json_text_at(c, NULL, "begins", NULL), *warns = json_text_at(c, NULL, "warns", NULL);
	const char *ours = buf_str(&e->text).data;
	if ((text && strcmp(ours, text) != 0) || (begins && strncmp(ours, begins, strlen(begins)) != 0))
		return false;
	return (text || begins) && (!warns || strstr(buf_str(&e->warnings).data, warns));
}

static size_t check_case(const json_t *bases, const json_t *c)
{
	const json_t *base = json_object_get(bases, json_text_at(c, "", "base", NULL));
	const struct control_options o = options_of(json_object_get(c, "options"));
	json_t *object = json_object_get(c, "merge") ? merge(base, json_object_get(c, "merge")) : json_deep_copy(base);
	json_t *old = json_object_get(c, "old") ? merge(base, json_object_get(c, "old")) : NULL;
	struct validate_errors e = {0};
	validate_object(&o, &FIXTURE_LOOKUP, json_text_at(object, "", "kind", NULL), json_text_at(object, "", "apiVersion", NULL), object, old, &e);
	bool good = as_wanted(c, &e);
	if (!good)
		printf("%s\n  ours:    %s\n  wanted:  %s\n  warnings: %s\n", json_text_at(c, "", "name", NULL), buf_str(&e.text).data,
		       json_text_at(c, json_text_at(c, "", "begins", NULL), "text", NULL), buf_str(&e.warnings).data);
	validate_errors_done(&e);
	json_decref(object);
	json_decref(old);
	return !good;
}

START_TEST(every_rule_at_and_past_its_limits)
{
	fixture_open();
	struct yaml_doc doc = fixture_read("tests/golden/validation/bad.yaml");
	size_t i, bad = 0, refused = 0;
	json_t *c;
	json_array_foreach(json_object_get(doc.root, "cases"), i, c) {
		bad += check_case(json_object_get(doc.root, "bases"), c);
		refused += json_text_at(c, "x", "text", NULL)[0] != 0;
	}
	ck_assert_uint_ge(refused, 60);
	ck_assert_uint_eq(bad, 0);
	yaml_doc_done(&doc);
	fixture_close();
}
END_TEST

static void check_offline(const char *base)
{
	struct yaml_doc doc = fixture_read("tests/golden/validation/bad.yaml");
	const struct control_options o = control_options_default();
	const json_t *object = json_at(doc.root, "bases", base, NULL);
	struct validate_errors e = {0};
	json_t *with = json_deep_copy(object);
	json_t *section = json_object_get(with, "inference") ? json_object_get(with, "inference") : json_object_get(with, "tuning");
	json_object_set_new(section, "config", json_string("mine"));
	validate_object(&o, NULL, "Workspace", "kaito.sh/v1beta1", with, NULL, &e);
	ck_assert_str_eq(buf_str(&e.text).data, "");
	ck_assert_msg(strstr(buf_str(&e.unchecked).data, "ConfigMap webhook/mine"), "%s", buf_str(&e.unchecked).data);
	validate_errors_done(&e);
	json_decref(with);
	yaml_doc_done(&doc);
}

START_TEST(without_a_cluster_what_was_not_checked_is_named)
{
	check_offline("inference");
	check_offline("tuning");
}
END_TEST

/* Nobody listens there: the connection is refused, or the address is not allowed; both are "not reached". */
START_TEST(a_hub_that_does_not_answer_is_a_warning)
{
	fixture_open();
	struct yaml_doc doc = fixture_read("tests/golden/validation/bad.yaml");
	const struct control_options o = control_options_default();
	struct catalog_resolver *models = catalog_resolver_new("http://127.0.0.1:9", NULL);
	struct validate_lookup lookup = FIXTURE_LOOKUP;
	struct validate_errors e = {0};
	json_t *object = json_deep_copy(json_at(doc.root, "bases", "inference", NULL));
	json_object_set_new(json_at(object, "inference", "preset", NULL), "name", json_string("acme/some-model"));
	lookup.models = models;
	lookup.hub_deadline_ms = 200;
	int64_t start = clock_now_ms();
	validate_object(&o, &lookup, "Workspace", "kaito.sh/v1beta1", object, NULL, &e);
	ck_assert_int_lt(clock_now_ms() - start, 10000);
	ck_assert_str_eq(buf_str(&e.text).data, "");
	ck_assert_msg(strstr(buf_str(&e.warnings).data, "model acme/some-model could not be checked: ") != NULL, "%s", buf_str(&e.warnings).data);
	validate_errors_done(&e);
	catalog_resolver_free(models);
	json_decref(object);
	yaml_doc_done(&doc);
	fixture_close();
}
END_TEST

/* Members of any type anywhere: no rule may trust a shape. */
START_TEST(objects_of_any_shape_are_answered)
{
	static const char *const VALUES[] = {"1", "\"x\"", "[]", "{}", "[1,{}]", "true", "null", "[null]", "{\"a\":1}"};
	fixture_open();
	struct yaml_doc doc = fixture_read("tests/golden/validation/bad.yaml");
	const struct control_options o = control_options_default();
	const char *name, *key;
	json_t *base, *member;
	json_object_foreach(json_object_get(doc.root, "bases"), name, base)
		json_object_foreach(base, key, member)
			for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
				json_t *value = json_loads(VALUES[i], JSON_DECODE_ANY, NULL), *object = json_deep_copy(base);
				const char *inner;
				json_t *old;
				if (json_is_object(member))
					json_object_foreach(member, inner, old)
						json_object_set(json_object_get(object, key), inner, value);
				else
					json_object_set(object, key, value);
				struct validate_errors e = {0};
				validate_object(&o, &FIXTURE_LOOKUP, json_text_at(base, "", "kind", NULL), "kaito.sh/v1beta1", object, NULL, &e);
				validate_object(&o, &FIXTURE_LOOKUP, json_text_at(base, "", "kind", NULL), "kaito.sh/v1beta1", base, object, &e);
				validate_errors_done(&e);
				json_decref(object);
				json_decref(value);
			}
	yaml_doc_done(&doc);
	fixture_close();
}
END_TEST

int main(void)
{
	CHECK_RUN("rules", 60, every_rule_at_and_past_its_limits, without_a_cluster_what_was_not_checked_is_named,
		  a_hub_that_does_not_answer_is_a_warning, objects_of_any_shape_are_answered);
}
