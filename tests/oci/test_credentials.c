/* test_credentials.c: where credentials are found, and that helpers cannot hang or leak. */
#include "oci/credentials.h"

#include "base/fd.h"
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>

static char scratch[64];
static struct err err;
static struct credentials got;

static void setup(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/kaito-cred-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	setenv("HOME", scratch, 1);
	unsetenv("DOCKER_CONFIG"), unsetenv("REGISTRY_AUTH_FILE"), unsetenv("XDG_RUNTIME_DIR");
	err = ERR_INIT;
}
static void teardown(void)
{
	credentials_done(&got);
	ck_assert_int_eq(fd_remove_tree(scratch, &err), 0);
}

static void put(const char *name, const char *text, unsigned mode)
{
	char *path = fd_join(scratch, name), *parent = mem_strdup(path);
	*strrchr(parent, '/') = 0;
	ck_assert_int_eq(fd_make_dirs(parent, &err), 0);
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), mode, &err), 0);
	free(path), free(parent);
}

static void expect(const char *registry, const char *repository, const char *user, const char *password)
{
	credentials_done(&got);
	int rc = credentials_find(registry, repository, &got, &err);
	if (!user) {
		ck_assert_int_eq(rc, 1);
		return;
	}
	ck_assert_msg(rc == 0, "%s/%s: %d %s", registry, repository, rc, err.message);
	ck_assert_str_eq(got.user, user);
	ck_assert_str_eq(got.password, password);
}

START_TEST(nothing_is_known_without_files) { expect("ghcr.io", "a", NULL, NULL); }
END_TEST

START_TEST(auths_are_matched_by_host_and_longest_path)
{
	put(".docker/config.json",
	    "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"aHViOnB3\"}, \"ghcr.io\": {\"username\": \"u\", \"password\": \"p:q\"},"
	    "\"ghcr.io/team\": {\"auth\": \"dGVhbTpwdw==\"}, \"empty.io\": {}, \"https://v2.io/v2/\": {\"auth\": \"djI6cHc=\"}}}", 0600);
	expect("docker.io", "library/x", "hub", "pw");
	expect("ghcr.io", "other/x", "u", "p:q");
	expect("ghcr.io", "team/x", "team", "pw");
	expect("ghcr.io", "teammate/x", "u", "p:q");
	expect("v2.io", "x", "v2", "pw");
	expect("empty.io", "x", NULL, NULL);
	expect("hcr.io", "x", NULL, NULL);
}
END_TEST

START_TEST(places_are_searched_in_order)
{
	put(".config/containers/auth.json", "{\"auths\": {\"r.io\": {\"auth\": \"cG9kbWFuOnB3\"}}}", 0600);
	expect("r.io", "x", "podman", "pw");
	put(".docker/config.d/secret-1/.dockerconfigjson", "{\"auths\": {\"r.io\": {\"auth\": \"a3ViZTpwdw==\"}}}", 0600);
	expect("r.io", "x", "kube", "pw");
	put(".docker/config.json", "{\"auths\": {\"r.io\": {\"auth\": \"ZG9ja2VyOnB3\"}}}", 0600);
	expect("r.io", "x", "docker", "pw");
	put("one/config.json", "{}", 0600);
	put("two/config.json", "{\"auths\": {\"r.io\": {\"auth\": \"dHdvOnB3\"}}}", 0600);
	char *folders = mem_printf("%s/one:%s/two", scratch, scratch);
	setenv("DOCKER_CONFIG", folders, 1);
	expect("r.io", "x", "two", "pw");
	put("file.json", "{\"auths\": {\"r.io\": {\"auth\": \"ZmlsZTpwdw==\"}}}", 0600);
	char *file = fd_join(scratch, "file.json");
	setenv("REGISTRY_AUTH_FILE", file, 1);
	expect("r.io", "x", "file", "pw");
	free(folders), free(file);
}
END_TEST

