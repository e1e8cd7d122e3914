/* test_containers.c: buf, vec, map, arena: growth, limits, removal. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "check_main.h"

START_TEST(buf_stops_at_its_limit_and_says_so)
{
	struct buf b = {.max = 8};
	buf_puts(&b, "12345678");
	ck_assert(!b.overflow && b.len == 8);
	buf_putc(&b, '9');
	ck_assert(b.overflow);
	ck_assert_str_eq(b.data, "12345678");
	buf_done(&b);
}
END_TEST

START_TEST(buf_printf_appends_and_take_empties)
{
	struct buf b = {0};
	buf_printf(&b, "%d-%s", 7, "x");
	buf_printf(&b, "%0200d", 1);
	ck_assert_uint_eq(b.len, 203);
	char *text = buf_take(&b);
	ck_assert(strncmp(text, "7-x000", 6) == 0 && b.data == NULL);
	free(text);
}
END_TEST

START_TEST(map_keeps_insertion_order_through_removal_and_growth)
{
	struct map m = {0};
	char key[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		map_put(&m, str_of(key), (void *)(uintptr_t)(i + 1));
	}
	for (int i = 0; i < 1000; i += 2) {
		snprintf(key, sizeof key, "key%d", i);
		ck_assert(map_remove(&m, str_of(key)));
		ck_assert(!map_remove(&m, str_of(key)));
	}
	map_put(&m, STR("last"), &m);
	ck_assert_uint_eq(m.count, 501);
	struct map_entry e;
	uintptr_t expect = 2;
	for (size_t i = 0; map_next(&m, &i, &e);) {
		if (str_eqz(e.key, "last"))
			break;
		ck_assert_uint_eq((uintptr_t)e.value, expect);
		expect += 2;
	}
	ck_assert_uint_eq(expect, 1002);
	ck_assert(map_get(&m, STR("key1")) == (void *)2 && !map_has(&m, STR("key2")));
	map_done(&m);
}
END_TEST

START_TEST(map_frees_values_when_told)
{
	struct map m = {.free_value = free};
	map_put(&m, STR("a"), malloc(3));
	map_put(&m, STR("a"), malloc(4));
	map_remove(&m, STR("a"));
	map_put(&m, STR("b"), malloc(5));
	map_done(&m); /* LeakSanitizer is the judge */
	ck_assert_uint_eq(m.count, 0);
}
END_TEST

START_TEST(arena_gives_zeroed_aligned_memory)
{
	struct arena a = {0};
	for (size_t i = 1; i < 200; i++) {
		unsigned char *p = arena_alloc(&a, i * 37);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		for (size_t j = 0; j < i * 37; j++)
			ck_assert_uint_eq(p[j], 0);
		memset(p, 0xFF, i * 37);
	}
	ck_assert_str_eq(arena_printf(&a, "%s %d", "row", 17), "row 17");
	arena_done(&a);
}
END_TEST

START_TEST(vec_pushes_and_appends)
{
	VEC(int) v = {0};
	for (int i = 0; i < 100; i++)
		vec_push(&v, i);
	vec_append(&v, ((int[]){7, 8}), 2);
	ck_assert_uint_eq(v.len, 102);
	ck_assert_int_eq(v.data[99], 99);
	ck_assert_int_eq(v.data[101], 8);
	vec_done(&v);
}
END_TEST

int main(void)
{
	CHECK_RUN("base/containers", 10, buf_stops_at_its_limit_and_says_so, buf_printf_appends_and_take_empties,
		  map_keeps_insertion_order_through_removal_and_growth, map_frees_values_when_told, arena_gives_zeroed_aligned_memory,
		  vec_pushes_and_appends);
}
