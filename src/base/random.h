/* random.h: counter-based random numbers (Philox 4x32-10, Salmon et al. 2011). The same key and counter
 * give the same bits on every machine, whatever the thread count: key = seed + purpose, counter = position. */
#pragma once
#include <stdint.h>

/* Purposes keep streams of one seed apart. */
enum random_stream { RANDOM_INIT = 1, RANDOM_DROPOUT, RANDOM_SHUFFLE, RANDOM_SPLIT, RANDOM_SAMPLE, RANDOM_TEST };

void random_block(uint64_t seed, enum random_stream stream, uint64_t counter_high, uint64_t counter_low, uint32_t out[4]);
uint64_t random_u64(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low);
float random_uniform(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low);  /* [0, 1), 24 bits */
float random_normal(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low);   /* N(0, 1), Box-Muller */
uint64_t random_below(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low, uint64_t n); /* [0, n) */
