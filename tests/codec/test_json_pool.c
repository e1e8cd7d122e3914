/* Tests the pool of JSON pieces: contents survive neighbours, threads pass pieces on, trees work. Under sanitizers the pool is off and the
 * same calls go to malloc. */
#include "check_main.h"

#include "codec/json.h"
#include "codec/json_pool.h"
#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { MANY = 20000 };

START_TEST(json_pool_keeps_neighbours_apart)
{
	static unsigned char *pieces[MANY];
	for (size_t i = 0; i < MANY; i++) {
		size_t size = i % (JSON_POOL_MAX + 64) + 1;
		pieces[i] = json_pool_alloc(size);
		ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i & 0xff), size);
	}
	for (size_t i = 0; i < MANY; i++) {
		size_t size = i % (JSON_POOL_MAX + 64) + 1;
		for (size_t k = 0; k < size; k++)
			ck_assert_uint_eq(pieces[i][k], i & 0xff);
		json_pool_free(pieces[i]);
	}
	json_pool_free(NULL);
}
END_TEST

static void *free_all(void *context)
{
	void **pieces = context;
	for (size_t i = 0; i < MANY; i++)
		json_pool_free(pieces[i]);
	return NULL;
}

START_TEST(json_pool_takes_pieces_back_from_other_threads)
{
	static void *pieces[MANY];
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < MANY; i++)
			pieces[i] = json_pool_alloc(i % JSON_POOL_MAX + 1);
		pthread_t other;
		pthread_create(&other, NULL, free_all, pieces);
		pthread_join(other, NULL);
	}
}
END_TEST

static void *parse_often(void *context)
{
	(void)context;
	for (int i = 0; i < 300; i++) {
		json_t *v = NULL;
		struct err err = ERR_INIT;
		ck_assert_int_eq(json_parse(&v, STR("{\"a\":[1,2,{\"b\":\"a longer text that is not small\"}],\"c\":{\"d\":null}}"), "text", &err), 0);
		ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(v, "a"), 1)), 2);
		json_decref(v);
	}
	return NULL;
}

START_TEST(json_pool_serves_trees_on_many_threads)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, parse_often, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
	json_pool_use();
	CHECK_RUN("json pool", 60, json_pool_keeps_neighbours_apart, json_pool_takes_pieces_back_from_other_threads, json_pool_serves_trees_on_many_threads);
}
