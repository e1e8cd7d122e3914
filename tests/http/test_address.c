/* test_address.c: which addresses are public, private or never reachable, and the retry arithmetic beside it. */
#include "http/address.h"

#include "http/retry.h"
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>

static const struct { const char *text; enum address_class class; } ROWS[] = {
	{"8.8.8.8", ADDRESS_PUBLIC},           {"1.1.1.1", ADDRESS_PUBLIC},         {"172.15.255.255", ADDRESS_PUBLIC},
	{"172.32.0.0", ADDRESS_PUBLIC},        {"100.63.255.255", ADDRESS_PUBLIC},  {"100.128.0.0", ADDRESS_PUBLIC},
	{"169.253.255.255", ADDRESS_PUBLIC},   {"223.255.255.255", ADDRESS_PUBLIC}, {"198.20.0.0", ADDRESS_PUBLIC},
	{"11.0.0.0", ADDRESS_PUBLIC},          {"2606:4700::1111", ADDRESS_PUBLIC}, {"2001:4860:4860::8888", ADDRESS_PUBLIC},
	{"10.0.0.1", ADDRESS_PRIVATE},         {"10.255.255.255", ADDRESS_PRIVATE}, {"127.0.0.1", ADDRESS_PRIVATE},
	{"127.255.0.9", ADDRESS_PRIVATE},      {"172.16.0.1", ADDRESS_PRIVATE},     {"172.31.255.255", ADDRESS_PRIVATE},
	{"192.168.1.1", ADDRESS_PRIVATE},      {"100.64.0.1", ADDRESS_PRIVATE},     {"100.127.255.255", ADDRESS_PRIVATE},
	{"198.18.0.1", ADDRESS_PRIVATE},       {"::1", ADDRESS_PRIVATE},            {"[::1]", ADDRESS_PRIVATE},
	{"fd12:3456::1", ADDRESS_PRIVATE},     {"fc00::1", ADDRESS_PRIVATE},        {"::ffff:10.0.0.1", ADDRESS_PRIVATE},
	{"::ffff:8.8.8.8", ADDRESS_PRIVATE},   {"64:ff9b::7f00:1", ADDRESS_PRIVATE}, {"2002:7f00:1::", ADDRESS_PRIVATE},
	{"::127.0.0.1", ADDRESS_PRIVATE},      {"2130706433", ADDRESS_PRIVATE},     {"0x7f.1", ADDRESS_PRIVATE},
	{"0177.0.0.1", ADDRESS_PRIVATE},       {"127.1", ADDRESS_PRIVATE},
	{"0.0.0.0", ADDRESS_FORBIDDEN},        {"0.1.2.3", ADDRESS_FORBIDDEN},      {"169.254.169.254", ADDRESS_FORBIDDEN},
	{"169.254.0.1", ADDRESS_FORBIDDEN},    {"168.63.129.16", ADDRESS_FORBIDDEN}, {"100.100.100.200", ADDRESS_FORBIDDEN},
	{"192.0.0.192", ADDRESS_FORBIDDEN},    {"224.0.0.1", ADDRESS_FORBIDDEN},    {"239.255.255.255", ADDRESS_FORBIDDEN},
	{"240.0.0.1", ADDRESS_FORBIDDEN},      {"255.255.255.255", ADDRESS_FORBIDDEN}, {"::", ADDRESS_FORBIDDEN},
	{"fe80::1", ADDRESS_FORBIDDEN},        {"fe80::1%eth0", ADDRESS_FORBIDDEN}, {"fd00:ec2::254", ADDRESS_FORBIDDEN},
	{"ff02::1", ADDRESS_FORBIDDEN},        {"::ffff:169.254.169.254", ADDRESS_FORBIDDEN}, {"64:ff9b::a9fe:a9fe", ADDRESS_FORBIDDEN},
	{"2002:a9fe:a9fe::", ADDRESS_FORBIDDEN}, {"fd20:ce::254", ADDRESS_FORBIDDEN},
};

START_TEST(address_class_of_every_block)
{
	struct sockaddr_storage sa;
	const char *range = NULL;
	ck_assert_msg(address_parse(str_of(ROWS[_i].text), &sa), "%s", ROWS[_i].text);
	enum address_class class = address_classify((struct sockaddr *)&sa, &range);
	ck_assert_msg(class == ROWS[_i].class, "%s is taken for %s", ROWS[_i].text, range);
}
END_TEST

