/* test_endpoints.c: every route's answer to good and bad requests, over a fake engine that answers with the prompt in
 * capitals. */
#include "serve/harness.h"

#include <check.h>
#include <stdlib.h>

static struct harness h;
static const struct serve_options WITH_TEMPLATE = {.chat_template = (const struct chat_template *)&h};
static void start(void) { harness_start(&h, &WITH_TEMPLATE, NULL); }
static void stop(void) { harness_stop(&h); }

static struct answer post(const char *path, const char *body) { return harness_ask(&h, "POST", path, body); }

/* --- chat completions ---------------------------------------------------------------------------------------------------- */

START_TEST(chat_completion_answers_in_openai_shape)
{
	struct answer a = post("/v1/chat/completions", "{\"model\":\"fake\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	ck_assert_int_eq(a.status, 200);
	CHECK_TEXT(a.json, "object", "chat.completion");
	CHECK_TEXT(a.json, "model", "fake");
	CHECK_TEXT(a.json, "choices.0.message.role", "assistant");
	CHECK_TEXT(a.json, "choices.0.message.content", "USER: HI\nASSISTANT: ");
	CHECK_TEXT(a.json, "choices.0.finish_reason", "stop");
	CHECK_INT(a.json, "usage.prompt_tokens", 20);
	CHECK_INT(a.json, "usage.completion_tokens", 20);
	CHECK_INT(a.json, "usage.total_tokens", 40);
	ck_assert(strncmp(text_at(a.json, "id"), "chatcmpl-", 9) == 0);
	harness_answer_done(&a);
}
END_TEST

START_TEST(chat_completion_joins_parts_passes_tools_and_maps_developer)
{
	struct answer a = post("/v1/chat/completions",
		"{\"messages\":[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}],"
		"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"auto\"}");
	CHECK_TEXT(a.json, "choices.0.message.content", "TOOLS: 1\nSYSTEM: D\nUSER: A\nB\nASSISTANT: ");
	harness_answer_done(&a);
	a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{}],\"tool_choice\":\"none\"}");
	CHECK_TEXT(a.json, "choices.0.message.content", "USER: X\nASSISTANT: ");
	harness_answer_done(&a);
	a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"so far\"}],"
		"\"add_generation_prompt\":false,\"continue_final_message\":true}");
	CHECK_TEXT(a.json, "choices.0.message.content", "USER: X\nASSISTANT: SO FAR");
	harness_answer_done(&a);
}
END_TEST

START_TEST(chat_completion_gives_n_choices_stop_and_length)
{
	struct answer a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"n\":3,\"max_completion_tokens\":4}");
	ck_assert_uint_eq(json_array_size(json_at(a.json, "choices")), 3);
	CHECK_TEXT(a.json, "choices.2.message.content", "USER");
	CHECK_TEXT(a.json, "choices.2.finish_reason", "length");
	CHECK_INT(a.json, "choices.2.index", 2);
	CHECK_INT(a.json, "usage.prompt_tokens", 20);
	CHECK_INT(a.json, "usage.completion_tokens", 12);
	harness_answer_done(&a);
	a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stop\":[\"ZZ\",\"HI\"]}");
	CHECK_TEXT(a.json, "choices.0.message.content", "USER: ");
	CHECK_TEXT(a.json, "choices.0.finish_reason", "stop");
	harness_answer_done(&a);
}
END_TEST

