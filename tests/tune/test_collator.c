/* Rows to tokens: which tokens are trained on, end of sequence, cuts, and what is refused. The tiny model's ChatML template
 * and byte-level tokenizer are used; masks are read back as text. */
#include "tune/collator.h"

#include "base/fd.h"
#include "codec/json.h"
#include <check.h>

static struct err err;
static struct weights *weights;
static struct tokenizer *tokenizer;
static struct chat_template *chat;
static struct example example;
static struct collator collator;

static void setup(void)
{
	char *path = mem_printf("%s/tests/golden/tiny/llama-gqa", getenv("KAITO_SOURCE_ROOT"));
	err = ERR_INIT;
	ck_assert_msg(weights_open(&weights, path, &err) == 0, "%s", err.message);
	ck_assert_msg(tokenizer_open(&tokenizer, weights, &err) == 0, "%s", err.message);
	ck_assert_msg(chat_template_parse(&chat, tokenizer_chat_template(tokenizer), &err) == 0, "%s", err.message);
	collator = (struct collator){.tokenizer = tokenizer, .chat = chat, .eos = "<|im_end|>", .completion_only = -1};
	free(path);
}

static void teardown(void)
{
	example_done(&example);
	chat_template_free(chat);
	tokenizer_free(tokenizer);
	weights_close(weights);
}

static int encode(const char *messages, const char *prompt, const char *text)
{
	struct data_row row = {.shape = messages ? DATA_MESSAGES : prompt ? DATA_COMPLETION : DATA_TEXT};
	err = ERR_INIT;
	if (messages)
		ck_assert_int_eq(json_parse(&row.messages, str_of(messages), "messages", &err), 0);
	buf_puts(&row.prompt, prompt ? prompt : "");
	buf_puts(&row.text, text ? text : "");
	int rc = collator_encode(&collator, &row, &example, &err);
	data_row_done(&row);
	return rc;
}

/* The text of all tokens, and of those that are trained on. */
static void expect(const char *whole, const char *trained)
{
	struct token_vec all = {0}, counted = {0};
	struct buf text = {0};
	for (size_t i = 0; i < example.tokens.len; i++) {
		vec_push(&all, example_id(example.tokens.data[i]));
		if (example.tokens.data[i] >= 0)
			vec_push(&counted, example.tokens.data[i]);
	}
	ck_assert_int_eq(tokenizer_decode(tokenizer, all.data, all.len, false, &text, &err), 0);
	ck_assert_str_eq(text.data, whole);
	buf_clear(&text);
	ck_assert_int_eq(tokenizer_decode(tokenizer, counted.data, counted.len, false, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text).data, trained);
	vec_done(&all);
	vec_done(&counted);
	buf_done(&text);
}

#define TALK "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"user\",\"content\":\"so\"},{\"role\":\"assistant\",\"content\":\"no\"}]"
#define RENDERED "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n<|im_start|>user\nso<|im_end|>\n<|im_start|>assistant\nno<|im_end|>\n"

START_TEST(messages_train_on_everything_by_default)
{
	ck_assert_msg(encode(TALK, NULL, NULL) == 0, "%s", err.message);
	expect(RENDERED, RENDERED);
	ck_assert_int_eq(example.trained, (int)example.tokens.len - 1);
}
END_TEST

START_TEST(messages_can_train_on_the_last_answer_only)
{
	collator.completion_only = 1;
	ck_assert_msg(encode(TALK, NULL, NULL) == 0, "%s", err.message);
	expect(RENDERED, "no<|im_end|>\n");
}
END_TEST

START_TEST(assistant_turns_are_found_without_generation_marks)
{
	collator.assistant_only = true;
	ck_assert_msg(encode(TALK, NULL, NULL) == 0, "%s", err.message);
	expect(RENDERED, "yes<|im_end|>\nno<|im_end|>\n");
	ck_assert_int_eq(encode("[{\"role\":\"user\",\"content\":\"hi\"}]", NULL, NULL), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "no message has the role 'assistant'"));
}
END_TEST

