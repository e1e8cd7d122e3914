/* vec.h: a growable typed array. `VEC(int) ids = {0}; vec_push(&ids, 7); ids.data[0]; vec_done(&ids);` */
#pragma once
#include "base/mem.h"

#define VEC(type) struct { type *data; size_t len, cap; }
#define vec_reserve(v, n) \
	do { \
		if ((v)->cap < (n)) { \
			size_t vec_cap_ = (v)->cap ? (v)->cap * 2 : 8; \
			if (vec_cap_ < (n)) \
				vec_cap_ = (n); \
			(v)->data = mem_realloc((v)->data, vec_cap_ * sizeof *(v)->data); \
			(v)->cap = vec_cap_; \
		} \
	} while (0)
#define vec_push(v, ...) \
	do { \
		vec_reserve(v, (v)->len + 1); \
		(v)->data[(v)->len++] = (__VA_ARGS__); \
	} while (0)
#define vec_append(v, items, n) \
	do { \
		size_t vec_n_ = (n); \
		vec_reserve(v, (v)->len + vec_n_); \
		if (vec_n_) \
			memcpy((v)->data + (v)->len, (items), vec_n_ * sizeof *(v)->data); \
		(v)->len += vec_n_; \
	} while (0)
#define vec_done(v) (free((v)->data), (v)->data = NULL, (v)->len = (v)->cap = 0)