START_TEST(chat_completion_gives_logprobs_with_bytes)
{
	struct answer a = post("/v1/chat/completions",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"logprobs\":true,\"top_logprobs\":2,\"max_tokens\":2}");
	CHECK_TEXT(a.json, "choices.0.logprobs.content.1.token", "S");
	CHECK_INT(a.json, "choices.0.logprobs.content.1.bytes.0", 'S');
	ck_assert_double_eq(json_number_value(json_at(a.json, "choices.0.logprobs.content.1.logprob")), -0.5);
	ck_assert_uint_eq(json_array_size(json_at(a.json, "choices.0.logprobs.content.1.top_logprobs")), 2);
	CHECK_TEXT(a.json, "choices.0.logprobs.content.1.top_logprobs.1.token", "T");
	harness_answer_done(&a);
	a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"[utf8]\"}],\"logprobs\":true}");
	CHECK_TEXT(a.json, "choices.0.message.content", "é");
	CHECK_TEXT(a.json, "choices.0.logprobs.content.0.token", "\xEF\xBF\xBD");
	CHECK_INT(a.json, "choices.0.logprobs.content.0.bytes.0", 0xC3);
	harness_answer_done(&a);
}
END_TEST

struct refusal { const char *path, *body; int status; const char *param, *words; };

