/* test_names.c: image references, WWW-Authenticate challenges and manifests: everything that parses somebody's text. */
#include "oci/challenge.h"
#include "oci/manifest.h"
#include "oci/oci.h"
#include "oci/reference.h"

#include "base/buf.h"
#include "base/limits.h"
#include <check.h>
#include <stdio.h>

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct err err;

static const struct { const char *text, *canonical, *host; } GOOD[] = {
	{"busybox", "docker.io/library/busybox:latest", "registry-1.docker.io"},
	{"org/app:v1", "docker.io/org/app:v1", "registry-1.docker.io"},
	{"index.docker.io/org/app", "docker.io/org/app:latest", "registry-1.docker.io"},
	{"localhost/app", "localhost/app:latest", "localhost"},
	{"localhost:5000/a/b/c:T.a-g_1", "localhost:5000/a/b/c:T.a-g_1", "localhost:5000"},
	{"ghcr.io/org/app@sha256:" HEX, "ghcr.io/org/app@sha256:" HEX, "ghcr.io"},
	{"ghcr.io/org/app:1@sha256:" HEX, "ghcr.io/org/app:1@sha256:" HEX, "ghcr.io"},
	{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000"},
	{"10.0.0.1:80/x-y__z.w/a--b", "10.0.0.1:80/x-y__z.w/a--b:latest", "10.0.0.1:80"},
	{"MyRegistry.azurecr.io/adapter:0.0.1", "MyRegistry.azurecr.io/adapter:0.0.1", "MyRegistry.azurecr.io"},
};

START_TEST(good_references)
{
	struct reference r = {0};
	ck_assert_msg(reference_parse(str_of(GOOD[_i].text), &r, &err) == 0, "%s", err.message);
	char *whole = reference_format(&r);
	ck_assert_str_eq(whole, GOOD[_i].canonical);
	ck_assert_str_eq(reference_api_host(&r), GOOD[_i].host);
	reference_done(&r);
	/* What was printed is read as the same. */
	ck_assert_int_eq(reference_parse(str_of(whole), &r, &err), 0);
	char *again = reference_format(&r);
	ck_assert_str_eq(whole, again);
	reference_done(&r);
	free(whole), free(again);
}
END_TEST

static const struct { const char *text, *say; } BAD[] = {
	{"", "1 to 1024"},
	{"ghcr.io/", "repository is missing"},
	{"ghcr.io/Org/app", "upper-case"},
	{"registry.example/MyAdapter:1", "upper-case"},
	{"IMAGE_NAME_HERE:0.0.1", "placeholder"},
	{"{ACR_REPO_HERE}.azurecr.io/IMAGE_NAME_HERE:0.0.1", "placeholder"},
	{"ACR_REPO_HERE.azurecr.io/adapter:0.0.1", "placeholder"},
	{"<your-registry>/adapter", "placeholder"},
	{"$REGISTRY/adapter", "placeholder"},
	{"my.registry/YOUR_NAME/adapter", "placeholder"},
	{"app:", "tag"},
	{"app:-x", "tag"},
	{"app:a b", "tag"},
	{"app@sha256:abc", "64"},
	{"app@md5:abc", "sha256"},
	{"app..b", "parts of a repository"},
	{"app___b", "parts of a repository"},
	{"app/-b", "parts of a repository"},
	{"app//b", "parts of a repository"},
	{"app b", "parts of a repository"},
	{"reg.io:0/app", "port"},
	{"reg.io:99999/app", "port"},
	{"reg.io:x/app", "port"},
	{"[::g]/app", "IPv6"},
	{"-reg.io/app", "host name"},
	{"re~g.io/app", "host name"},
	{"https://ghcr.io/org/app", "scheme"},
};

START_TEST(bad_references_say_why)
{
	struct reference r = {0};
	ck_assert_msg(reference_parse(str_of(BAD[_i].text), &r, &err) < 0, "%s", BAD[_i].text);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_msg(strstr(err.message, BAD[_i].say), "%s", err.message);
	ck_assert_ptr_null(r.registry);
}
END_TEST

START_TEST(lengths_at_their_limits)
{
	struct reference r = {0};
	char text[700];
	memset(text, 'a', sizeof text);
	text[255] = 0;
	char *name = mem_printf("reg.io/%s", text);
	ck_assert_int_eq(reference_parse(str_of(name), &r, &err), 0);
	reference_done(&r);
	free(name);
	text[255] = 'a', text[256] = 0;
	name = mem_printf("reg.io/%s", text);
	ck_assert_int_lt(reference_parse(str_of(name), &r, &err), 0);
	free(name);
	text[128] = 0;
	name = mem_printf("app:%s", text);
	ck_assert_int_eq(reference_parse(str_of(name), &r, &err), 0);
	reference_done(&r);
	free(name);
	text[128] = 'a', text[129] = 0;
	name = mem_printf("app:%s", text);
	ck_assert_int_lt(reference_parse(str_of(name), &r, &err), 0);
	free(name);
}
END_TEST

START_TEST(loopback_is_recognised)
{
	static const struct { const char *text; bool loopback; } ROWS[] = {
		{"localhost/a", true},    {"localhost:5000/a", true}, {"127.0.0.1:1/a", true},     {"127.9.9.9/a", true},
		{"[::1]:5000/a", true},   {"busybox", false},         {"10.0.0.1:5000/a", false}, {"localhost.evil.com/a", false},
		{"127.0.0.1.nip.io/a", false},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		struct reference r = {0};
		ck_assert_int_eq(reference_parse(str_of(ROWS[i].text), &r, &err), 0);
		ck_assert_msg(reference_is_loopback(&r) == ROWS[i].loopback, "%s", ROWS[i].text);
		reference_done(&r);
	}
	ck_assert(oci_is_reference("ghcr.io/org/app:1"));
	ck_assert(!oci_is_reference("/tmp") && !oci_is_reference("./app") && !oci_is_reference("Model.gguf"));
}
END_TEST

static const struct { const char *header; enum challenge_scheme scheme; const char *realm, *service, *scope; } CHALLENGES[] = {
	{"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"", CHALLENGE_BEARER, "https://a/t", "s", "repository:x:pull,push"},
	{"bearer Realm = \"https://a/t\" , SERVICE=s", CHALLENGE_BEARER, "https://a/t", "s", NULL},
	{"Basic realm=\"r\"", CHALLENGE_BASIC, "r", NULL, NULL},
	{"Basic", CHALLENGE_BASIC, NULL, NULL, NULL},
	{"Basic realm=\"r\", Bearer realm=\"https://b\"", CHALLENGE_BEARER, "https://b", NULL, NULL},
	{"Bearer realm=\"https://b\", Basic realm=\"r\"", CHALLENGE_BEARER, "https://b", NULL, NULL},
	{"Negotiate, Basic realm=\"r\"", CHALLENGE_BASIC, "r", NULL, NULL},
	{"Bearer realm=\"a\\\"b\"", CHALLENGE_BEARER, "a\"b", NULL, NULL},
	{"Bearer service=\"s\"", CHALLENGE_NONE, NULL, NULL, NULL},
	{"Bearer realm=\"unterminated", CHALLENGE_NONE, NULL, NULL, NULL},
	{"Bearer realm=\"a\nb\"", CHALLENGE_NONE, NULL, NULL, NULL},
	{"", CHALLENGE_NONE, NULL, NULL, NULL},
	{",,, = \"", CHALLENGE_NONE, NULL, NULL, NULL},
	{"Digest realm=\"x\"", CHALLENGE_NONE, NULL, NULL, NULL},
};

static void expect(const char *have, const char *want)
{
	if (want)
		ck_assert_str_eq(have, want);
	else
		ck_assert_ptr_null(have);
}

START_TEST(challenges)
{
	struct challenge c;
	challenge_parse(str_of(CHALLENGES[_i].header), &c);
	ck_assert_int_eq(c.scheme, CHALLENGES[_i].scheme);
	expect(c.realm, CHALLENGES[_i].realm);
	expect(c.service, CHALLENGES[_i].service);
	expect(c.scope, CHALLENGES[_i].scope);
	challenge_done(&c);
}
END_TEST

#define CONFIG "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":2}"
#define LAYER "{\"mediaType\":\"l\",\"digest\":\"sha256:" HEX "\",\"size\":9}"

START_TEST(manifest_is_read_and_printed)
{
	static const char TEXT[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"," CONFIG ",\"layers\":[" LAYER
				   "],\"annotations\":{\"sh.kaito.model.name\":\"phi\"}}";
	struct manifest m = {0};
	char chosen[DIGEST_TEXT];
	ck_assert_msg(manifest_parse(str_of(TEXT), NULL, &m, chosen, &err) == 0, "%s", err.message);
	ck_assert(m.is_image);
	ck_assert_uint_eq(m.n_layers, 1);
	ck_assert_uint_eq(m.layers[0].size, 9);
	ck_assert_str_eq(m.model_name, "phi");
	char *text = manifest_print(&m);
	ck_assert_str_eq(text, TEXT);
	free(text);
	manifest_done(&m);
	for (size_t n = 0; n + 1 < sizeof TEXT; n++) /* truncated at every byte */
		ck_assert_msg(manifest_parse((str){TEXT, n}, NULL, &m, chosen, &err) < 0, "%zu bytes", n);
}
END_TEST

static const struct { const char *text, *say; enum err_kind kind; } BROKEN[] = {
	{"[]", "not a JSON object", ERR_INVALID},
	{"{}", "schemaVersion 0", ERR_UNSUPPORTED},
	{"{\"schemaVersion\":1}", "schemaVersion 1", ERR_UNSUPPORTED},
	{"{\"schemaVersion\":2}", "config", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG "}", "layers", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[{}]}", "manifest.layers[0]", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[7]}", "manifest.layers[0]", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":-1}]}", "size", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:../../etc\",\"size\":1}]}", "digest", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":1,\"annotations\":{\"" ANNOTATION_TITLE "\":\"../x\"}}]}",
	 "title", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":1,\"annotations\":{\"" ANNOTATION_TITLE "\":\"/x\"}}]}",
	 "title", ERR_INVALID},
	{"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":1,\"annotations\":{\"" ANNOTATION_TITLE "\":\"\"}}]}",
	 "title", ERR_INVALID},
	{"{\"schemaVersion\":2,\"manifests\":[]}", "no image for linux", ERR_NOT_FOUND},
	{"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"x\"}]}", "digest", ERR_INVALID},
};

START_TEST(broken_manifests_say_where)
{
	struct manifest m = {0};
	char chosen[DIGEST_TEXT];
	ck_assert_int_lt(manifest_parse(str_of(BROKEN[_i].text), NULL, &m, chosen, &err), 0);
	ck_assert_msg(err.kind == BROKEN[_i].kind && strstr(err.message, BROKEN[_i].say), "%s", err.message);
}
END_TEST

START_TEST(number_of_layers_at_its_limit)
{
	for (int extra = 0; extra < 2; extra++) {
		struct buf text = {0};
		struct manifest m = {0};
		char chosen[DIGEST_TEXT];
		buf_puts(&text, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
		for (int i = 0; i < LIMIT_OCI_LAYERS + extra; i++)
			buf_printf(&text, "%s%s", i ? "," : "", LAYER);
		buf_puts(&text, "]}");
		int rc = manifest_parse(buf_str(&text), NULL, &m, chosen, &err);
		ck_assert_int_eq(rc, extra ? -1 : 0);
		if (extra)
			ck_assert_int_eq(err.kind, ERR_LIMIT);
		manifest_done(&m);
		buf_done(&text);
	}
}
END_TEST

#define LOOP(test, rows) tcase_add_loop_test(tc, test, 0, sizeof rows / sizeof rows[0])

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("names");
	LOOP(good_references, GOOD);
	LOOP(bad_references_say_why, BAD);
	tcase_add_test(tc, lengths_at_their_limits);
	tcase_add_test(tc, loopback_is_recognised);
	LOOP(challenges, CHALLENGES);
	tcase_add_test(tc, manifest_is_read_and_printed);
	LOOP(broken_manifests_say_where, BROKEN);
	tcase_add_test(tc, number_of_layers_at_its_limit);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
