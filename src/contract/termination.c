/* termination.c: see termination.h. */
#include "contract/termination.h"

#include "base/fd.h"
#include "base/limits.h"
#include "codec/json.h"
#include "contract/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>

static void put_key(struct buf *out, const char *key)
{
	if (out->len > 1)
		buf_putc(out, ',');
	json_put_string(out, str_of(key));
	buf_putc(out, ':');
}

static void put_text(struct buf *out, const char *key, str value)
{
	put_key(out, key);
	json_put_string(out, value);
}

/* The last `max` bytes (the end of a path says most), from the start of a character. */
static str tail(const char *z, size_t max)
{
	str s = str_of(z);
	size_t from = s.len > max ? s.len - max : 0;
	while (from < s.len && ((unsigned char)s.data[from] & 0xC0) == 0x80)
		from++;
	return str_sub(s, from, s.len);
}

static str head(const char *z, size_t max)
{
	str s = str_of(z);
	size_t to = s.len > max ? max : s.len;
	while (to > 0 && to < s.len && ((unsigned char)s.data[to] & 0xC0) == 0x80)
		to--;
	return str_sub(s, 0, to);
}

static void print(const struct termination *t, size_t max_text, struct buf *out)
{
	const struct err_traits *traits = err_traits(t->kind);
	buf_putc(out, '{');
	put_text(out, "kind", str_of(traits->name));
	put_text(out, "reason", str_of(traits->reason));
	put_key(out, "exitCode");
	buf_printf(out, "%d", traits->exit_code);
	put_text(out, "message", head(t->message ? t->message : "", max_text));
	if (t->file)
		put_text(out, "file", tail(t->file, max_text));
	if (t->row > 0) {
		put_key(out, "row");
		buf_printf(out, "%lld", (long long)t->row);
	}
	if (t->step >= 0) {
		put_key(out, "step");
		buf_printf(out, "%lld", (long long)t->step);
	}
	if (isfinite(t->loss)) {
		put_key(out, "loss");
		json_put_double(out, t->loss);
	}
	if (t->image)
		put_text(out, "image", head(t->image, max_text));
	buf_putc(out, '}');
}

void termination_print(const struct termination *t, struct buf *out)
{
	struct buf text = {0};
	size_t max_text = LIMIT_TERMINATION_BYTES;
	print(t, max_text, &text);
	while (text.len > LIMIT_TERMINATION_BYTES) {
		max_text /= 2;
		buf_clear(&text);
		print(t, max_text, &text);
	}
	buf_put_str(out, buf_str(&text));
	buf_done(&text);
}

int termination_write(const struct termination *t, struct err *err)
{
	const char *path = getenv(ENV_TERMINATION_LOG);
	bool asked = path && path[0];
	if (!asked)
		path = PATH_TERMINATION_LOG;
	if (!asked && !fd_exists(path))
		return 0;
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	CLEANUP(buf_done) struct buf text = {0};
	termination_print(t, &text);
	return fd_write_all(fd, text.data, text.len, path, err);
}

void termination_failure(const struct err *outcome)
{
	struct err ignored;
	const struct termination t = {.kind = outcome->kind, .message = outcome->message, .step = -1, .loss = NAN};
	(void)!termination_write(&t, &ignored);
}