START_TEST(bad_requests_name_the_parameter)
{
#define MSG "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
	static const struct refusal CASES[] = {
		{"/v1/chat/completions", "{", 400, "", "request body"},
		{"/v1/chat/completions", "[]", 400, "", "must be a JSON object"},
		{"/v1/chat/completions", "", 400, "", "no body"},
		{"/v1/chat/completions", "{}", 400, "messages", "required"},
		{"/v1/chat/completions", "{\"messages\":[]}", 400, "messages", "at least one"},
		{"/v1/chat/completions", "{\"messages\":[{\"role\":\"user\"}]}", 400, "messages", "no content"},
		{"/v1/chat/completions", "{\"messages\":[{\"content\":\"x\"}]}", 400, "messages", "role"},
		{"/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", 400, "messages", "image_url"},
		{"/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"[raise]\"}]}", 400, "", "template refuses"},
		{"/v1/chat/completions", "{" MSG ",\"temperature\":-1}", 400, "temperature", "between 0 and 100"},
		{"/v1/chat/completions", "{" MSG ",\"temperature\":\"1\"}", 400, "temperature", "must be a number"},
		{"/v1/chat/completions", "{" MSG ",\"n\":0}", 400, "n", "between 1 and 128"},
		{"/v1/chat/completions", "{" MSG ",\"n\":129}", 400, "n", "between 1 and 128"},
		{"/v1/chat/completions", "{" MSG ",\"n\":1.5}", 400, "n", "integer"},
		{"/v1/chat/completions", "{" MSG ",\"max_tokens\":0}", 400, "max_tokens", "at least 1"},
		{"/v1/chat/completions", "{" MSG ",\"max_tokens\":990}", 400, "max_tokens", "at most 981"},
		{"/v1/chat/completions", "{" MSG ",\"top_logprobs\":1}", 400, "top_logprobs", "logprobs"},
		{"/v1/chat/completions", "{" MSG ",\"logprobs\":true,\"top_logprobs\":21}", 400, "top_logprobs", "between 0 and 20"},
		{"/v1/chat/completions", "{" MSG ",\"stop\":[1]}", 400, "stop", "string"},
		{"/v1/chat/completions", "{" MSG ",\"logit_bias\":{\"900\":1}}", 400, "logit_bias", "900"},
		{"/v1/chat/completions", "{" MSG ",\"logit_bias\":{\"9\":101}}", 400, "logit_bias", "-100 to 100"},
		{"/v1/chat/completions", "{" MSG ",\"stop_token_ids\":[258]}", 400, "stop_token_ids", "below 258"},
		{"/v1/chat/completions", "{" MSG ",\"response_format\":{\"type\":\"json_object\"}}", 400, "response_format", "only"},
		{"/v1/chat/completions", "{" MSG ",\"tool_choice\":\"required\"}", 400, "tool_choice", "cannot be forced"},
		{"/v1/chat/completions", "{" MSG ",\"stream_options\":{}}", 400, "stream_options", "stream"},
		{"/v1/chat/completions", "{" MSG ",\"min_tokens\":9,\"max_tokens\":3}", 400, "min_tokens", "ceiling of 3"},
		{"/v1/chat/completions", "{" MSG ",\"continue_final_message\":true}", 400, "continue_final_message", "together"},
		{"/v1/chat/completions", "{" MSG ",\"model\":\"nope\"}", 404, "model", "The model `nope` does not exist."},
		{"/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"[fail]\"}]}", 500, "", "fails as asked"},
		{"/v1/chat/completions", "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\"}}]}]}", 400, "messages", "arguments"},
		{"/v1/completions", "{\"prompt\":[[]]}", 400, "prompt", "empty"},
		{"/v1/completions", "{\"prompt\":[]}", 400, "prompt", "empty"},
		{"/v1/completions", "{\"prompt\":{}}", 400, "prompt", "must be a text"},
		{"/v1/completions", "{\"prompt\":[1,\"a\"]}", 400, "prompt", "item 1"},
		{"/v1/completions", "{\"prompt\":[258]}", 400, "prompt", "vocabulary of 258"},
		{"/v1/completions", "{\"prompt\":\"a\",\"best_of\":2}", 400, "best_of", "equal n"},
		{"/v1/completions", "{\"prompt\":\"a\",\"suffix\":\"b\"}", 400, "suffix", "not supported"},
		{"/v1/completions", "{\"prompt\":\"a\",\"model\":7}", 400, "model", "must be a string"},
		{"/v1/embeddings", "{\"input\":\"\",\"model\":\"fake\",\"encoding_format\":\"int8\"}", 400, "encoding_format", "float or base64"},
		{"/v1/embeddings", "{\"input\":\"a\",\"dimensions\":3}", 400, "dimensions", "has 4"},
		{"/v1/responses", "{\"input\":\"a\",\"previous_response_id\":\"r\"}", 400, "previous_response_id", "not stored"},
		{"/v1/responses", "{\"input\":7}", 400, "input", "text or a list"},
		{"/v1/responses", "{\"input\":[{\"type\":\"function_call_output\"}]}", 400, "input", "function_call_output"},
		{"/v1/responses", "{\"input\":\"a\",\"n\":2}", 400, "n", "only 1"},
		{"/tokenize", "{}", 400, "prompt", "required"},
		{"/detokenize", "{\"tokens\":[-1]}", 400, "tokens", "-1"},
		{"/v1/load_lora_adapter", "{\"lora_name\":\"fake\",\"lora_path\":\"/x\"}", 409, "lora_name", "base model"},
		{"/v1/load_lora_adapter", "{\"lora_name\":\"x\",\"lora_path\":\"/missing\"}", 404, "", "adapter_config.json"},
		{"/v1/unload_lora_adapter", "{\"lora_name\":\"x\"}", 404, "", "no adapter"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct answer a = post(CASES[i].path, CASES[i].body);
		ck_assert_msg(a.status == CASES[i].status, "%s %s: %d %s", CASES[i].path, CASES[i].body, a.status, a.text);
		ck_assert_msg(strcmp(text_at(a.json, "error.param"), CASES[i].param) == 0, "%s: %s", CASES[i].body, a.text);
		ck_assert_msg(strstr(text_at(a.json, "error.message"), CASES[i].words) != NULL, "%s: %s", CASES[i].body, a.text);
		ck_assert_int_eq(json_integer_value(json_at(a.json, "error.code")), CASES[i].status);
		ck_assert_str_ne(text_at(a.json, "error.type"), "");
		harness_answer_done(&a);
	}
}
END_TEST

START_TEST(a_prompt_past_the_context_is_refused)
{
	struct buf body = {0};
	buf_printf(&body, "{\"prompt\":\"%0*d\"}", 998, 1);
	struct answer a = post("/v1/completions", body.data);
	ck_assert_int_eq(a.status, 200); /* 999 tokens with the begin token: one fits */
	CHECK_INT(a.json, "usage.completion_tokens", 1);
	harness_answer_done(&a);
	buf_clear(&body);
	buf_printf(&body, "{\"prompt\":\"%0*d\"}", 999, 1);
	a = post("/v1/completions", body.data);
	ck_assert_int_eq(a.status, 400);
	ck_assert_ptr_nonnull(strstr(a.text, "context is 1000 tokens"));
	harness_answer_done(&a);
	buf_done(&body);
}
END_TEST

START_TEST(bodies_that_are_deep_or_not_utf8_are_refused)
{
	struct buf body = {0};
	for (int i = 0; i < 10000; i++)
		buf_puts(&body, "{\"a\":");
	struct answer a = post("/v1/chat/completions", body.data);
	ck_assert_int_eq(a.status, 400);
	harness_answer_done(&a);
	a = post("/v1/completions", "{\"prompt\":\"\xff\xfe\"}");
	ck_assert_int_eq(a.status, 400);
	ck_assert_ptr_nonnull(a.json);
	harness_answer_done(&a);
	a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"model\":\"\\ud800\"}");
	ck_assert_int_eq(a.status, 400);
	harness_answer_done(&a);
	buf_done(&body);
}
END_TEST

