/* test_class_field.c: the rows of node classes are complete and sorted, and their patterns and words mean what they say. */
#include "base/str.h"
#include "catalog/class_field.h"
#include "check_main.h"
#include <regex.h>

START_TEST(rows_are_complete_and_sorted)
{
	for (size_t i = 0; i < CLASS_FIELD_COUNT; i++) {
		const struct class_field *f = &CLASS_FIELDS[i];
		regex_t compiled;
		ck_assert_msg(i == 0 || strcmp(CLASS_FIELDS[i - 1].name, f->name) < 0, "%s", f->name);
		ck_assert_msg(f->kinds && f->property && f->help && f->help[strlen(f->help) - 1] == '.', "%s", f->name);
		ck_assert_msg((f->type == CLASS_INTEGER) == (f->min < f->max), "%s", f->name);
		ck_assert_msg((f->type == CLASS_TEXTS || f->type == CLASS_MAP) == (f->max_items > 0), "%s", f->name);
		ck_assert_msg(f->type != CLASS_TEXT || f->choices || (f->pattern && f->max_length), "%s", f->name);
		if (!f->pattern)
			continue;
		ck_assert_msg(f->pattern[0] == '^' && f->pattern[strlen(f->pattern) - 1] == '$', "%s", f->name);
		ck_assert_int_eq(regcomp(&compiled, f->pattern, REG_EXTENDED), 0);
		regfree(&compiled);
	}
}
END_TEST

START_TEST(kinds_are_known_by_name)
{
	ck_assert_uint_eq(class_field_kind("AKSNodeClass"), CLASS_AKS);
	ck_assert_uint_eq(class_field_kind("KaitoNodeClass"), CLASS_KAITO);
	ck_assert_uint_eq(class_field_kind(NULL), CLASS_KAITO);
}
END_TEST

START_TEST(values_are_checked_against_their_row)
{
	static const struct { const char *field; const char *json; bool good; } VALUES[] = {
		{"maxPods", "10", true}, {"maxPods", "250", true}, {"maxPods", "9", false}, {"maxPods", "251", false}, {"maxPods", "10.0", false}, {"maxPods", "null", true},
		{"osDiskType", "\"Managed\"", true}, {"osDiskType", "\"Managed Ephemeral\"", false}, {"osDiskType", "\"\"", false}, {"osDiskType", "\"Man\"", false},
		{"enableEncryptionAtHost", "false", true}, {"enableEncryptionAtHost", "0", false}, {"zones", "[\"1\",\"2\",\"3\"]", true}, {"zones", "[\"0\"]", false},
		{"zones", "[\"1\",\"1\",\"1\",\"1\"]", false}, {"spotMaxPrice", "\"-1\"", true}, {"spotMaxPrice", "\"0.01234\"", true}, {"spotMaxPrice", "\"1.\"", false},
		{"spotMaxPrice", "\"1e3\"", false}, {"tags", "{\"\":\"v\"}", false}, {"tags", "{\"k\":\"\"}", true}, {"tags", "{\"a%b\":\"v\"}", false},
		{"vnetSubnetID", "\"/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/virtualNetworks/v/subnets/n\"", true},
		{"vnetSubnetID", "\"/Subscriptions/s/resourcegroups/r/Providers/microsoft.network/VirtualNetworks/v/Subnets/n\"", true},
		{"vnetSubnetID", "\"x/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/virtualNetworks/v/subnets/n\"", false},
		{"vnetSubnetID", "\"/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/virtualNetworks/v/subnets/n/x\"", false},
	};
	for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
		const struct class_field *f = NULL;
		struct err err = ERR_INIT;
		for (size_t j = 0; j < CLASS_FIELD_COUNT; j++)
			if (strcmp(CLASS_FIELDS[j].name, VALUES[i].field) == 0)
				f = &CLASS_FIELDS[j];
		ck_assert_ptr_nonnull(f);
		json_t *value = json_loads(VALUES[i].json, JSON_DECODE_ANY, NULL);
		ck_assert_msg((class_field_check(f, value, &err) == 0) == VALUES[i].good, "%s: %s %s", VALUES[i].field, VALUES[i].json, err.message);
		ck_assert_msg(VALUES[i].good || (err.kind == ERR_INVALID && strstr(err.message, VALUES[i].field)), "%s", err.message);
		json_decref(value);
	}
}
END_TEST

START_TEST(lengths_have_limits)
{
	struct err err = ERR_INIT;
	char text[600];
	for (size_t n = 256; n <= 257; n++) {
		memset(text, 'v', n);
		text[n] = 0;
		json_t *spec = json_pack("{s:{s:s}}", "tags", "k", text);
		ck_assert_int_eq(class_field_check_all(spec, CLASS_AKS, &err), n == 256 ? 0 : -1);
		json_decref(spec);
	}
	for (size_t n = 512; n <= 513; n++) {
		memset(text, 'k', n);
		text[n] = 0;
		json_t *spec = json_pack("{s:{s:s}}", "tags", text, "v");
		ck_assert_int_eq(class_field_check_all(spec, CLASS_AKS, &err), n == 512 ? 0 : -1);
		json_decref(spec);
	}
	json_t *nul = json_pack("{s:s#}", "imageFamily", "Ubuntu\0", (size_t)7);
	ck_assert_int_eq(class_field_check_all(nul, CLASS_AKS, &err), -1);
	json_decref(nul);
	ck_assert_int_eq(class_field_check_all(NULL, CLASS_KAITO, &err), 0);
}
END_TEST

int main(void)
{
	CHECK_RUN("class_field", 10, rows_are_complete_and_sorted, kinds_are_known_by_name, values_are_checked_against_their_row, lengths_have_limits);
}
