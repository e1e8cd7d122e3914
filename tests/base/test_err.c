/* test_err.c: the error shape: kinds have distinct documented codes, messages are bounded and clean. */
#include "base/err.h"
#include "check_main.h"
#include <errno.h>
#include <string.h>

START_TEST(err_kinds_have_names_and_distinct_exit_codes)
{
	for (int i = 0; i < ERR_KIND_COUNT; i++) {
		const struct err_traits *t = err_traits((enum err_kind)i);
		ck_assert_ptr_nonnull(t->name);
		ck_assert_ptr_nonnull(t->reason);
		ck_assert(t->exit_code >= 0 && t->exit_code < 64);
		for (int j = 0; j < i; j++) {
			ck_assert_str_ne(t->name, err_traits((enum err_kind)j)->name);
			ck_assert_int_ne(t->exit_code, err_traits((enum err_kind)j)->exit_code);
		}
	}
}
END_TEST

START_TEST(err_message_is_cut_and_has_no_control_characters)
{
	struct err e = ERR_INIT;
	char longer[1000];
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	ck_assert_int_eq(err_set(&e, ERR_DATA, "row 3\n%s", longer), -1);
	ck_assert_uint_eq(strlen(e.message), ERR_MESSAGE_MAX);
	ck_assert_ptr_null(strchr(e.message, '\n'));
	ck_assert_int_eq(err_wrap(&e, "%s", longer), -1);
	ck_assert_uint_eq(strlen(e.message), ERR_MESSAGE_MAX);
	ck_assert_int_eq(e.kind, ERR_DATA);
}
END_TEST

START_TEST(err_errno_refines_the_kind)
{
	struct err e = ERR_INIT;
	ck_assert_int_eq(err_set_errno(&e, ERR_IO, ENOSPC, "write '%s'", "f"), -1);
	ck_assert_int_eq(e.kind, ERR_NO_SPACE);
	ck_assert_str_eq(e.message, "write 'f': No space left on device");
	ck_assert_int_eq(err_set_errno(&e, ERR_NETWORK, ENOENT, "x"), -1);
	ck_assert_int_eq(e.kind, ERR_NETWORK);
	ck_assert_int_eq(err_wrap(&e, "pull '%s'", "img"), -1);
	ck_assert_str_eq(e.message, "pull 'img': x: No such file or directory");
	ck_assert_int_eq(err_set(NULL, ERR_IO, "nobody listens"), -1);
}
END_TEST

int main(void)
{
	CHECK_RUN("base/err", 10, err_kinds_have_names_and_distinct_exit_codes, err_message_is_cut_and_has_no_control_characters,
		  err_errno_refines_the_kind);
}
