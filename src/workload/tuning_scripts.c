/* tuning_scripts.c: see tuning_scripts.h. */
#include "workload/tuning_scripts.h"

#include "base/buf.h"
#include "workload/shell_word.h"

/* Appends the script without the lines that only comment: they would be stored with every Job and Pod. */
static void put_code(struct buf *out, const char *text, size_t len)
{
	str rest = {text, len};
	while (rest.len > 0) {
		size_t end = str_find(rest, '\n', 0), next = end < rest.len ? end + 1 : end;
		if (!str_starts(str_trim(str_sub(rest, 0, end)), STR("#")))
			buf_put_str(out, str_sub(rest, 0, next));
		rest = str_sub(rest, next, rest.len);
	}
}

char *tuning_download_script(void)
{
	struct buf out = {0};
	put_code(&out, tuning_download_sh, tuning_download_sh_len);
	return buf_take(&out);
}

static int put_variable(struct buf *out, const char *name, const char *value, struct err *err)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(err, ERR_INVALID, "the %s of a tuning output holds a control character", name);
	buf_printf(out, "%s=", name);
	shell_word_put(out, str_of(value));
	buf_putc(out, '\n');
	return 0;
}

int pusher_script(const char *output_dir, const char *image, const char *model, char **out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (put_variable(&text, "output_dir", output_dir, err) < 0 || put_variable(&text, "image", image, err) < 0 ||
	    put_variable(&text, "model", model, err) < 0)
		return -1;
	put_code(&text, pusher_sh, pusher_sh_len);
	*out = buf_take(&text);
	return 0;
}
