/* XML answers: lists, objects, text; limits and refusals; cut short at every byte. */
#include "check_main.h"

#include "aws/xml_answer.h"
#include "base/buf.h"
#include "base/limits.h"
#include "codec/json.h"

static struct err err;

static void check(const char *xml, const char *json)
{
	json_t *o = NULL;
	struct buf text = {0};
	ck_assert_msg(xml_answer_read(str_of(xml), &o, &err) == 0, "%s: %s", xml, err.message);
	json_print(o, JSON_PRINT_COMPACT, &text);
	ck_assert_str_eq(text.data, json);
	buf_done(&text);
	json_decref(o);
}

static void check_refused(const char *xml, enum err_kind kind, const char *part)
{
	json_t *o = NULL;
	err = ERR_INIT;
	ck_assert_msg(xml_answer_read(str_of(xml), &o, &err) == -1, "%.100s was read", xml);
	ck_assert_ptr_null(o);
	ck_assert_int_eq(err.kind, kind);
	ck_assert_msg(strstr(err.message, part) != NULL, "%s", err.message);
}

START_TEST(elements_become_objects_lists_and_text)
{
	check("<a/>", "{\"a\":\"\"}");
	check("<a> x &amp; y </a>", "{\"a\":\"x & y\"}");
	check("<?xml version=\"1.0\"?><n:a xmlns:n=\"u\" b=\"c\"><n:b>1</n:b><c><d/></c></n:a>", "{\"a\":{\"b\":\"1\",\"c\":{\"d\":\"\"}}}");
	check("<s><item>1</item>\n<item><b>2</b></item></s>", "{\"s\":[\"1\",{\"b\":\"2\"}]}");
	check("<s><member>1</member></s>", "{\"s\":[\"1\"]}");
	check("<e><x>1</x><x>2</x><x>3</x></e>", "{\"e\":{\"x\":[\"1\",\"2\",\"3\"]}}");
	check("<e><x>1</x><!-- no --><?pi?><![CDATA[lost]]></e>", "{\"e\":{\"x\":\"1\"}}");
}
END_TEST

START_TEST(entities_and_what_is_no_document_are_refused)
{
	check_refused("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", ERR_INVALID, "document type");
	check_refused("<!DOCTYPE a><a/>", ERR_INVALID, "document type");
	check_refused("<a>&x;</a>", ERR_INVALID, "line 1");
	check_refused("", ERR_INVALID, "no XML");
	check_refused("<a>\n<b></a>", ERR_INVALID, "line 2");
	check_refused("<a/><b/>", ERR_INVALID, "no XML");
	check_refused("<a><item/><b/></a>", ERR_INVALID, "mixes");
	check_refused("<a><b/><item/></a>", ERR_INVALID, "mixes");
	check_refused("{\"a\":1}", ERR_INVALID, "no XML");
}
END_TEST

static void nest(int depth, enum err_kind kind)
{
	struct buf text = {0};
	json_t *o = NULL;
	for (int i = 0; i < depth; i++)
		buf_puts(&text, "<a>");
	for (int i = 0; i < depth; i++)
		buf_puts(&text, "</a>");
	err = ERR_INIT;
	ck_assert_int_eq(xml_answer_read(buf_str(&text), &o, &err), kind == ERR_NONE ? 0 : -1);
	ck_assert_int_eq(err.kind, kind);
	json_decref(o);
	buf_done(&text);
}

START_TEST(depth_and_size_are_bounded)
{
	nest(XML_ANSWER_DEPTH, ERR_NONE);
	nest(XML_ANSWER_DEPTH + 1, ERR_LIMIT);
	struct buf text = {0};
	json_t *o = NULL;
	buf_puts(&text, "<a>");
	for (size_t i = 0; i < LIMIT_AWS_ANSWER_ELEMENTS; i++)
		buf_puts(&text, "<item/>");
	buf_puts(&text, "</a>");
	ck_assert_int_eq(xml_answer_read(buf_str(&text), &o, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	buf_reserve(&text, LIMIT_AWS_ANSWER_BYTES);
	ck_assert_int_eq(xml_answer_read((str){text.data, LIMIT_AWS_ANSWER_BYTES + 1}, &o, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	buf_done(&text);
}
END_TEST

START_TEST(cut_short_it_is_refused)
{
	static const char WHOLE[] = "<?xml version=\"1.0\"?><a><s><item>1</item></s><b>x&lt;</b><c/></a>";
	json_t *o = NULL;
	for (size_t n = 0; n < sizeof WHOLE - 1; n++)
		ck_assert_int_eq(xml_answer_read((str){WHOLE, n}, &o, &err), -1);
	check(WHOLE, "{\"a\":{\"s\":[\"1\"],\"b\":\"x<\",\"c\":\"\"}}");
}
END_TEST

int main(void) { CHECK_RUN("aws/xml_answer", 30, elements_become_objects_lists_and_text, entities_and_what_is_no_document_are_refused, depth_and_size_are_bounded, cut_short_it_is_refused); }
