/* Fuzz target: what a token endpoint answers. A token fits into a header and lives for a while; words for messages are bounded, one line, and
 * do not repeat a secret. */
#include "azure/token_source.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_words(const char *text)
{
	size_t bad;
	str all = token_answer_words(text, NULL, 60), none = token_answer_words(text, "a", 60);
	must(all.len <= 60 && !memchr(all.data, '\n', all.len) && !memchr(all.data, '\r', all.len));
	must(!str_is_utf8(str_of(text), &bad) || str_is_utf8(all, &bad));
	must(!memchr(none.data, 'a', none.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token_grant grant = {0};
	struct err err;
	char *text = mem_strndup((const char *)data, size);
	check_words(text);
	if (token_answer_read((str){(const char *)data, size}, "the authority", &grant, &err) == 0) {
		must(grant.token[0] && grant.lifetime_s > 0 && grant.lifetime_s <= 7 * 86400);
		for (const char *p = grant.token; *p; p++)
			must(*p > ' ' && *p <= '~');
	} else {
		must(!grant.token && err.message[0]);
	}
	token_wipe(grant.token);
	free(text);
	return 0;
}
