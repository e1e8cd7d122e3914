/* test_download.c: whole files or none, resumed where they stopped. */
#include "http/scripted.h"

#include "http/download.h"
#include <sys/resource.h>
#include <sys/stat.h>

static struct scripted server;
static struct http_client *client;
static struct err err;
static char scratch[64];
static char *file;
static struct download_result result;

static void start(void) { scripted_start(&server, NULL); }
static void stop(void) { scripted_stop(&server); }
static void setup(void)
{
	client = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE, .stall_s = 1, .retry = {3, 5, 20}});
	json_decref(scripted_log(&server));
	err = ERR_INIT;
	snprintf(scratch, sizeof scratch, "/tmp/kaito-download-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	file = fd_join(scratch, "f");
}
static void teardown(void)
{
	http_client_free(client);
	ck_assert_int_eq(fd_remove_tree(scratch, &err), 0);
	free(file);
}

/* The content that the server makes from a name: a digest repeated. */
static void digest_of_content(const char *name, size_t size, char text[DIGEST_TEXT])
{
	char block[DIGEST_TEXT];
	digest_of(name, strlen(name), block);
	unsigned char raw[32];
	for (int i = 0; i < 32; i++) {
		unsigned byte = 0;
		ck_assert_int_eq(sscanf(block + 7 + 2 * i, "%2x", &byte), 1);
		raw[i] = (unsigned char)byte;
	}
	struct digest d;
	digest_init(&d);
	for (size_t at = 0; at < size; at += 32)
		digest_update(&d, raw, size - at < 32 ? size - at : 32);
	digest_finish(&d, text);
	digest_done(&d);
}

static int fetch(struct download d, const char *path)
{
	char *url = mem_printf("http://127.0.0.1:%d%s", server.port, path);
	d.url = url;
	d.path = file;
	result = (struct download_result){0};
	int rc = download_run(client, &d, &result, &err);
	free(url);
	return rc;
}

static size_t count_files(void)
{
	char *command = mem_printf("ls -A %s | wc -l", scratch);
	FILE *p = popen(command, "r"); /* style: allowed, fixed command in a test */
	int n = -1;
	ck_assert_int_eq(fscanf(p, "%d", &n), 1);
	pclose(p);
	free(command);
	return (size_t)n;
}

static void expect_content(const char *name, size_t size)
{
	char want[DIGEST_TEXT], have[DIGEST_TEXT];
	digest_of_content(name, size, want);
	ck_assert_int_eq(digest_of_file(file, have, NULL, &err), 0);
	ck_assert_str_eq(have, want);
	ck_assert_str_eq(result.digest, want);
	ck_assert_uint_eq(result.size, size);
	ck_assert_uint_eq(count_files(), 1);
}

START_TEST(whole_file_arrives)
{
	ck_assert_msg(fetch((struct download){0}, "/ok/a") == 0, "%s", err.message);
	expect_content("a", 200000);
	ck_assert(!result.resumed);
	ck_assert_int_eq(fetch((struct download){0}, "/empty"), 0);
	ck_assert_uint_eq(result.size, 0);
	ck_assert(fd_exists(file));
}
END_TEST

START_TEST(dropped_connection_is_resumed_by_range)
{
	ck_assert_msg(fetch((struct download){0}, "/drop/3/b") == 0, "%s", err.message);
	expect_content("b", 200000);
	ck_assert(result.resumed);
	json_t *log = scripted_log(&server);
	ck_assert_uint_eq(json_array_size(log), 4);
	ck_assert_ptr_null(scripted_log_string(log, 0, "range"));
	ck_assert_str_eq(scripted_log_string(log, 1, "range"), "bytes=50000-");
	ck_assert_str_eq(scripted_log_string(log, 3, "range"), "bytes=150000-");
	json_decref(log);
}
END_TEST

START_TEST(stall_is_resumed)
{
	ck_assert_msg(fetch((struct download){0}, "/stall/1/c") == 0, "%s", err.message);
	expect_content("c", 200000);
	ck_assert(result.resumed);
}
END_TEST

START_TEST(server_without_range_or_with_changed_content_starts_over)
{
	ck_assert_msg(fetch((struct download){0}, "/norange/d") == 0, "%s", err.message);
	expect_content("d", 200000);
	ck_assert_msg(fetch((struct download){0}, "/changed/e") == 0, "%s", err.message);
	expect_content("e", 200000);
	ck_assert(!result.resumed);
}
END_TEST

