/* traits.c: see traits.h. Each trait is a table of name prefixes, then a table of architectures. The longest prefix wins, so that a
 * family's newer member can differ from the family; "" says that a member has none. (Upstream takes its reasoning prefixes in random
 * order: where two of them match, its answer changes from start to start.) */
#include "catalog/traits.h"

#include <stddef.h>
#include <string.h>

struct rule { const char *match, *value; };
#define RULES(table) table, sizeof table / sizeof table[0]

/* To add a rule: a row. Values are names of vLLM's parsers. */
static const struct rule TOOL_PREFIXES[] = {
	{"deepseek-r1", "deepseek_v3"},
	{"deepseek-v3", "deepseek_v3"},
	{"deepseek-v3.1", "deepseek_v31"},
	{"deepseek-v3.2", "deepseek_v32"},
	{"deepseek-v4", "deepseek_v4"},
	{"functiongemma", "functiongemma"},
	{"gemma-3", "functiongemma"},
	{"gemma-4", "gemma4"},
	{"glm-4.5", "glm45"},
	{"glm-4.6", "glm45"},
	{"glm-4.7", "glm47"},
	{"glm-5", "glm47"},
	{"gpt-oss", "openai"},
	{"granite-20b-functioncalling", "granite-20b-fc"},
	{"granite-3", "granite"},
	{"granite-4", "granite4"},
	{"hermes-2", "hermes"},
	{"hermes-3", "hermes"},
	{"internlm2", "internlm"},
	{"kimi-k2", "kimi_k2"},
	{"llama-3", "llama3_json"},
	{"llama-4", "llama4_pythonic"},
	{"magistral", "mistral"},
	{"meta-llama-3", "llama3_json"},
	{"minimax-m1", "minimax"},
	{"minimax-m2", "minimax_m2"},
	{"mistral-", "mistral"},
	{"nemotron-cascade-2", "qwen3_coder"},
	{"nvidia-nemotron", "qwen3_coder"},
	{"olmo-3", "olmo3"},
	{"qwen2-", "hermes"},
	{"qwen2.5-", "hermes"},
	{"qwen3-", "hermes"},
	{"qwen3-coder", "qwen3_coder"},
	{"qwen3.", "qwen3_coder"},
	{"qwq-", "hermes"},
	{"seed-oss", "seed_oss"},
	{"xlam-", "xlam"},
};
static const struct rule TOOL_ARCHITECTURES[] = {
	{"DeepseekV32ForCausalLM", "deepseek_v32"},
	{"DeepseekV3ForCausalLM", "deepseek_v3"},
	{"DeepseekV4ForCausalLM", "deepseek_v4"},
	{"Ernie4_5_MoeForCausalLM", "ernie45"},
	{"Gemma3ForCausalLM", "functiongemma"},
	{"Gemma3ForConditionalGeneration", "functiongemma"},
	{"Gemma4ForConditionalGeneration", "gemma4"},
	{"Gemma4UnifiedForConditionalGeneration", "gemma4"},
	{"Glm4MoeForCausalLM", "glm45"},
	{"GlmMoeDsaForCausalLM", "glm47"},
	{"GptOssForCausalLM", "openai"},
	{"GraniteMoeHybridForCausalLM", "granite4"},
	{"HunYuanMoEV1ForCausalLM", "hunyuan_a13b"},
	{"InternLM2ForCausalLM", "internlm"},
	{"JambaForCausalLM", "jamba"},
	{"KimiK25ForConditionalGeneration", "kimi_k2"},
	{"Llama4ForConditionalGeneration", "llama4_pythonic"},
	{"MiniMaxM1ForCausalLM", "minimax"},
	{"MiniMaxM2ForCausalLM", "minimax_m2"},
	{"MistralForCausalLM", "mistral"},
	{"MistralLarge3ForCausalLM", "mistral"},
	{"NemotronHForCausalLM", "qwen3_coder"},
	{"NemotronH_Nano_VL_V2", "qwen3_coder"},
	{"Olmo3ForCausalLM", "olmo3"},
	{"Qwen3ForCausalLM", "hermes"},
	{"Qwen3MoeForCausalLM", "hermes"},
	{"Qwen3NextForCausalLM", "hermes"},
	{"Qwen3_5ForConditionalGeneration", "qwen3_coder"},
	{"Qwen3_5MoeForConditionalGeneration", "qwen3_coder"},
	{"SeedOssForCausalLM", "seed_oss"},
	{"Step3VLForConditionalGeneration", "step3"},
};
static const struct rule REASONING_PREFIXES[] = {
	{"deepseek-r1", "deepseek_r1"},
	{"deepseek-v3", "deepseek_v3"},
	{"deepseek-v4", "deepseek_v4"},
	{"gemma-4", "gemma4"},
	{"glm-4.", "glm45"},
	{"glm-5", "glm45"},
	{"gpt-oss", "openai_gptoss"},
	{"granite-", "granite"},
	{"kimi-k2", "kimi_k2"},
	{"magistral", "mistral"},
	{"minimax-m2", "minimax_m2_append_think"},
	{"mistral-medium-3.5", "mistral"},
	{"mistral-small-4", "mistral"},
	{"nemotron-cascade-2", "nemotron_v3"},
	{"nvidia-nemotron", "nemotron_v3"},
	{"olmo-3", "olmo3"},
	{"qwen3-", "qwen3"},
	{"qwen3-coder", ""},
	{"qwen3.", "qwen3"},
	{"qwq-", "deepseek_r1"},
	{"seed-oss", "seed_oss"},
};
static const struct rule REASONING_ARCHITECTURES[] = {
	{"DeepseekV32ForCausalLM", "deepseek_v3"},
	{"DeepseekV4ForCausalLM", "deepseek_v4"},
	{"Ernie4_5_MoeForCausalLM", "ernie45"},
	{"Gemma4ForConditionalGeneration", "gemma4"},
	{"Gemma4UnifiedForConditionalGeneration", "gemma4"},
	{"Glm4MoeForCausalLM", "glm45"},
	{"GlmMoeDsaForCausalLM", "glm45"},
	{"GptOssForCausalLM", "openai_gptoss"},
	{"HunYuanMoEV1ForCausalLM", "hunyuan_a13b"},
	{"KimiK25ForConditionalGeneration", "kimi_k2"},
	{"MiniMaxM2ForCausalLM", "minimax_m2_append_think"},
	{"NemotronHForCausalLM", "nemotron_v3"},
	{"NemotronH_Nano_VL_V2", "nemotron_v3"},
	{"Olmo3ForCausalLM", "olmo3"},
	{"Qwen3ForCausalLM", "qwen3"},
	{"Qwen3MoeForCausalLM", "qwen3"},
	{"Qwen3_5ForConditionalGeneration", "qwen3"},
	{"Qwen3_5MoeForConditionalGeneration", "qwen3"},
	{"SeedOssForCausalLM", "seed_oss"},
	{"Step3VLForConditionalGeneration", "step3"},
};
/* Files below /workspace/chat_templates in the base image. */
static const struct rule TEMPLATE_PREFIXES[] = {
	{"deepseek-r1", "tool-chat-deepseekr1.jinja"},
	{"deepseek-v3", "tool-chat-deepseekv3.jinja"},
	{"gemma-4", "tool-chat-gemma4.jinja"},
	{"llama-3", "tool-chat-llama3.1-json.jinja"},
	{"phi-4-mini", "tool-chat-phi4-mini.jinja"},
	{"qwen2.5-", "tool-chat-hermes.jinja"},
};
static const struct rule TOKENIZER_PREFIXES[] = {
	{"deepseek-r1", "deepseek_v32"},
	{"deepseek-v3", "deepseek_v32"},
	{"deepseek-v4", "deepseek_v4"},
};
static const struct rule EXTRA_PREFIXES[] = {
	{"deepseek-v3.2", "flashinfer_autotune=False"},
	{"deepseek-v4", "kv-cache-dtype=fp8"},
	{"glm-5", "kv-cache-dtype=fp8"},
	{"minimax-m2", "enable-expert-parallel"},
	{"qwen3.5", "gdn-prefill-backend=triton"},
	{"qwen3.6", "gdn-prefill-backend=triton"},
	{"qwen3.8", "gdn-prefill-backend=triton"},
};

