/* Resume checkpoints: what is written comes back; whatever was cut or changed is refused; a failed write keeps the old one. */
#include "tune/checkpoint.h"

#include "base/fd.h"
#include <check.h>
#include <signal.h>
#include <sys/resource.h>

static struct err err;
static char folder[64];
static const float A[] = {1, 2, 3}, B[] = {-1, 0.5f, 1e-30f};

static void setup(void)
{
	snprintf(folder, sizeof folder, "/tmp/kaito-checkpoint-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	size_t len = strlen(folder);
	snprintf(folder + len, sizeof folder - len, "/resume");
	err = ERR_INIT;
}

static void teardown(void)
{
	*strrchr(folder, '/') = 0;
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}

static int save(int step)
{
	json_t *header = json_pack("{s:i, s:f}", "step", step, "x", 0.1 + 0.2);
	int rc = checkpoint_save(folder, header, (const float *const[CHECKPOINT_ARRAYS]){A, B}, 3, &err);
	json_decref(header);
	return rc;
}

static json_int_t saved_step(void)
{
	struct checkpoint *c = NULL;
	float a[3], b[3], none[3];
	ck_assert_msg(checkpoint_open(&c, folder, &err) == 0, "%s", err.message);
	ck_assert(json_real_value(json_object_get(checkpoint_header(c), "x")) == 0.1 + 0.2);
	ck_assert_int_eq(checkpoint_read(c, 0, a, 3, &err), 0);
	ck_assert_int_eq(checkpoint_read(c, 1, b, 3, &err), 0);
	ck_assert_int_eq(checkpoint_read(c, 2, none, 3, &err), -1);
	ck_assert_int_eq(checkpoint_read(c, 0, none, 4, &err), -1);
	ck_assert_mem_eq(a, A, sizeof a);
	ck_assert_mem_eq(b, B, sizeof b);
	json_int_t step = json_integer_value(json_object_get(checkpoint_header(c), "step"));
	checkpoint_close(c);
	return step;
}

START_TEST(checkpoint_comes_back_bit_for_bit)
{
	struct checkpoint *c = NULL;
	ck_assert_int_eq(checkpoint_open(&c, folder, &err), 1);
	ck_assert_int_eq(save(1), 0);
	ck_assert_int_eq(save(2), 0);
	ck_assert_int_eq(saved_step(), 2);
	ck_assert_int_eq(checkpoint_remove(folder, &err), 0);
	ck_assert_int_eq(checkpoint_open(&c, folder, &err), 1);
}
END_TEST

START_TEST(damage_anywhere_is_noticed)
{
	struct buf file = {0};
	char *path = fd_join(folder, "state.bin");
	ck_assert_int_eq(save(1), 0);
	ck_assert_int_eq(fd_read_file(path, 1 << 20, &file, &err), 0);
	for (size_t i = 0; i < file.len; i += 7) {
		struct checkpoint *c = NULL;
		file.data[i] ^= 1;
		ck_assert_int_eq(fd_write_file(path, file.data, file.len, 0644, &err), 0);
		ck_assert_int_eq(checkpoint_open(&c, folder, &err), -1);
		ck_assert_int_eq(err.kind, ERR_INVALID);
		file.data[i] ^= 1;
		ck_assert_int_eq(fd_write_file(path, file.data, i, 0644, &err), 0);
		ck_assert_int_eq(checkpoint_open(&c, folder, &err), -1);
	}
	free(path);
	buf_done(&file);
}
END_TEST

START_TEST(failed_write_keeps_the_old_checkpoint)
{
	ck_assert_int_eq(save(1), 0);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){40, 40}), 0);
	ck_assert_int_eq(save(2), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "state.bin.next"));
	ck_assert_int_eq(saved_step(), 1);
	char *next = fd_join(folder, "state.bin.next");
	ck_assert(!fd_exists(next));
	free(next);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/checkpoint");
	TCase *tc = tcase_create("checkpoint");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, checkpoint_comes_back_bit_for_bit);
	tcase_add_test(tc, damage_anywhere_is_noticed);
	tcase_add_test(tc, failed_write_keeps_the_old_checkpoint);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
