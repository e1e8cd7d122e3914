/* rope.c: inverse frequencies of the rotary embedding (Su et al. 2021) with its length scalings.
 * f_i = theta^(-2i/d). Everything is computed in float32 in the reference's order of operations, since an angle is
 * f_i times a position of up to a million and a last-bit difference there would show in the logits. */
#include "model/model.h"

#include <math.h>

/* Llama 3: wave lengths past the original context are stretched by `factor`, short ones kept, and those between blended. */
static float llama3(const struct model_config *c, float f)
{
	float original = (float)c->rope_original_context, low = (float)c->rope_low_freq_factor, high = (float)c->rope_high_freq_factor;
	float factor = (float)c->rope_factor, wave = 2.0f * (float)M_PI / f;
	if (wave > original / low)
		return f / factor;
	if (wave < original / high)
		return f;
	float smooth = (original / wave - low) / (high - low);
	return (1 - smooth) * f / factor + smooth * f;
}

bool model_rope_is_long(const struct model_config *c, int64_t length)
{
	return c->scaling == ROPE_LONGROPE && c->rope_short != c->rope_long && length > c->rope_original_context;
}

void model_rope(const struct model_config *c, int64_t length, float *inv_freq, float *magnitude)
{
	const float *factors = model_rope_is_long(c, length) ? c->rope_long : c->rope_short;
	for (int32_t i = 0; i < c->rope_dims / 2; i++) {
		float power = powf((float)c->rope_theta, (float)(2 * i) / (float)c->rope_dims);
		switch (c->scaling) {
		case ROPE_NONE: inv_freq[i] = 1.0f / power; break;
		case ROPE_LINEAR: inv_freq[i] = 1.0f / power / (float)c->rope_factor; break;
		case ROPE_LLAMA3: inv_freq[i] = llama3(c, 1.0f / power); break;
		case ROPE_LONGROPE: inv_freq[i] = 1.0f / (factors[i] * power); break;
		}
	}
	*magnitude = (float)c->rope_attention_factor;
}
