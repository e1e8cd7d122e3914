/* Small rules on their own: image references, URLs, names, schedules, the joining of errors. */
#include "admission/rules.h"
#include "base/limits.h"
#include "check_main.h"
#include "kube/duration.h"

START_TEST(image_references_read_as_dockers_parser_reads_them)
{
	static const struct { const char *image, *words; } ROWS[] = {
		{"busybox", NULL},
		{"registry.example.com:5000/acme/a:0.0.1", NULL},
		{"a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL},
		{"REG/UPPER:1", "invalid reference format: repository name (UPPER) must be lowercase"},
		{"registry.example.com/acme/Aa:1", "invalid reference format: repository name (acme/Aa) must be lowercase"},
		{"Upper", "invalid reference format: repository name (Upper) must be lowercase"},
		{"a b", "invalid reference format"},
		{"a:", "invalid reference format"},
		{"a/b:tag:tag", "invalid reference format"},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 "invalid repository name (0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef), cannot specify 64-byte hexadecimal strings"},
	};
	char buffer[512];
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		const char *words = image_rule_check(ROWS[i].image, buffer, sizeof buffer);
		ck_assert_msg((!words && !ROWS[i].words) || (words && ROWS[i].words && strcmp(words, ROWS[i].words) == 0), "%s: %s", ROWS[i].image, words ? words : "accepted");
	}
}
END_TEST

#define INVALID "invalid data source URL"
#define SCHEME "data source URL must use HTTP or HTTPS"
#define LOCAL "data source URL must not target a local or metadata endpoint"
#define ADDRESS "data source URL must not target a loopback, private, or link-local address"

START_TEST(urls_do_not_reach_into_the_cluster)
{
	static const struct { const char *url, *words; } ROWS[] = {
		{"https://example.com/a.parquet?download=true", NULL},
		{"HTTP://user:pw@example.com:8080/a b", NULL},
		{"http://service.namespace.svc/a", NULL},
		{"http://8.8.8.8/", NULL},
		{"http://[2001:4860:4860::8888]:80/", NULL},
		{"", INVALID}, {"a", INVALID}, {"/a", INVALID}, {"http:", INVALID}, {"http:///a", INVALID}, {"http://a b/", INVALID}, {"http://a%zz/", INVALID},
		{"http://a:x/", INVALID}, {"http://[::1/", INVALID}, {"http://a/%", INVALID}, {"http://a\n/", INVALID}, {"://a", INVALID}, {"1http://a", INVALID},
		{"ftp://a/b", SCHEME}, {"file://host/etc", SCHEME}, {"https2://a", SCHEME},
		{"http://localhost", LOCAL}, {"http://LocalHost.:80/", LOCAL}, {"http://a.localhost/", LOCAL}, {"http://metadata.google.internal/", LOCAL},
		{"http://user@metadata.google/", LOCAL}, {"http://instance-data.ec2.internal/", LOCAL},
		{"http://127.0.0.1/", ADDRESS}, {"http://10.0.0.1:80/", ADDRESS}, {"http://172.16.0.1/", ADDRESS}, {"http://192.168.0.1/", ADDRESS},
		{"http://169.254.169.254/", ADDRESS}, {"http://[::1]/", ADDRESS}, {"http://[fe80::1%25eth0]/", ADDRESS}, {"http://[fd00::1]/", ADDRESS},
		{"http://[::ffff:10.0.0.1]/", ADDRESS}, {"http://2130706433/", ADDRESS}, {"http://0x7f.1/", ADDRESS}, {"http://x@127.0.0.1/", ADDRESS},
		{"http://example.com@127.0.0.1/", ADDRESS}, {"http://0.0.0.0/", ADDRESS},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		const char *words = url_rule_check(ROWS[i].url);
		ck_assert_msg((!words && !ROWS[i].words) || (words && ROWS[i].words && strcmp(words, ROWS[i].words) == 0), "%s: %s", ROWS[i].url, words ? words : "accepted");
	}
	ck_assert(url_rule_parses("/path") && url_rule_parses("a://b") && !url_rule_parses("a b") && !url_rule_parses(""));
}
END_TEST

START_TEST(schedules_are_five_fields_or_a_descriptor)
{
	static const struct { const char *schedule, *why; } ROWS[] = {
		{"0 2 * * *", NULL}, {"*/15 0-5,22 1,15 JAN-mar mon-FRI", NULL}, {"@daily", NULL}, {"TZ=Europe/Berlin 0 2 * * ?", NULL}, {" 59 23 31 12 6 ", NULL}, {"0/5 * * * *", NULL},
		{"", "empty spec string"},
		{"0 2 * *", "expected exactly 5 fields, found 4: [0 2 * *]"},
		{"0 0 2 * * *", "expected exactly 5 fields, found 6: [0 0 2 * * *]"},
		{"60 * * * *", "end of range (60) above maximum (59): 60"},
		{"* 24 * * *", "end of range (24) above maximum (23): 24"},
		{"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
		{"* * * 13 *", "end of range (13) above maximum (12): 13"},
		{"* * * * 7", "end of range (7) above maximum (6): 7"},
		{"9-5 * * * *", "beginning of range (9) beyond end of range (5): 9-5"},
		{"*/0 * * * *", "step of range should be a positive number: */0"},
		{"1-2-3 * * * *", "too many hyphens: 1-2-3"},
		{"*/1/2 * * * *", "too many slashes: */1/2"},
		{"x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"},
		{"@sometimes", "unrecognized descriptor: @sometimes"},
	};
	char why[256];
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		bool ok = cron_rule_check(ROWS[i].schedule, why, sizeof why);
		ck_assert_msg(ok == !ROWS[i].why, "%s: %s", ROWS[i].schedule, ok ? "accepted" : why);
		if (!ok)
			ck_assert_str_eq(why, ROWS[i].why);
	}
}
END_TEST