/* --- completions --------------------------------------------------------------------------------------------------------- */

START_TEST(completion_takes_texts_and_ids_and_numbers_the_choices)
{
	struct answer a = post("/v1/completions", "{\"prompt\":[\"ab\",\"cd\"],\"n\":2}");
	ck_assert_uint_eq(json_array_size(json_at(a.json, "choices")), 4);
	CHECK_TEXT(a.json, "object", "text_completion");
	CHECK_TEXT(a.json, "choices.1.text", "AB");
	CHECK_TEXT(a.json, "choices.2.text", "CD");
	CHECK_INT(a.json, "choices.3.index", 3);
	CHECK_INT(a.json, "usage.prompt_tokens", 6);
	CHECK_INT(a.json, "usage.completion_tokens", 8);
	harness_answer_done(&a);
	a = post("/v1/completions", "{\"prompt\":[104,105]}");
	CHECK_TEXT(a.json, "choices.0.text", "HI");
	harness_answer_done(&a);
	a = post("/v1/completions", "{\"prompt\":[[104],[105]]}");
	CHECK_TEXT(a.json, "choices.1.text", "I");
	harness_answer_done(&a);
}
END_TEST

START_TEST(completion_echoes_with_the_prompts_logprobs)
{
	struct answer a = post("/v1/completions", "{\"prompt\":\"ab\",\"echo\":true,\"logprobs\":1,\"max_tokens\":1}");
	CHECK_TEXT(a.json, "choices.0.text", "abA");
	CHECK_TEXT(a.json, "choices.0.logprobs.tokens.0", "<bos>");
	ck_assert(json_is_null(json_at(a.json, "choices.0.logprobs.token_logprobs.0")));
	ck_assert_double_eq(json_number_value(json_at(a.json, "choices.0.logprobs.token_logprobs.2")), -0.5);
	ck_assert_uint_eq(json_array_size(json_at(a.json, "choices.0.logprobs.tokens")), 4);
	ck_assert_double_eq(json_number_value(json_at(a.json, "choices.0.logprobs.top_logprobs.3.A")), -0.5);
	harness_answer_done(&a);
	a = post("/v1/completions", "{\"prompt\":\"ab\",\"echo\":true,\"logprobs\":0,\"max_tokens\":0}");
	CHECK_TEXT(a.json, "choices.0.text", "ab");
	ck_assert_uint_eq(json_array_size(json_at(a.json, "choices.0.logprobs.tokens")), 3);
	harness_answer_done(&a);
}
END_TEST