START_TEST(wrong_range_is_a_protocol_error)
{
	ck_assert_int_lt(fetch((struct download){0}, "/badrange/x"), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert(!fd_exists(file));
}
END_TEST

START_TEST(later_run_takes_up_the_part)
{
	char want[DIGEST_TEXT];
	digest_of_content("g", 200000, want);
	http_client_free(client);
	client = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE, .retry = {1, 5, 20}});
	ck_assert_int_lt(fetch((struct download){0}, "/drop/1/g"), 0);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	ck_assert(!fd_exists(file));
	ck_assert_uint_eq(count_files(), 2); /* part and tag */
	ck_assert_int_eq(fetch((struct download){.digest = want, .has_size = true, .size = 200000}, "/drop/1/g"), 0);
	expect_content("g", 200000);
	ck_assert(result.resumed);
}
END_TEST

START_TEST(part_of_other_content_is_thrown_away)
{
	char *part = mem_printf("%s.part", file), want[DIGEST_TEXT];
	digest_of_content("h", 200000, want);
	ck_assert_int_eq(fd_write_file(part, "not the start of it", 19, 0644, &err), 0);
	ck_assert_msg(fetch((struct download){.digest = want}, "/ok/h") == 0, "%s", err.message);
	expect_content("h", 200000);
	/* Without digest and validator nothing proves that the part belongs to the content. */
	ck_assert_int_eq(fd_write_file(part, "not the start of it", 19, 0644, &err), 0);
	ck_assert_int_eq(fetch((struct download){0}, "/ok/i"), 0);
	expect_content("i", 200000);
	free(part);
}
END_TEST

START_TEST(wrong_digest_and_wrong_size_leave_nothing)
{
	char other[DIGEST_TEXT];
	digest_of_content("other", 200000, other);
	ck_assert_int_lt(fetch((struct download){.digest = other}, "/ok/j"), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert_uint_eq(count_files(), 0);
	ck_assert_int_lt(fetch((struct download){.has_size = true, .size = 199999}, "/ok/j"), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert_int_lt(fetch((struct download){.has_size = true, .size = 200001}, "/ok/j"), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(errors_of_the_server_are_named_and_retried)
{
	ck_assert_int_lt(fetch((struct download){0}, "/status/404/9/k"), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert_int_lt(fetch((struct download){0}, "/status/403/9/k"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_int_eq(fetch((struct download){0}, "/status/429/2/k?after=0"), 0);
	expect_content("k", 200000);
	unlink(file);
	ck_assert_int_lt(fetch((struct download){0}, "/status/500/9/k"), 0);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(full_disk_leaves_nothing)
{
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
	ck_assert_int_lt(fetch((struct download){0}, "/ok/l"), 0);
	ck_assert_msg(err.kind == ERR_NO_SPACE || err.kind == ERR_IO, "%s", err.message);
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

static int give_token(void *context, bool refused, const char *challenge, char **value, struct err *e)
{
	(void)challenge, (void)e;
	int *calls = context;
	++*calls;
	*value = refused ? mem_strdup("Bearer good") : NULL;
	return 0;
}

START_TEST(refused_request_is_authorised_once)
{
	int calls = 0;
	ck_assert_int_eq(fetch((struct download){.authorize = give_token, .context = &calls}, "/status/401/1/m"), 0);
	ck_assert_int_eq(calls, 2);
	expect_content("m", 200000);
	calls = 0;
	ck_assert_int_lt(fetch((struct download){.authorize = give_token, .context = &calls}, "/status/401/9/m"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_int_eq(calls, 2);
}
END_TEST

START_TEST(two_processes_do_not_write_one_part)
{
	char *part = mem_printf("%s.part", file);
	int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	ck_assert_int_lt(fetch((struct download){0}, "/ok/n"), 0);
	ck_assert_int_eq(err.kind, ERR_BUSY);
	close(fd);
	ck_assert_int_eq(fetch((struct download){0}, "/ok/n"), 0);
	free(part);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("download");
	TCase *tc = tcase_create("download");
	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, whole_file_arrives);
	tcase_add_test(tc, dropped_connection_is_resumed_by_range);
	tcase_add_test(tc, stall_is_resumed);
	tcase_add_test(tc, server_without_range_or_with_changed_content_starts_over);
	tcase_add_test(tc, wrong_range_is_a_protocol_error);
	tcase_add_test(tc, later_run_takes_up_the_part);
	tcase_add_test(tc, part_of_other_content_is_thrown_away);
	tcase_add_test(tc, wrong_digest_and_wrong_size_leave_nothing);
	tcase_add_test(tc, errors_of_the_server_are_named_and_retried);
	tcase_add_test(tc, full_disk_leaves_nothing);
	tcase_add_test(tc, refused_request_is_authorised_once);
	tcase_add_test(tc, two_processes_do_not_write_one_part);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