START_TEST(durations_are_gos)
{
	static const struct { const char *text; bool ok; double seconds; } ROWS[] = {
		{"4h", true, 14400}, {"1h30m", true, 5400}, {"1.5h", true, 5400}, {"-5s", true, -5}, {"0", true, 0}, {"0s", true, 0}, {"250ms", true, 0.25},
		{"", false, 0}, {"4", false, 0}, {"h", false, 0}, {"4x", false, 0}, {"1..5h", false, 0}, {"-", false, 0},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		double seconds = 0;
		ck_assert_msg(duration_parse(ROWS[i].text, &seconds) == ROWS[i].ok, "%s", ROWS[i].text);
		if (ROWS[i].ok)
			ck_assert_double_eq_tol(seconds, ROWS[i].seconds, 1e-9);
	}
}
END_TEST

START_TEST(placeholders_of_examples_are_found)
{
	static const struct { const char *text, *found; } ROWS[] = {
		{"ACR_REPO_HERE.azurecr.io/IMAGE_NAME_HERE:0.0.1", "ACR_REPO_HERE, IMAGE_NAME_HERE"}, {"<your-registry>/a", "<your-registry>"}, {"{REG}/a", "{REG}"},
		{"YOUR_TOKEN", "YOUR_TOKEN"}, {"<open", "<open"}, {"registry.example.com/a:1", ""}, {"HERE", ""}, {"UPPER/x", ""},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		struct buf out = {0};
		name_placeholders(str_of(ROWS[i].text), &out);
		ck_assert_str_eq(buf_str(&out).data, ROWS[i].found);
		buf_done(&out);
	}
}
END_TEST

START_TEST(names_at_their_limits)
{
	char name[300];
	memset(name, 'a', sizeof name);
	name[63] = 0;
	ck_assert(name_is_label(name) && name_is_subdomain(name));
	name[63] = 'a', name[64] = 0;
	ck_assert(!name_is_label(name) && name_is_subdomain(name));
	name[64] = 'a', name[253] = 0;
	ck_assert(name_is_subdomain(name));
	name[253] = 'a', name[254] = 0;
	ck_assert(!name_is_subdomain(name));
	ck_assert(name_is_subdomain("a.b-c.0") && !name_is_subdomain("a..b") && !name_is_subdomain("-a") && !name_is_subdomain("a-") && !name_is_subdomain("") && !name_is_label("A"));
}
END_TEST

/* --- field errors -------------------------------------------------------------------------------------------- */

static char *printed(struct field_errors *e)
{
	struct buf out = {0};
	field_errors_print(e, &out);
	field_errors_done(e);
	return buf_take(&out);
}

START_TEST(equal_errors_are_one_line_with_all_paths)
{
	struct field_errors e = {0};
	field_errors_missing(&e, "b");
	field_errors_invalid(&e, "x", "%d", 1);
	field_errors_detail(&e, "must be 2");
	field_errors_missing(&e, "a");
	field_errors_also(&e, "c");
	field_errors_missing(&e, "a");
	field_errors_invalid(&e, "w", "1");
	field_errors_generic(&e, NULL, "No path");
	char *text = printed(&e);
	ck_assert_str_eq(text, "No path: \ninvalid value: 1: w\ninvalid value: 1: x\nmust be 2\nmissing field(s): a, b, c");
	free(text);
}
END_TEST

START_TEST(a_prefix_stands_before_every_path)
{
	struct field_errors e = {.prefix = "spec.template"};
	field_errors_missing(&e, "a.b");
	field_errors_also(&e, "");
	char *text = printed(&e);
	ck_assert_str_eq(text, "missing field(s): spec.template, spec.template.a.b");
	free(text);
}
END_TEST

START_TEST(errors_past_the_limit_are_counted)
{
	struct field_errors e = {0};
	char path[16];
	for (int i = 0; i < LIMIT_ADMISSION_ERRORS + 3; i++) {
		snprintf(path, sizeof path, "p%02d", i);
		field_errors_generic(&e, path, "m%d", i);
		field_errors_detail(&e, "d");
	}
	ck_assert_uint_eq(e.items.len, LIMIT_ADMISSION_ERRORS);
	char *text = printed(&e);
	ck_assert_ptr_nonnull(strstr(text, "m63: p63\nd"));
	ck_assert_str_eq(text + strlen(text) - strlen("\n(and 3 more)"), "\n(and 3 more)");
	free(text);
}
END_TEST

START_TEST(long_messages_are_cut_at_a_character)
{
	struct field_errors e = {0};
	char *long_text = mem_alloc(9001);
	for (size_t i = 0; i < 9000; i += 3)
		memcpy(long_text + i, "\xe2\x82\xac", 3);
	field_errors_invalid(&e, "p", "%s", long_text);
	char *text = printed(&e);
	ck_assert(str_is_utf8(str_of(text), &(size_t){0}) && strlen(text) < 4200 && strlen(text) > 4000);
	free(text);
	free(long_text);
}
END_TEST

int main(void)
{
	CHECK_RUN("values", 30, image_references_read_as_dockers_parser_reads_them, urls_do_not_reach_into_the_cluster,
		  schedules_are_five_fields_or_a_descriptor, durations_are_gos, placeholders_of_examples_are_found, names_at_their_limits,
		  equal_errors_are_one_line_with_all_paths, a_prefix_stands_before_every_path, errors_past_the_limit_are_counted,
		  long_messages_are_cut_at_a_character);
}