START_TEST(sampling_parameters_reach_the_engine)
{
	struct answer a = post("/v1/completions",
		"{\"prompt\":\"ab\",\"temperature\":0.5,\"top_k\":-1,\"top_p\":0.25,\"min_p\":0.125,\"typical_p\":0.75,\"repetition_penalty\":1.5,\"presence_penalty\":-1,"
		"\"frequency_penalty\":2,\"seed\":7,\"max_tokens\":9,\"min_tokens\":2,\"ignore_eos\":true,\"skip_special_tokens\":false,\"stop\":\"q\","
		"\"stop_token_ids\":[1,2],\"logit_bias\":{\"5\":-100},\"include_stop_str_in_output\":true}");
	ck_assert_int_eq(a.status, 200);
	struct sampling s = fake_last_sampling(h.engine);
	ck_assert(s.temperature == 0.5f && s.top_k == 0 && s.top_p == 0.25f && s.min_p == 0.125f && s.typical_p == 0.75f);
	ck_assert(s.repetition_penalty == 1.5f && s.presence_penalty == -1 && s.frequency_penalty == 2 && s.seed == 7);
	ck_assert(s.max_tokens == 9 && s.min_tokens == 2 && s.ignore_eos && !s.skip_special && s.include_stop);
	ck_assert(s.n_stop == 1 && s.n_stop_ids == 2 && s.n_bias == 1 && s.top_logprobs == -1);
	harness_answer_done(&a);
}
END_TEST

/* --- the others ------------------------------------------------------------------------------------------------------------ */

START_TEST(response_answers_in_openai_shape)
{
	struct answer a = post("/v1/responses", "{\"input\":\"hi\",\"instructions\":\"be\",\"metadata\":{\"k\":\"v\"}}");
	CHECK_TEXT(a.json, "object", "response");
	CHECK_TEXT(a.json, "status", "completed");
	CHECK_TEXT(a.json, "output.0.content.0.text", "SYSTEM: BE\nUSER: HI\nASSISTANT: ");
	CHECK_TEXT(a.json, "metadata.k", "v");
	CHECK_INT(a.json, "usage.input_tokens", 31);
	harness_answer_done(&a);
	a = post("/v1/responses", "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"hi\"}]}],\"max_output_tokens\":4}");
	CHECK_TEXT(a.json, "status", "incomplete");
	CHECK_TEXT(a.json, "incomplete_details.reason", "max_output_tokens");
	CHECK_TEXT(a.json, "output.0.content.0.text", "USER");
	harness_answer_done(&a);
}
END_TEST

START_TEST(embeddings_come_as_numbers_and_base64)
{
	struct answer a = post("/v1/embeddings", "{\"input\":[\"ab\",\"c\"],\"model\":\"fake\"}");
	ck_assert_uint_eq(json_array_size(json_at(a.json, "data")), 2);
	ck_assert_double_eq(json_number_value(json_at(a.json, "data.0.embedding.0")), 3);
	ck_assert_double_eq(json_number_value(json_at(a.json, "data.1.embedding.0")), 2);
	ck_assert_double_eq(json_number_value(json_at(a.json, "data.1.embedding.1")), 0.1);
	CHECK_INT(a.json, "usage.prompt_tokens", 5);
	harness_answer_done(&a);
	a = post("/v1/embeddings", "{\"input\":[97],\"encoding_format\":\"base64\"}");
	CHECK_TEXT(a.json, "data.0.embedding", "AACAP83MzD3NzMw9zczMPQ==");
	harness_answer_done(&a);
}
END_TEST

START_TEST(tokenize_and_detokenize_are_opposites)
{
	struct answer a = post("/tokenize", "{\"prompt\":\"hi\",\"return_token_strs\":true}");
	CHECK_INT(a.json, "count", 3);
	CHECK_INT(a.json, "max_model_len", 1000);
	CHECK_INT(a.json, "tokens.0", 256);
	CHECK_TEXT(a.json, "token_strs.1", "h");
	harness_answer_done(&a);
	a = post("/tokenize", "{\"prompt\":\"hi\",\"add_special_tokens\":false}");
	CHECK_INT(a.json, "count", 2);
	harness_answer_done(&a);
	a = post("/tokenize", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"add_generation_prompt\":false}");
	CHECK_INT(a.json, "count", 8);
	harness_answer_done(&a);
	a = post("/detokenize", "{\"model\":\"fake\",\"tokens\":[256,104,105,255]}");
	CHECK_TEXT(a.json, "prompt", "<bos>hi\xEF\xBF\xBD");
	harness_answer_done(&a);
}
END_TEST

