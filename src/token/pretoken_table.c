/* pretoken_table.c: what the names in tokenizer.ggml.pre mean. The patterns are those of the models' own tokenizer.json.
 * To add a model: a row in PRESETS with its patterns in order, whether a piece that is a token is taken whole
 * (ignore_merges), whether BOS is added when the file does not say, and whether the model's own tokenizer brings text to NFC first. */
#include "token/pretoken.h"

const char PRETOKEN_GPT2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define BEFORE_WORD "[^\\r\\n\\p{L}\\p{N}]?"

static const char *const GPT2[] = {PRETOKEN_GPT2, NULL};
static const char *const DIGITS_GPT2[] = {"\\p{N}", PRETOKEN_GPT2, NULL};
static const char *const DEFAULT[] = {"[\\p{P}\\$\\+<=>\\^~\\|]+", PRETOKEN_GPT2, "\\p{N}+", "[0-9][0-9][0-9]", NULL};
static const char *const FALCON[] = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", PRETOKEN_GPT2, "[0-9][0-9][0-9]", NULL};
static const char *const LLAMA3[] = {
	CONTRACTIONS "|" BEFORE_WORD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, NULL};
static const char *const QWEN2[] = {
	CONTRACTIONS "|" BEFORE_WORD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, NULL};
static const char *const QWEN35[] = {
	CONTRACTIONS "|" BEFORE_WORD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES, NULL};
static const char *const GPT4O[] = {
	BEFORE_WORD UPPER "*" LOWER "+" CONTRACTIONS "?|" BEFORE_WORD UPPER "+" LOWER "*" CONTRACTIONS
	"?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES, NULL};
static const char *const TEKKEN[] = {
	BEFORE_WORD UPPER "*" LOWER "+|" BEFORE_WORD UPPER "+" LOWER "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES, NULL};
static const char *const DEEPSEEK_CODER[] = {
	"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+", "\\p{N}", NULL};
static const char *const DEEPSEEK3[] = {
	"\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+",
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES, NULL};

/* Sorted by name. */
static const struct pretoken_preset PRESETS[] = {
	{"chatglm-bpe", LLAMA3, false, false, false},
	{"codeshell", DIGITS_GPT2, false, false, false},
	{"command-r", DIGITS_GPT2, false, false, false},
	{"dbrx", LLAMA3, false, false, false},
	{"deepseek-coder", DEEPSEEK_CODER, false, false, false},
	{"deepseek-r1-qwen", QWEN2, false, false, false},
	{"deepseek-v3", DEEPSEEK3, false, false, false},
	{"default", DEFAULT, false, false, false},
	{"exaone", DIGITS_GPT2, false, false, false},
	{"falcon", FALCON, false, false, false},
	{"falcon3", LLAMA3, true, true, false},
	{"glm4", LLAMA3, false, false, false},
	{"gpt-2", GPT2, false, false, false},
	{"gpt-4o", GPT4O, false, false, false},
	{"jais", GPT2, false, false, false},
	{"jina-v2-code", GPT2, false, false, false},
	{"jina-v2-de", GPT2, false, false, false},
	{"jina-v2-es", GPT2, false, false, false},
	{"llama-bpe", LLAMA3, true, true, false},
	{"llama-v3", LLAMA3, true, true, false},
	{"llama3", LLAMA3, true, true, false},
	{"llama4", GPT4O, false, false, false},
	{"megrez", QWEN2, false, false, false},
	{"minerva-7b", DIGITS_GPT2, false, false, false},
	{"mistral", TEKKEN, true, true, false},
	{"mpt", GPT2, false, false, false},
	{"olmo", GPT2, false, false, true},
	{"phi-2", GPT2, false, false, false},
	{"pixtral", LLAMA3, true, true, false},
	{"qwen2", QWEN2, false, false, true},
	{"qwen35", QWEN35, false, false, true},
	{"refact", DIGITS_GPT2, false, false, false},
	{"roberta-bpe", GPT2, false, false, false},
	{"smaug-bpe", LLAMA3, false, false, false},
	{"smollm", DIGITS_GPT2, false, false, false},
	{"stablelm2", QWEN2, false, false, false},
	{"starcoder", DIGITS_GPT2, false, false, false},
	{"tekken", TEKKEN, true, true, false},
	{"trillion", GPT2, false, false, false},
};

const struct pretoken_preset *pretoken_preset(str name)
{
	if (name.len == 0)
		name = STR("default");
	for (size_t i = 0; i < sizeof PRESETS / sizeof *PRESETS; i++)
		if (str_eqz(name, PRESETS[i].name))
			return &PRESETS[i];
	return NULL;
}