START_TEST(broken_files_are_named_and_not_quoted)
{
	static const char *const TEXTS[] = {"{\"auths\": {\"r.io\": {\"auth\": \"hunter2!\"}}}", "hunter2", "[\"hunter2\"]", "{\"auths\": 7}",
					    "{\"auths\": {\"r.io\": {\"auth\": 7}}}", "{\"auths\": {\"r.io\": {\"auth\": \"bm9jb2xvbg==\"}}}"};
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		put(".docker/config.json", TEXTS[i], 0600);
		ck_assert_int_lt(credentials_find("r.io", "x", &got, &err), 0);
		ck_assert_msg(strstr(err.message, "config.json") && !strstr(err.message, "hunter2"), "%s", err.message);
	}
}
END_TEST

static void put_helper(const char *name, const char *script)
{
	char *file = mem_printf("bin/docker-credential-%s", name), *text = mem_printf("#!/bin/sh\n%s\n", script);
	put(file, text, 0755);
	char *path = mem_printf("%s/bin:/usr/bin:/bin", scratch);
	setenv("PATH", path, 1);
	free(file), free(text), free(path);
}

START_TEST(helpers_are_asked)
{
	put_helper("good", "read server; echo \"{\\\"ServerURL\\\":\\\"x\\\",\\\"Username\\\":\\\"$1 $server\\\",\\\"Secret\\\":\\\"pw\\\"}\"");
	put_helper("token", "echo '{\"Username\":\"<token>\",\"Secret\":\"r3fresh\"}'");
	put_helper("none", "echo 'credentials not found in native keychain'; exit 1");
	put_helper("bad", "echo 'hunter2' >&2; echo hunter2; exit 1");
	put_helper("noise", "echo hunter2");
	put_helper("flood", "yes hunter2");
	put(".docker/config.json",
	    "{\"credHelpers\": {\"a.io\": \"good\", \"t.io\": \"token\", \"bad.io\": \"bad\", \"noise.io\": \"noise\", \"flood.io\": \"flood\","
	    "\"miss.io\": \"missing\", \"evil.io\": \"../../bin/sh\"}, \"credsStore\": \"none\", \"auths\": {\"b.io\": {\"auth\": \"dTpw\"}}}", 0600);
	expect("a.io", "x", "get a.io", "pw");
	expect("b.io", "x", "u", "p");
	expect("c.io", "x", NULL, NULL);
	credentials_done(&got);
	ck_assert_int_eq(credentials_find("t.io", "x", &got, &err), 0);
	ck_assert_str_eq(got.identity_token, "r3fresh");
	static const char *const BROKEN[] = {"bad.io", "noise.io", "flood.io", "miss.io", "evil.io"};
	for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++) {
		credentials_done(&got);
		ck_assert_int_lt(credentials_find(BROKEN[i], "x", &got, &err), 0);
		ck_assert_msg(!strstr(err.message, "hunter2"), "%s", err.message);
	}
}
END_TEST

START_TEST(store_of_docker_hub_is_asked_by_its_old_name)
{
	put_helper("echo", "read server; echo \"{\\\"Username\\\":\\\"$server\\\",\\\"Secret\\\":\\\"pw\\\"}\"");
	put(".docker/config.json", "{\"credsStore\": \"echo\"}", 0600);
	expect("docker.io", "library/x", "https://index.docker.io/v1/", "pw");
	char *basic = credentials_basic(&(struct credentials){.user = (char[]){"me"}, .password = (char[]){"pw"}});
	ck_assert_str_eq(basic, "bWU6cHc=");
	free(basic);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credentials");
	TCase *tc = tcase_create("credentials");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nothing_is_known_without_files);
	tcase_add_test(tc, auths_are_matched_by_host_and_longest_path);
	tcase_add_test(tc, places_are_searched_in_order);
	tcase_add_test(tc, broken_files_are_named_and_not_quoted);
	tcase_add_test(tc, helpers_are_asked);
	tcase_add_test(tc, store_of_docker_hub_is_asked_by_its_old_name);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