START_TEST(models_and_adapters_come_and_go)
{
	struct answer a = harness_ask(&h, "GET", "/v1/models", NULL);
	ck_assert_uint_eq(json_array_size(json_at(a.json, "data")), 2);
	CHECK_TEXT(a.json, "data.0.id", "fake");
	CHECK_TEXT(a.json, "data.0.root", "/models/fake");
	CHECK_INT(a.json, "data.0.max_model_len", 1000);
	harness_answer_done(&a);
	a = post("/v1/load_lora_adapter", "{\"lora_name\":\"tuned/one\",\"lora_path\":\"/adapters/one\"}");
	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(a.text, "Success: LoRA adapter 'tuned/one' added successfully.");
	harness_answer_done(&a);
	a = post("/v1/load_lora_adapter", "{\"lora_name\":\"tuned/one\",\"lora_path\":\"/adapters/one\"}");
	ck_assert_int_eq(a.status, 409);
	harness_answer_done(&a);
	a = harness_ask(&h, "GET", "/v1/models/tuned/one", NULL);
	CHECK_TEXT(a.json, "parent", "fake");
	harness_answer_done(&a);
	a = post("/v1/completions", "{\"prompt\":\"a\",\"model\":\"tuned/one\"}");
	CHECK_TEXT(a.json, "model", "tuned/one");
	harness_answer_done(&a);
	a = post("/v1/unload_lora_adapter", "{\"lora_name\":\"tuned/one\"}");
	ck_assert_int_eq(a.status, 200);
	harness_answer_done(&a);
	a = harness_ask(&h, "GET", "/v1/models/tuned/one", NULL);
	ck_assert_int_eq(a.status, 404);
	harness_answer_done(&a);
	a = post("/v1/completions", "{\"prompt\":\"a\",\"model\":\"tuned/one\"}");
	ck_assert_int_eq(a.status, 404);
	harness_answer_done(&a);
}
END_TEST

START_TEST(small_answers_are_there)
{
	struct answer a = harness_ask(&h, "GET", "/health", NULL);
	CHECK_TEXT(a.json, "status", "Healthy");
	harness_answer_done(&a);
	a = harness_ask(&h, "GET", "/version", NULL);
	ck_assert_str_ne(text_at(a.json, "version"), "");
	harness_answer_done(&a);
	a = harness_ask_with(&h, "GET", "/", "Accept: application/json\r\n", NULL);
	CHECK_TEXT(a.json, "message", "Server is running");
	harness_answer_done(&a);
	a = harness_ask_with(&h, "GET", "/", "Accept: text/html,application/xhtml+xml\r\n", NULL);
	ck_assert_ptr_nonnull(strstr(a.head, "text/html"));
	ck_assert_ptr_nonnull(strstr(a.text, "<!doctype html>"));
	harness_answer_done(&a);
	a = harness_ask(&h, "GET", "/v1/modles", NULL);
	ck_assert_int_eq(a.status, 404);
	ck_assert_ptr_nonnull(strstr(text_at(a.json, "error.message"), "did you mean /v1/models?"));
	harness_answer_done(&a);
	a = harness_ask(&h, "GET", "/v1/completions", NULL);
	ck_assert_int_eq(a.status, 405);
	CHECK_TEXT(a.json, "error.type", "MethodNotAllowedError");
	harness_answer_done(&a);
}
END_TEST

