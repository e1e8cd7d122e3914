/* test_revision.c: revision hashes and data equal those that upstream's controller recorded, for every recorded revision. */
#include "check_main.h"

#include "codec/json.h"
#include "crd/inference_set.h"
#include "crd/typed_json.h"
#include "crd/workspace_view.h"
#include <string.h>

static json_t *load(const char *path)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse_file(&out, source_path(path), &err) == 0, "%s", err.message);
	return out;
}

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &err) == 0, "%s", err.message);
	return out;
}

/* The recorded data as a user writes it: without the empty presetOptions that only a typed client adds. */
static json_t *as_written(const json_t *data)
{
	json_t *object = json_deep_copy(data);
	const char *const sections[] = {"inference", "tuning"};
	for (size_t i = 0; i < 2; i++) {
		json_t *preset = json_object_get(json_object_get(object, sections[i]), "preset");
		const json_t *options = json_object_get(preset, "presetOptions");
		if (options && json_object_size(options) == 0)
			json_object_del(preset, "presetOptions");
	}
	return object;
}

static void check_workspace(const json_t *row, const json_t *object)
{
	struct control_options options = control_options_default();
	struct workspace_view w;
	char hash[65];
	workspace_view_read(&w, object, &options);
	workspace_hash(&w, hash);
	const char *name = json_string_value(json_object_get(row, "case"));
	ck_assert_msg(strcmp(hash, json_string_value(json_object_get(row, "hash"))) == 0, "%s: %s", name, hash);
	json_t *data = workspace_revision_data(&w);
	ck_assert_msg(json_equal(data, json_object_get(row, "data")), "%s: %s", name, json_dumps(data, JSON_SORT_KEYS));
	json_decref(data);
}

static void check_set(const json_t *row)
{
	char hash[65];
	json_t *set = json_pack("{s:O}", "spec", json_object_get(json_object_get(row, "data"), "Spec"));
	inference_set_hash(set, hash);
	ck_assert_str_eq(hash, json_string_value(json_object_get(row, "hash")));
	json_t *data = inference_set_revision_data(set);
	ck_assert(json_equal(data, json_object_get(row, "data")));
	json_decref(data);
	json_decref(set);
}

START_TEST(revisions_are_those_upstream_recorded)
{
	json_t *rows = load("tests/golden/crd/revisions.json"), *row;
	size_t i;
	ck_assert_uint_eq(json_array_size(rows), 50);
	json_array_foreach(rows, i, row) {
		const json_t *data = json_object_get(row, "data");
		if (json_object_get(data, "Spec")) {
			check_set(row);
			continue;
		}
		json_t *written = as_written(data);
		check_workspace(row, data);
		check_workspace(row, written);
		json_decref(written);
	}
	json_decref(rows);
}
END_TEST

static void hash_of(const char *text, char out[65])
{
	struct control_options options = control_options_default();
	json_t *object = parse(text);
	struct workspace_view w;
	workspace_view_read(&w, object, &options);
	workspace_hash(&w, out);
	json_decref(object);
}

START_TEST(what_happens_after_success_is_not_part_of_the_hash)
{
	char without[65], with[65], other[65];
	hash_of("{\"tuning\":{\"method\":\"lora\"}}", without);
	hash_of("{\"tuning\":{\"afterSuccess\":\"Serve\",\"method\":\"lora\"}}", with);
	hash_of("{\"tuning\":{\"method\":\"qlora\"}}", other);
	ck_assert_str_eq(without, with);
	ck_assert_str_ne(without, other);
}
END_TEST

static void check_typed(const char *type, const char *json, const char *expected)
{
	json_t *value = json ? parse(json) : NULL;
	struct buf out = {0};
	typed_json(type, value, &out);
	ck_assert_str_eq(out.data, expected);
	buf_done(&out);
	json_decref(value);
}

START_TEST(typed_json_orders_fills_and_drops_as_a_typed_client)
{
	check_typed("ResourceSpec", NULL, "null");
	check_typed("&ResourceSpec", NULL, "{\"labelSelector\":null}");
	check_typed("ResourceSpec", "{\"labelSelector\":{},\"instanceType\":\"\",\"count\":0,\"nosuch\":1}", "{\"count\":0,\"labelSelector\":{}}");
	check_typed("LabelSelector", "{\"matchLabels\":{\"b\":\"1\",\"a\":\"<&>\"}}", "{\"matchLabels\":{\"a\":\"\\u003c\\u0026\\u003e\",\"b\":\"1\"}}");
	check_typed("PodTemplateSpec", "{}", "{\"metadata\":{},\"spec\":{\"containers\":null}}");
	check_typed("Container", "{\"tty\":false,\"args\":[],\"resources\":{\"limits\":{\"cpu\":\"1000m\",\"a/b\":2}},\"securityContext\":{\"privileged\":false}}",
		    "{\"name\":\"\",\"resources\":{\"limits\":{\"a/b\":\"2\",\"cpu\":\"1\"}},\"securityContext\":{\"privileged\":false}}");
	check_typed("ResourceFieldSelector", "{\"resource\":\"limits.cpu\"}", "{\"resource\":\"limits.cpu\",\"divisor\":\"0\"}");
	check_typed("HTTPGetAction", "{\"port\":\"web\"}", "{\"port\":\"web\"}");
	check_typed("EnvVar", "{\"name\":\"a\\u2028\\u001f\\n\\\"\\u00e9\"}", "{\"name\":\"a\\u2028\\u001f\\n\\\"\303\251\"}");
	check_typed("nosuch", "{\"b\":[1,true,null],\"a\":1.5}", "{\"a\":1.5,\"b\":[1,true,null]}");
}
END_TEST

START_TEST(struct_table_is_sorted_and_names_only_known_types)
{
	for (size_t i = 0; i < TYPED_STRUCT_COUNT; i++) {
		if (i)
			ck_assert_str_lt(TYPED_STRUCTS[i - 1].name, TYPED_STRUCTS[i].name);
		for (const char *at = TYPED_STRUCTS[i].members; (at = strchr(at, ':')); at++) {
			char name[96] = {0};
			memcpy(name, at + 1, strcspn(at + 1, " "));
			ck_assert_msg(strcmp(name, "Quantity") == 0 || typed_struct_find(name), "%s: %s", TYPED_STRUCTS[i].name, name);
		}
	}
}
END_TEST

START_TEST(a_value_too_deep_overflows_instead_of_the_stack)
{
	json_t *value = json_array();
	for (int i = 0; i < 4 * LIMIT_JSON_DEPTH; i++)
		value = json_pack("[o]", value);
	struct buf out = {0};
	typed_json("x", value, &out);
	ck_assert(out.overflow);
	buf_done(&out);
	json_decref(value);
}
END_TEST

int main(void)
{
	CHECK_RUN("revision", 10, revisions_are_those_upstream_recorded, what_happens_after_success_is_not_part_of_the_hash,
		  typed_json_orders_fills_and_drops_as_a_typed_client, struct_table_is_sorted_and_names_only_known_types,
		  a_value_too_deep_overflows_instead_of_the_stack);
}
