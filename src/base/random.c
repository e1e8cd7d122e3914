/* random.c: Philox 4x32-10. J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#include "base/random.h"

#include <math.h>

void random_block(uint64_t seed, enum random_stream stream, uint64_t counter_high, uint64_t counter_low, uint32_t out[4])
{
	uint32_t k0 = (uint32_t)seed ^ ((uint32_t)stream * 0x85EBCA6Bu), k1 = (uint32_t)(seed >> 32);
	uint32_t c[4] = {(uint32_t)counter_low, (uint32_t)(counter_low >> 32), (uint32_t)counter_high, (uint32_t)(counter_high >> 32)};
	for (int round = 0; round < 10; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
		uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
		c[1] = (uint32_t)p1;
		c[3] = (uint32_t)p0;
		c[0] = n0;
		c[2] = n2;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	for (int i = 0; i < 4; i++)
		out[i] = c[i];
}

uint64_t random_u64(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low)
{
	uint32_t out[4];
	random_block(seed, stream, high, low, out);
	return ((uint64_t)out[1] << 32) | out[0];
}

float random_uniform(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low)
{
	uint32_t out[4];
	random_block(seed, stream, high, low, out);
	return (float)(out[0] >> 8) * 0x1p-24f;
}

float random_normal(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low)
{
	uint32_t out[4];
	random_block(seed, stream, high, low, out);
	double u = ((double)out[0] + 1.0) * 0x1p-32, v = (double)out[1] * 0x1p-32;
	return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint64_t random_below(uint64_t seed, enum random_stream stream, uint64_t high, uint64_t low, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)random_u64(seed, stream, high, low) * n) >> 64);
}