START_TEST(reach_decides_about_private_only)
{
	ck_assert(address_allowed(ADDRESS_PUBLIC, ADDRESS_REACH_PUBLIC));
	ck_assert(!address_allowed(ADDRESS_PRIVATE, ADDRESS_REACH_PUBLIC));
	ck_assert(address_allowed(ADDRESS_PRIVATE, ADDRESS_REACH_PRIVATE));
	ck_assert(!address_allowed(ADDRESS_FORBIDDEN, ADDRESS_REACH_PRIVATE));
}
END_TEST

START_TEST(names_are_not_literal_addresses)
{
	static const char *const NAMES[] = {"", "localhost", "example.com", "[", "[]", "a::g", "10.0.0.256", "[::1"};
	struct sockaddr_storage sa;
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
		ck_assert_msg(!address_parse(str_of(NAMES[i]), &sa), "%s", NAMES[i]);
	struct sockaddr other = {.sa_family = AF_UNIX};
	ck_assert_int_eq(address_classify(&other, NULL), ADDRESS_FORBIDDEN);
}
END_TEST

START_TEST(proxy_of_the_environment_is_recognised)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(3128)};
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	unsetenv("http_proxy"), unsetenv("all_proxy"), unsetenv("ALL_PROXY"), unsetenv("https_proxy"), unsetenv("HTTPS_PROXY");
	ck_assert(!address_is_proxy((struct sockaddr *)&sa, "http"));
	setenv("http_proxy", "127.0.0.1:3128", 1);
	ck_assert(address_is_proxy((struct sockaddr *)&sa, "http"));
	ck_assert(!address_is_proxy((struct sockaddr *)&sa, "https"));
	setenv("HTTPS_PROXY", "http://user:pw@127.0.0.1:3128/", 1);
	ck_assert(address_is_proxy((struct sockaddr *)&sa, "https"));
	sa.sin_port = htons(3129);
	ck_assert(!address_is_proxy((struct sockaddr *)&sa, "http"));
}
END_TEST

START_TEST(retry_after_seconds_and_dates)
{
	ck_assert_int_eq(retry_after_ms(NULL, 0), -1);
	ck_assert_int_eq(retry_after_ms("soon", 0), -1);
	ck_assert_int_eq(retry_after_ms("-1", 0), -1);
	ck_assert_int_eq(retry_after_ms("0", 0), 0);
	ck_assert_int_eq(retry_after_ms(" 7 ", 0), 7000);
	ck_assert_int_eq(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 5), 5000);
	ck_assert_int_eq(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 5), 0);
	ck_assert_int_gt(retry_after_ms("999999999999", 0), RETRY_AFTER_MAX_MS);
}
END_TEST

START_TEST(delay_doubles_has_a_ceiling_and_honours_the_server)
{
	struct retry_policy p = {.attempts = 5, .first_ms = 100, .max_ms = 400};
	static const int64_t WANT[] = {100, 200, 400, 400, 400};
	for (unsigned i = 0; i < 5; i++)
		for (int k = 0; k < 20; k++) {
			int64_t d = retry_delay_ms(&p, i + 1, -1);
			ck_assert_int_ge(d, WANT[i] / 2);
			ck_assert_int_le(d, WANT[i]);
		}
	ck_assert_int_eq(retry_delay_ms(&p, 1, 5000), 5000);
	ck_assert(retry_status(429) && retry_status(503) && !retry_status(404) && !retry_status(200));
}
END_TEST

START_TEST(waiting_stops_when_cancelled)
{
	atomic_bool cancel = true;
	struct err err = {0};
	ck_assert_int_lt(retry_wait(60000, &cancel, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	atomic_store(&cancel, false);
	ck_assert_int_eq(retry_wait(1, &cancel, &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tc = tcase_create("address");
	tcase_add_loop_test(tc, address_class_of_every_block, 0, sizeof ROWS / sizeof ROWS[0]);
	tcase_add_test(tc, reach_decides_about_private_only);
	tcase_add_test(tc, names_are_not_literal_addresses);
	tcase_add_test(tc, proxy_of_the_environment_is_recognised);
	tcase_add_test(tc, retry_after_seconds_and_dates);
	tcase_add_test(tc, delay_doubles_has_a_ceiling_and_honours_the_server);
	tcase_add_test(tc, waiting_stops_when_cancelled);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
