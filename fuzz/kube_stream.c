/* Fuzz target: a list and a watch read as they arrive: in two pieces cut at the first byte's value they say the same as in
 * one piece. */
#include "codec/json.h"
#include "kube/list_reader.h"
#include "kube/watch_reader.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_item(void *context, json_t *object)
{
	json_print(object, JSON_PRINT_COMPACT, context);
	json_decref(object);
}

static void take_event(void *context, const char *type, json_t *object)
{
	buf_puts(context, type);
	json_print(object, JSON_PRINT_COMPACT, context);
}

static int read_list(str text, size_t cut, struct buf *out)
{
	struct err err = ERR_INIT;
	struct list_reader r = {.item = take_item, .context = out};
	json_t *rest = NULL;
	int rc = list_reader_feed(&r, str_sub(text, 0, cut), &err);
	if (rc == 0)
		rc = list_reader_feed(&r, str_sub(text, cut, text.len), &err);
	if (rc == 0)
		rc = list_reader_finish(&r, &rest, &err);
	json_decref(rest);
	list_reader_done(&r);
	return rc;
}

static int read_watch(str text, size_t cut, struct buf *out)
{
	struct err err = ERR_INIT;
	struct watch_reader r = {.on_event = take_event, .context = out};
	int rc = watch_reader_feed(&r, str_sub(text, 0, cut), &err);
	if (rc == 0)
		rc = watch_reader_feed(&r, str_sub(text, cut, text.len), &err);
	watch_reader_done(&r);
	return rc;
}

static void compare(int (*read)(str text, size_t cut, struct buf *out), str text, size_t cut)
{
	struct buf one = {0}, two = {0};
	int a = read(text, 0, &one), b = read(text, cut, &two);
	if (a != b || !str_eq(buf_str(&one), buf_str(&two)))
		abort();
	buf_done(&one);
	buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	str text = {(const char *)data + 1, size - 1};
	size_t cut = data[0] < text.len ? data[0] : text.len;
	compare(read_list, text, cut);
	compare(read_watch, text, cut);
	return 0;
}
