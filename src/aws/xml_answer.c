/* xml_answer.c: see xml_answer.h. Expat calls back for each tag; a stack holds what is open. */
#include "aws/xml_answer.h"

#include "base/buf.h"
#include "base/limits.h"
#include <expat.h>

struct level { json_t *value; struct buf text; }; /* value: NULL until an element inside is seen */
struct reading {
	XML_Parser parser;
	struct level stack[XML_ANSWER_DEPTH];
	char *names[XML_ANSWER_DEPTH];
	size_t depth, elements;
	json_t *root;
	struct err *err;
	bool failed;
};

static void fail(struct reading *r, enum err_kind kind, const char *why)
{
	if (!r->failed)
		(void)err_set(r->err, kind, "the answer %s", why);
	r->failed = true;
	XML_StopParser(r->parser, XML_FALSE);
}

/* Without the namespace's prefix. */
static const char *local(const char *name)
{
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static bool is_item(const char *name) { return strcmp(name, "item") == 0 || strcmp(name, "member") == 0; }

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *r = context;
	(void)attributes;
	if (r->failed)
		return;
	if (r->depth == XML_ANSWER_DEPTH || ++r->elements > LIMIT_AWS_ANSWER_ELEMENTS) {
		fail(r, ERR_LIMIT, r->depth == XML_ANSWER_DEPTH ? "nests too deep" : "has too many elements");
		return;
	}
	r->stack[r->depth] = (struct level){0};
	r->names[r->depth++] = mem_strdup(local(name));
}

/* An element that was put there before, and now comes again under the same name. */
static void repeat(json_t *object, const char *name, json_t *value)
{
	json_t *there = json_object_get(object, name);
	if (!json_is_array(there))
		json_object_set_new(object, name, there = json_pack("[O]", there));
	json_array_append_new(there, value);
}

static void attach(struct reading *r, struct level *parent, const char *name, json_t *value)
{
	if (!parent->value)
		parent->value = is_item(name) ? json_array() : json_object();
	if (is_item(name) != json_is_array(parent->value)) {
		json_decref(value);
		fail(r, ERR_INVALID, "mixes a list with other elements");
	} else if (is_item(name)) {
		json_array_append_new(parent->value, value);
	} else if (json_object_get(parent->value, name)) {
		repeat(parent->value, name, value);
	} else {
		json_object_set_new(parent->value, name, value);
	}
}

static void XMLCALL on_end(void *context, const XML_Char *unused)
{
	struct reading *r = context;
	(void)unused;
	if (r->failed)
		return;
	struct level top = r->stack[--r->depth];
	CLEANUP(mem_freep) char *name = r->names[r->depth];
	json_t *value = top.value;
	if (!value) {
		str text = str_trim(buf_str(&top.text));
		value = json_stringn(text.data, text.len);
	}
	buf_done(&top.text);
	if (!value)
		fail(r, ERR_INVALID, "has text that is not UTF-8");
	else if (r->depth > 0)
		attach(r, &r->stack[r->depth - 1], name, value);
	else
		r->root = json_pack("{s:o}", name, value);
}

static void XMLCALL on_text(void *context, const XML_Char *text, int n)
{
	struct reading *r = context;
	if (!r->failed && r->depth > 0 && !r->stack[r->depth - 1].value)
		buf_put(&r->stack[r->depth - 1].text, text, (size_t)n);
}

static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public_id, int internal)
{
	(void)name, (void)system, (void)public_id, (void)internal;
	fail(context, ERR_INVALID, "declares a document type, which is refused");
}

static void drop_open(struct reading *r)
{
	while (r->depth > 0) {
		struct level *top = &r->stack[--r->depth];
		json_decref(top->value);
		buf_done(&top->text);
		free(r->names[r->depth]);
	}
}

static int parse(struct reading *r, str text)
{
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	if (XML_Parse(r->parser, text.data, (int)text.len, 1) == XML_STATUS_OK && !r->failed && r->root)
		return 0;
	if (r->failed)
		return -1;
	return err_set(r->err, ERR_INVALID, "the answer is no XML: line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->parser),
		       XML_ErrorString(XML_GetErrorCode(r->parser)));
}

int xml_answer_read(str text, json_t **out, struct err *err)
{
	if (text.len > LIMIT_AWS_ANSWER_BYTES)
		return err_set(err, ERR_LIMIT, "the answer is longer than %zu bytes", LIMIT_AWS_ANSWER_BYTES);
	struct reading r = {.parser = XML_ParserCreate("UTF-8"), .err = err};
	if (!r.parser)
		return err_set(err, ERR_NO_MEMORY, "no memory for an XML reader");
	int rc = parse(&r, text);
	XML_ParserFree(r.parser);
	drop_open(&r);
	if (rc == 0)
		*out = r.root;
	else
		json_decref(r.root);
	return rc;
}
