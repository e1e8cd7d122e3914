/* token.c: see token.h. */
#include "hub/token.h"

#include "base/fd.h"

#define TOKEN_MAX 4096

static int take(str text, const char *where, char **token, struct err *err)
{
	text.len = str_find(text, '\n', 0);
	text = str_trim(text);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] > '~')
			return err_set(err, ERR_CONFIG, "%s does not hold a token: it has blanks or control characters", where);
	*token = text.len ? mem_strndup(text.data, text.len) : NULL;
	return 0;
}

static int take_file(const char *path, char **token, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (!fd_exists(path))
		return 0;
	if (fd_read_file(path, TOKEN_MAX, &text, err) < 0)
		return -1;
	return take(buf_str(&text), path, token, err);
}

int token_find(char **token, struct err *err)
{
	static const char *const NAMES[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
	*token = NULL;
	for (size_t i = 0; i < 2; i++) {
		const char *value = getenv(NAMES[i]);
		if (value && value[0])
			return take(str_of(value), NAMES[i], token, err);
	}
	const char *path = getenv("HF_TOKEN_PATH"), *hub_home = getenv("HF_HOME"), *home = getenv("HOME");
	if (path && path[0])
		return take_file(path, token, err);
	if (!hub_home && !home)
		return 0;
	CLEANUP(mem_freep) char *file = hub_home ? mem_printf("%s/token", hub_home) : mem_printf("%s/.cache/huggingface/token", home);
	return take_file(file, token, err);
}