START_TEST(metrics_count_requests_and_tokens)
{
	struct answer a = post("/v1/completions", "{\"prompt\":\"abc\",\"n\":2}");
	harness_answer_done(&a);
	a = harness_ask(&h, "GET", "/metrics", NULL);
	static const char *const LINES[] = {
		"vllm:prompt_tokens_total{engine=\"0\",model_name=\"fake\"} 8.0\n", "vllm:generation_tokens_total{engine=\"0\",model_name=\"fake\"} 6.0\n",
		"vllm:request_success_total{engine=\"0\",model_name=\"fake\",finished_reason=\"stop\"} 2.0\n", "vllm:num_requests_running{",
		"vllm:time_to_first_token_seconds_count{engine=\"0\",model_name=\"fake\"} 2\n", "vllm:inter_token_latency_seconds_count{engine=\"0\",model_name=\"fake\"} 4\n",
		"http_requests_total{engine=\"0\",model_name=\"fake\",handler=\"/v1/completions\",method=\"POST\",status=\"2xx\"} 1.0\n",
		"kaito_ratelimit_rejected_total{engine=\"0\",model_name=\"fake\"} 0.0\n", "process_resident_memory_bytes{",
	};
	for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++)
		ck_assert_msg(strstr(a.text, LINES[i]) != NULL, "no '%s' in\n%s", LINES[i], a.text);
	harness_answer_done(&a);
}
END_TEST

START_TEST(openapi_lists_every_route_and_field)
{
	struct answer a = harness_ask(&h, "GET", "/openapi.json", NULL);
	ck_assert_int_eq(a.status, 200);
	const json_t *paths = json_at(a.json, "paths");
	ck_assert_ptr_nonnull(json_object_get(json_object_get(paths, "/v1/chat/completions"), "post"));
	ck_assert_ptr_nonnull(json_object_get(paths, "/v1/models/{model}"));
	const json_t *schema = json_at(json_object_get(json_object_get(paths, "/v1/chat/completions"), "post"), "requestBody.content");
	schema = json_object_get(json_object_get(schema, "application/json"), "schema");
	CHECK_TEXT(schema, "properties.temperature.type", "number");
	CHECK_TEXT(schema, "required.0", "messages");
	harness_answer_done(&a);
}
END_TEST

START_TEST(chat_without_a_template_says_what_to_do)
{
	harness_start(&h, NULL, NULL);
	struct answer a = post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
	ck_assert_int_eq(a.status, 400);
	ck_assert_ptr_nonnull(strstr(text_at(a.json, "error.message"), "/v1/completions"));
	harness_answer_done(&a);
	harness_stop(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("endpoints");
	TCase *t = tcase_create("with template"), *bare = tcase_create("bare");
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, chat_completion_answers_in_openai_shape);
	tcase_add_test(t, chat_completion_joins_parts_passes_tools_and_maps_developer);
	tcase_add_test(t, chat_completion_gives_n_choices_stop_and_length);
	tcase_add_test(t, chat_completion_gives_logprobs_with_bytes);
	tcase_add_test(t, bad_requests_name_the_parameter);
	tcase_add_test(t, a_prompt_past_the_context_is_refused);
	tcase_add_test(t, bodies_that_are_deep_or_not_utf8_are_refused);
	tcase_add_test(t, completion_takes_texts_and_ids_and_numbers_the_choices);
	tcase_add_test(t, completion_echoes_with_the_prompts_logprobs);
	tcase_add_test(t, sampling_parameters_reach_the_engine);
	tcase_add_test(t, response_answers_in_openai_shape);
	tcase_add_test(t, embeddings_come_as_numbers_and_base64);
	tcase_add_test(t, tokenize_and_detokenize_are_opposites);
	tcase_add_test(t, models_and_adapters_come_and_go);
	tcase_add_test(t, small_answers_are_there);
	tcase_add_test(t, metrics_count_requests_and_tokens);
	tcase_add_test(t, openapi_lists_every_route_and_field);
	tcase_add_test(bare, chat_without_a_template_says_what_to_do);
	suite_add_tcase(s, t);
	suite_add_tcase(s, bare);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