static const char *by_prefix(const struct rule *rules, size_t n, const char *name)
{
	const char *value = NULL;
	size_t longest = 0;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(rules[i].match);
		if (len > longest && strncmp(name, rules[i].match, len) == 0) {
			value = rules[i].value;
			longest = len;
		}
	}
	return value;
}

static const char *by_architecture(const struct rule *rules, size_t n, const char *architecture)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rules[i].match, architecture) == 0)
			return rules[i].value;
	return "";
}

static const char *or_none(const char *value) { return value ? value : ""; }

struct traits traits_of(const char *short_name, const char *architecture, bool mistral_format)
{
	const char *tool = by_prefix(RULES(TOOL_PREFIXES), short_name);
	const char *reasoning = by_prefix(RULES(REASONING_PREFIXES), short_name);
	const char *tokenizer = by_prefix(RULES(TOKENIZER_PREFIXES), short_name);
	return (struct traits){
		.tool_parser = tool ? tool : by_architecture(RULES(TOOL_ARCHITECTURES), architecture),
		.reasoning_parser = reasoning ? reasoning : by_architecture(RULES(REASONING_ARCHITECTURES), architecture),
		.chat_template = or_none(by_prefix(RULES(TEMPLATE_PREFIXES), short_name)),
		.tokenizer_mode = mistral_format ? "mistral" : tokenizer ? tokenizer : "auto",
		.extra_args = or_none(by_prefix(RULES(EXTRA_PREFIXES), short_name)),
	};
}