START_TEST(assistant_turns_are_taken_from_generation_marks)
{
	struct chat_template *marked = NULL;
	ck_assert_int_eq(chat_template_parse(&marked, STR("{% for m in messages %}{% if m.role == 'assistant' %}A: {% generation %}{{ m.content }};{% endgeneration %}"
							  "{% else %}U: {{ m.content }};{% endif %}{% endfor %}"), &err), 0);
	collator.chat = marked;
	collator.assistant_only = true;
	ck_assert_msg(encode(TALK, NULL, NULL) == 0, "%s", err.message);
	/* Tokens count whole: " yes" begins with the blank before the mark. */
	expect("U: hi;A: yes;U: so;A: no;", " yes; no;");
	chat_template_free(marked);
}
END_TEST

START_TEST(template_that_rewrites_history_is_refused_for_assistant_only)
{
	struct chat_template *odd = NULL;
	ck_assert_int_eq(chat_template_parse(&odd, STR("{{ messages|length }}:{{ messages[-1].content }}"), &err), 0);
	collator.chat = odd;
	collator.assistant_only = true;
	ck_assert_int_eq(encode(TALK, NULL, NULL), -1);
	ck_assert_int_eq(err.kind, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err.message, "cannot be told apart"));
	chat_template_free(odd);
}
END_TEST

START_TEST(completions_end_with_eos_and_prompts_are_not_trained_on)
{
	ck_assert_msg(encode(NULL, "two and two", " is four") == 0, "%s", err.message);
	expect("two and two is four<|im_end|>", " is four<|im_end|>");
	collator.completion_only = 0;
	ck_assert_int_eq(encode(NULL, "two and two", " is four<|im_end|>"), 0);
	expect("two and two is four<|im_end|>", "two and two is four<|im_end|>");
}
END_TEST

START_TEST(text_trains_on_everything_and_ends_with_eos)
{
	ck_assert_int_eq(encode(NULL, NULL, "some words"), 0);
	expect("some words<|im_end|>", "some words<|im_end|>");
	collator.eos = NULL;
	ck_assert_int_eq(encode(NULL, NULL, "some words"), 0);
	expect("some words", "some words");
}
END_TEST

START_TEST(long_rows_are_cut_at_the_wanted_end)
{
	ck_assert_int_eq(encode(NULL, "ab", "cd"), 0);
	int32_t whole = (int32_t)example.tokens.len;
	collator.max_length = whole - 1;
	ck_assert_int_eq(encode(NULL, "ab", "cd"), 0);
	ck_assert(example.cut == 1 && (int32_t)example.tokens.len == whole - 1 && example.tokens.data[0] < 0);
	collator.keep_end = true;
	collator.max_length = 1;
	ck_assert_int_eq(encode(NULL, "ab", "cd"), 0);
	expect("<|im_end|>", "<|im_end|>");
	ck_assert_int_eq(example.trained, 0);
	collator.max_length = whole;
	ck_assert_int_eq(encode(NULL, "ab", "cd"), 0);
	ck_assert_int_eq(example.cut, 0);
}
END_TEST

START_TEST(rows_that_do_not_fit_the_settings_are_refused)
{
	ck_assert_int_eq(encode("[]", NULL, NULL), -1);
	ck_assert_int_eq(err.kind, ERR_DATA);
	collator.chat = NULL;
	ck_assert_int_eq(encode(TALK, NULL, NULL), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "has no chat template"));
	collator.assistant_only = true;
	ck_assert_int_eq(encode(NULL, NULL, "x"), -1);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/collator");
	TCase *tc = tcase_create("collator");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages_train_on_everything_by_default);
	tcase_add_test(tc, messages_can_train_on_the_last_answer_only);
	tcase_add_test(tc, assistant_turns_are_found_without_generation_marks);
	tcase_add_test(tc, assistant_turns_are_taken_from_generation_marks);
	tcase_add_test(tc, template_that_rewrites_history_is_refused_for_assistant_only);
	tcase_add_test(tc, completions_end_with_eos_and_prompts_are_not_trained_on);
	tcase_add_test(tc, text_trains_on_everything_and_ends_with_eos);
	tcase_add_test(tc, long_rows_are_cut_at_the_wanted_end);
	tcase_add_test(tc, rows_that_do_not_fit_the_settings_are_refused);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
