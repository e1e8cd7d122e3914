/* chat_request.c: see chat_request.h. */
#include "contract/chat_request.h"

#include "codec/json.h"
#include <string.h>

#define AT(member) offsetof(struct chat_request, member)
static const struct body_field ROWS[] = {
	{"apply_chat_template", BODY_ANY, AT(template_choice), false, 0, 0, NULL, "true: the prompt is a user message; false: a text to complete; absent: complete, and answer as a message when that gives no text"},
	{"clean_up_tokenization_spaces", BODY_BOOL, AT(clean_up_spaces), false, 0, 0, "false", "remove spaces before punctuation and contractions"},
	{"generate_kwargs", BODY_OBJECT, AT(kwargs), false, 0, 0, NULL, "generation parameters, see the next table"},
	{"handle_long_generation", BODY_STRING, AT(long_generation), false, 0, 0, NULL, "\"hole\": drop the beginning of a prompt that does not fit"},
	{"messages", BODY_ANY, AT(messages), false, 0, 0, NULL, "conversation; the answer is the assistant's reply"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter; absent: the first adapter, else the base model"},
	{"prefix", BODY_STRING, AT(prefix), false, 0, 0, NULL, "text put before the prompt"},
	{"prompt", BODY_STRING, AT(prompt), false, 0, 0, NULL, "text to go on with"},
	{"return_full_text", BODY_BOOL, AT(return_full_text), false, 0, 0, "true", "put the prompt before the answer"},
	{"timeout", BODY_FLOAT, AT(timeout), false, 0, 1e6, NULL, "seconds after which the request ends with 504"},
};
const struct body_table CHAT_REQUEST_BODY = BODY_TABLE("chat", ROWS);
#undef AT
#define AT(member) offsetof(struct chat_request_kwargs, member)
static const struct body_field KWARGS_ROWS[] = {
	{"do_sample", BODY_BOOL, AT(do_sample), false, 0, 0, "true", "false is greedy"},
	{"early_stopping", BODY_UNUSED, 0, false, 0, 0, "false", "concerns beams only; accepted"},
	{"eos_token_id", BODY_ANY, AT(eos_token_id), false, 0, 0, NULL, "token id or list that ends the generation instead of the model's"},
	{"max_length", BODY_INT, AT(max_length), false, 1, 1e9, "200", "ceiling of prompt and new tokens together"},
	{"max_new_tokens", BODY_INT, AT(max_new_tokens), false, 1, 1e9, NULL, "ceiling of new tokens; wins over max_length"},
	{"min_length", BODY_INT, AT(min_length), false, 0, 1e9, "0", "floor of prompt and new tokens together"},
	{"min_new_tokens", BODY_INT, AT(min_new_tokens), false, 0, 1e9, NULL, "floor of new tokens; wins over min_length"},
	{"min_p", BODY_FLOAT, AT(min_p), false, 0, 1, "0.0", "drop tokens less likely than this share of the likeliest"},
	{"num_beams", BODY_INT, AT(num_beams), false, 0, 0, "1", "only 1: beam search is not supported"},
	{"num_return_sequences", BODY_INT, AT(num_return_sequences), false, 0, 0, "1", "only 1"},
	{"pad_token_id", BODY_INT, AT(pad_token_id), false, 0, 1e9, NULL, "accepted: single prompts need no padding"},
	{"repetition_penalty", BODY_FLOAT, AT(repetition_penalty), false, 1e-4, 100, "1.0", "divides logits of tokens in prompt and output"},
	{"seed", BODY_INT, AT(seed), false, 0, 0, NULL, "same seed, same text"},
	{"stop_strings", BODY_ANY, AT(stop_strings), false, 0, 0, NULL, "text or list of texts that end the generation"},
	{"temperature", BODY_FLOAT, AT(temperature), false, 0, 100, "1.0", "0 is greedy"},
	{"top_k", BODY_INT, AT(top_k), false, 0, 1e9, "10", "keep the k likeliest tokens; 0: all"},
	{"top_p", BODY_FLOAT, AT(top_p), false, 0, 1, "1.0", "keep the likeliest tokens up to this total probability"},
	{"typical_p", BODY_FLOAT, AT(typical_p), false, 0, 1, "1.0", "keep the most typical tokens up to this total probability"},
};
const struct body_table CHAT_REQUEST_KWARGS_BODY = BODY_TABLE("chat: generate_kwargs", KWARGS_ROWS);

int chat_request_decode(const json_t *json, struct chat_request *out, struct err *err)
{
	*out = (struct chat_request){.return_full_text = true,
		.k = {.max_length = 200, .max_new_tokens = CHAT_REQUEST_ABSENT, .min_new_tokens = CHAT_REQUEST_ABSENT, .num_beams = 1, .num_return_sequences = 1,
		      .top_k = 10, .seed = CHAT_REQUEST_ABSENT, .do_sample = true, .temperature = 1, .top_p = 1, .typical_p = 1, .repetition_penalty = 1}};
	if (body_decode(&CHAT_REQUEST_BODY, json, "", out, err) < 0 || (out->kwargs && body_decode(&CHAT_REQUEST_KWARGS_BODY, out->kwargs, "generate_kwargs.", &out->k, err) < 0))
		return -1;
	if (out->template_choice && !json_is_boolean(out->template_choice))
		return err_set(err, ERR_INVALID, "'apply_chat_template': must be true or false, not %s", json_type_name(out->template_choice));
	out->as_message = out->template_choice ? json_is_true(out->template_choice) : -1;
	if (!out->prompt && out->messages && json_array_size(out->messages) == 0)
		return err_set(err, ERR_INVALID, "Conversational parameter messages required");
	if (!out->messages && (!out->prompt || !out->prompt[0]))
		return err_set(err, ERR_INVALID, "Text generation parameter prompt required");
	if (out->k.num_beams != 1 || out->k.num_return_sequences != 1)
		return err_set(err, ERR_INVALID, "'generate_kwargs.%s': only 1 is supported", out->k.num_beams != 1 ? "num_beams" : "num_return_sequences");
	if (out->long_generation && strcmp(out->long_generation, "hole") != 0)
		return err_set(err, ERR_INVALID, "'handle_long_generation': must be null or \"hole\", not '%.40s'", out->long_generation);
	return 0;
}

int64_t chat_request_max_tokens(const struct chat_request *r, int64_t prompt_tokens)
{
	int64_t n = r->k.max_new_tokens != CHAT_REQUEST_ABSENT ? r->k.max_new_tokens : r->k.max_length - prompt_tokens;
	return n < 1 ? 1 : n;
}

int64_t chat_request_min_tokens(const struct chat_request *r, int64_t prompt_tokens)
{
	int64_t n = r->k.min_new_tokens != CHAT_REQUEST_ABSENT ? r->k.min_new_tokens : r->k.min_length - prompt_tokens;
	return n < 0 ? 0 : n;
}

str chat_request_clean_up(struct arena *arena, str text)
{
	static const char *const PAIRS[][2] = {{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"},
					       {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
	char *out = arena_strndup(arena, text.data, text.len);
	size_t len = text.len;
	for (size_t p = 0; p < sizeof PAIRS / sizeof PAIRS[0]; p++) {
		str from = str_of(PAIRS[p][0]), to = str_of(PAIRS[p][1]);
		size_t w = 0;
		for (size_t r = 0; r < len;) {
			bool hit = len - r >= from.len && memcmp(out + r, from.data, from.len) == 0;
			if (hit)
				memcpy(out + w, to.data, to.len);
			else
				out[w] = out[r];
			w += hit ? to.len : 1;
			r += hit ? from.len : 1;
		}
		len = w;
	}
	return (str){out, len};
}
